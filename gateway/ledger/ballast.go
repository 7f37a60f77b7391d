package ledger

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The reserve on the ledger's disk. Less than a twentieth free, or this much on
// a large disk, is low: the reserve is given back for what runs already, and
// nothing new is begun until there is room for it again.
const (
	ballastMost  = 64 << 20  // bytes; at most a twentieth of the disk too
	lowMost      = 256 << 20 // bytes
	ballastShare = 20
	ballastEvery = time.Second
)

// ballast keeps some of the disk occupied until it is needed.
type ballast struct {
	path  string
	space func() (free, total int64, err error)
	log   *slog.Logger
	ring  chan struct{} // the disk was found full

	low  atomic.Bool
	free atomic.Int64

	mu   sync.Mutex
	held bool
}

func newBallast(dir string, log *slog.Logger) *ballast {
	b := &ballast{path: filepath.Join(dir, "ballast"), log: log, ring: make(chan struct{}, 1)}
	b.space = func() (free, total int64, err error) {
		var s unix.Statfs_t
		if err := unix.Statfs(dir, &s); err != nil {
			return 0, 0, err
		}
		return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil //nolint:gosec // a disk is smaller than 8 EiB
	}
	info, err := os.Stat(b.path) //nolint:gosec // the data folder is the operator's
	b.held = err == nil && info.Size() > 0
	return b
}

// exhausted is told of a write that found the disk full. It never blocks.
func (b *ballast) exhausted() {
	b.low.Store(true)
	select {
	case b.ring <- struct{}{}:
	default:
	}
}

func (b *ballast) run(ctx context.Context) {
	tick := time.NewTicker(ballastEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.ring:
			b.step(true)
		case <-tick.C:
			b.step(false)
		}
	}
}

// step looks at the space and gives the reserve back, or takes it again.
func (b *ballast) step(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	free, total, err := b.space()
	if err != nil {
		return // whoever writes will tell
	}
	b.free.Store(free)
	size := min(ballastMost, total/ballastShare) &^ 4095
	low := min(lowMost, total/ballastShare)
	switch {
	case free < low || full:
		if b.held {
			b.log.Warn("ledger: the disk is nearly full, its reserve is given to the alerts that run", slog.Int64("free_bytes", free))
			if err := os.Remove(b.path); err != nil {
				b.log.Error("ledger: the reserve cannot be removed", slog.Any("error", err))
				return
			}
			b.held = false
		}
		b.low.Store(true)
	case free >= low+size+low/2 || b.held:
		// Room for the reserve and some to spare, or it is there.
		if !b.held {
			if err := b.take(size); err != nil {
				return // the next step tries again
			}
			b.held = true
		}
		if b.low.Swap(false) {
			b.log.Info("ledger: the disk has room again", slog.Int64("free_bytes", free))
		}
	}
}

// take occupies the space.
func (b *ballast) take(size int64) error {
	f, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		chunk := make([]byte, 1<<20)
		for n := int64(0); n < size; n += int64(len(chunk)) {
			if _, werr := f.WriteAt(chunk[:min(int64(len(chunk)), size-n)], n); werr != nil {
				return errors.Join(werr, f.Close(), os.Remove(b.path))
			}
		}
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(b.path))
	}
	return nil
}

// Condition is how the storage of a ledger does.
type Condition struct {
	// Err is why nothing is written any more until a restart: ErrBroken or
	// ErrCorrupt. Nil: all is well.
	Err error
	// Low: the disk is nearly full, nothing new may be begun.
	Low  bool
	Free int64 // bytes on the disk of an SQLite ledger with a reserve; -1: not known
}

// Condition tells how the storage does, without touching it.
func (l *Ledger) Condition() Condition {
	c := Condition{Free: -1}
	if l.lite != nil {
		c.Err = l.lite.latch.closed()
	}
	if l.ballast != nil {
		c.Low, c.Free = l.ballast.low.Load(), l.ballast.free.Load()
	}
	return c
}

// Room fails with ErrFull while the disk is nearly full.
func (l *Ledger) Room() error {
	if l.ballast != nil && l.ballast.low.Load() {
		return ErrFull
	}
	return nil
}
