package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"slices"
)

// fold lets checkpoint copy pages from the log into the file, and sums what it
// copied. checkpoint returns how many frames the log has and how many of them
// are copied. After pin a log out of which anything can be copied does not
// start anew: only then is it known which log it is. An error of the sums' own
// file is healed by writing it anew, later if need be.
func (s *sums) fold(pin func() error, checkpoint func() (frames, moved int, err error)) (frames, moved int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := pin(); err != nil {
		return 0, 0, err
	}
	salt, err := s.salted()
	if err != nil {
		return 0, 0, err
	}
	if salt != s.salt {
		s.salt, s.folded = salt, 0
	}
	frames, moved, err = checkpoint()
	if err != nil {
		s.unsure = true
		return frames, moved, err
	}
	s.unsure = false
	if s.db == nil || s.pages == nil {
		return frames, moved, nil // they are made after the first fold
	}
	changed := map[int]bool{}
	if moved > s.folded {
		if err := s.read(moved, frames, changed); err != nil {
			return frames, moved, fmt.Errorf("%w: sums of pages: %w", ErrBroken, err)
		}
	}
	if err := s.keep(changed, moved >= frames); err != nil {
		return frames, moved, fmt.Errorf("%w: sums of pages: %w", ErrBroken, err)
	}
	return frames, moved, nil
}

// salted tells one log from the next; empty: there is none.
func (s *sums) salted() (string, error) {
	if s.log == nil {
		f, err := os.Open(s.path + "-wal")
		if errors.Is(err, os.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		s.log = f
	}
	var head [walHead]byte
	if _, err := s.log.ReadAt(head[:], 0); err != nil {
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		return "", err
	}
	return string(head[16:24]), nil
}

// later names the pages in the frames of the log after moved.
func (s *sums) later(moved, frames int) (map[int]bool, error) {
	pages := map[int]bool{}
	var page [4]byte
	for ; moved < frames; moved++ {
		if _, err := s.log.ReadAt(page[:], walHead+int64(moved)*int64(frameHead+s.size)); err != nil {
			return nil, err
		}
		pages[int(binary.BigEndian.Uint32(page[:]))] = true
	}
	return pages, nil
}

// read sums the pages in the frames of the log up to moved. A page that stands
// in a later frame too was not copied: SQLite copies the newest or nothing.
func (s *sums) read(moved, frames int, changed map[int]bool) error {
	later, err := s.later(moved, frames)
	if err != nil {
		return err
	}
	frame := int64(frameHead + s.size)
	r := io.NewSectionReader(s.log, walHead+int64(s.folded)*frame, int64(moved-s.folded)*frame)
	buf := make([]byte, 64*frame)
	for {
		n, err := io.ReadFull(r, buf)
		for b := range slices.Chunk(buf[:n], int(frame)) {
			if len(b) < int(frame) {
				return io.ErrUnexpectedEOF
			}
			page := int(binary.BigEndian.Uint32(b))
			if later[page] {
				continue
			}
			for len(s.pages) < page {
				s.pages = append(s.pages, sum{})
			}
			s.pages[page-1] = sum{crc32.Checksum(b[frameHead:], castagnoli), true}
			changed[page] = true
		}
		if end(err) != nil {
			return err
		}
		if err != nil {
			break
		}
	}
	s.folded = moved
	return nil
}

// keep writes the sums of changed pages. Only when the whole log is copied can
// it start anew, and only before that need they last.
func (s *sums) keep(changed map[int]bool, whole bool) error {
	if whole {
		if err := s.fit(changed); err != nil {
			return err
		}
	}
	err := s.put(changed)
	if err == nil && whole && s.dirty {
		err = s.file.Sync()
		s.dirty = err != nil
	}
	if err == nil {
		return nil
	}
	// A start without the file makes it anew; one with an old one would take
	// sound pages for damaged.
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
	return dropSums(s.path)
}

// fit sums pages that were never in the log: SQLite leaves holes where a page
// was taken and given back at once.
func (s *sums) fit(changed map[int]bool) error {
	if !slices.ContainsFunc(s.pages, func(p sum) bool { return !p.known }) {
		return nil
	}
	for i, p := range s.pages {
		if !p.known {
			changed[i+1] = true
		}
	}
	return s.fill()
}

func (s *sums) put(changed map[int]bool) error {
	if s.file == nil {
		return s.rewrite()
	}
	if len(changed) == 0 {
		return nil
	}
	s.dirty = true
	order := slices.Sorted(maps.Keys(changed))
	for len(order) > 0 {
		// Neighbours are written together.
		n := 1
		for n < len(order) && order[n]-order[n-1] <= 64 {
			n++
		}
		first, last := order[0], order[n-1]
		b := make([]byte, sumsEntry*(last-first+1))
		for p := first; p <= last; p++ {
			s.pages[p-1].put(b[sumsEntry*(p-first):], p)
		}
		if _, err := s.file.WriteAt(b, sumsHead+sumsEntry*int64(first-1)); err != nil {
			return err
		}
		order = order[n:]
	}
	return nil
}
