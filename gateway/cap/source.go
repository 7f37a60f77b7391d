package cap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxTag bounds one tag, comment or instruction, in bytes: the XML decoder
// holds the whole of it and all its attributes in memory.
const maxTag = 64 << 10

// source is the message as bytes: no more of them than allowed, no later than
// allowed, without a byte order mark.
type source struct {
	ctx  context.Context // io.Reader has no place for it
	from io.Reader
	left int64
	tag  int   // bytes since a '<' that no '>' has closed; 0 outside
	err  error // what broke from, if it broke
}

// open looks at the first bytes: UTF-16 and UTF-32 are refused, the mark
// of UTF-8 is dropped and reported.
func (s *source) open() (r io.Reader, mark bool, err error) {
	br := bufio.NewReader(s)
	head, err := br.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if bytes.HasPrefix(head, []byte{0xfe, 0xff}) || bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.IndexByte(head, 0) >= 0 {
		return nil, false, &Refusal{Rule: "A35", Text: "UTF-16 and UTF-32 are not read; send UTF-8", Line: 1, Column: 1}
	}
	mark = bytes.HasPrefix(head, []byte("\xef\xbb\xbf"))
	if mark {
		if _, err := br.Discard(3); err != nil {
			return nil, false, err
		}
	}
	return br, mark, nil
}

func (s *source) Read(p []byte) (int, error) {
	if err := expired(s.ctx); err != nil {
		return 0, err
	}
	if s.left < 0 {
		return 0, &Refusal{Rule: "A16", Text: "the message is too large"}
	}
	if int64(len(p)) > s.left+1 {
		p = p[:s.left+1]
	}
	n, err := s.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	s.left -= int64(n)
	if s.left < 0 {
		return 0, &Refusal{Rule: "A16", Text: "the message is too large"}
	}
	for _, b := range p[:n] {
		switch {
		case b == '>':
			s.tag = 0
		case b == '<' || s.tag > 0:
			s.tag++
		}
		if s.tag > maxTag {
			return 0, &Refusal{Rule: "C85", Text: "a tag or comment is too long"}
		}
	}
	return n, err
}

// latin1 turns ISO-8859-1 into UTF-8.
type latin1 struct {
	from io.Reader
	rest []byte // UTF-8 not handed out yet
	in   [512]byte
	out  [2 * 512]byte
}

func (l *latin1) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(l.rest) == 0 {
		n, err := l.from.Read(l.in[:])
		l.rest = l.out[:0]
		for _, b := range l.in[:n] {
			l.rest = utf8.AppendRune(l.rest, rune(b))
		}
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// charset opens the encodings that are read beside UTF-8.
func (s *scanner) charset(label string, from io.Reader) (io.Reader, error) {
	name := strings.ToLower(label)
	switch {
	case s.mark:
		return nil, s.refuse("A34", "the text begins as UTF-8 and declares %.40q", label)
	case name == "iso-8859-1" || name == "iso8859-1" || name == "latin1":
		s.note("A34", "the text is in ISO-8859-1, which is read; UTF-8 is asked for")
		return &latin1{from: from}, nil
	case name == "us-ascii" || name == "ascii":
		return from, nil
	case strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32") || strings.HasPrefix(name, "ucs"):
		return nil, s.refuse("A35", "the encoding %.40q is not read; send UTF-8", label)
	default:
		return nil, s.refuse("A34", "the encoding %.40q is not read; send UTF-8", label)
	}
}
