package ledger

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"time"
)

// How the file is read in the background: little at a time, so that nobody
// waits for it.
const (
	patrolPages = 256
	patrolPause = 50 * time.Millisecond
)

// startPatrol reads every page of the file again and again and holds it
// against its sum. A damaged page closes the latch. It returns what ends it.
func startPatrol(ctx context.Context, d *lite, every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(every):
			}
			if d.latch.closed() != nil {
				return
			}
			if err := d.sums.patrol(ctx); err != nil && ctx.Err() == nil {
				_ = d.latch.met(err) // it tells
			}
			d.scrubbed.Add(1)
		}
	}()
	return func() { cancel(); <-done }
}

// patrol reads the whole file once.
func (s *sums) patrol(ctx context.Context) error {
	for from := 0; ; from += patrolPages {
		more, err := s.look(from)
		if err != nil || !more {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(patrolPause):
		}
	}
}

// look holds some pages against their sums. Nothing changes the file
// meanwhile; after a checkpoint that failed it waits for the next.
func (s *sums) look(from int) (more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := min(from+patrolPages, len(s.pages))
	if s.unsure || from >= to {
		return false, nil
	}
	buf := make([]byte, (to-from)*s.size)
	n, err := s.db.ReadAt(buf, int64(from)*int64(s.size))
	if err != nil && !errors.Is(err, io.EOF) {
		return false, errors.Join(ErrBroken, err)
	}
	clear(buf[n:]) // a page that is not there is damaged, but for one of zeros
	bad, first := 0, 0
	r := bytes.NewReader(buf)
	page := make([]byte, s.size)
	for i := from; i < to; i++ {
		_, _ = io.ReadFull(r, page)
		if p := s.pages[i]; p.known && crc32.Checksum(page, castagnoli) != p.crc {
			if bad++; bad == 1 {
				first = i + 1
			}
		}
	}
	if bad > 0 {
		return false, s.damage(bad, len(s.pages), first)
	}
	return true, nil
}
