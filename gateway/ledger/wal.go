package ledger

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// The layout of SQLite's log (https://sqlite.org/fileformat2.html#walformat).
const (
	walHead   = 32
	frameHead = 24
	walMagic  = 0x377f0682 // the last bit says in which order words are summed
)

// committedPages reads a log as a recovery would and returns the pages that it
// holds committed. A log that is not there or not begun has none.
func committedPages(path string) (map[uint32]bool, error) {
	f, err := os.Open(path) //nolint:gosec // the data folder is the operator's
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var head [walHead]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return nil, end(err)
	}
	magic, size := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[8:])
	sum := walSum{big: magic&1 == 1}
	sum.add(head[:24])
	if magic&^1 != walMagic || !sum.is(head[24:]) || size < 512 || size > 65536 {
		return nil, nil
	}
	pages, open := map[uint32]bool{}, []uint32(nil)
	frame := make([]byte, frameHead+size)
	for {
		if _, err := io.ReadFull(f, frame); err != nil {
			return pages, end(err)
		}
		sum.add(frame[:8])
		sum.add(frame[frameHead:])
		if string(frame[8:16]) != string(head[16:24]) || !sum.is(frame[16:]) {
			return pages, nil
		}
		open = append(open, binary.BigEndian.Uint32(frame))
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // a commit
			for _, p := range open {
				pages[p] = true
			}
			open = open[:0]
		}
	}
}

func end(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// walSum is the running checksum of a log.
type walSum struct {
	big    bool
	s0, s1 uint32
}

func (s *walSum) add(b []byte) {
	word := binary.LittleEndian.Uint32
	if s.big {
		word = binary.BigEndian.Uint32
	}
	for i := 0; i+8 <= len(b); i += 8 {
		s.s0 += word(b[i:]) + s.s1
		s.s1 += word(b[i+4:]) + s.s0
	}
}

func (s *walSum) is(b []byte) bool {
	return binary.BigEndian.Uint32(b) == s.s0 && binary.BigEndian.Uint32(b[4:]) == s.s1
}
