package cap

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	notesPerRule  = 5  // how often one rule is noted
	maxAttributes = 64 // of one element
)

// scanner reads tokens in one pass and keeps count of them.
type scanner struct {
	ctx      context.Context // one scanner is one reading
	opt      Options
	src      *source
	dec      *xml.Decoder
	mark     bool   // the text began with the mark of UTF-8
	rootID   string // what a signature calls the whole message, beside ""
	tokens   int
	elements int
	depth    int
	points   int
	pos      position // where the current token begins
	notes    []Note
	counts   map[string]int
	untidy   map[string]bool // blocks whose order was noted
}

type position struct{ line, column int }

func (s *scanner) refuse(rule, format string, args ...any) error {
	return s.pos.refuse(rule, format, args...)
}

func (p position) refuse(rule, format string, args ...any) error {
	return &Refusal{Rule: rule, Text: fmt.Sprintf(format, args...), Line: max(p.line, 1), Column: max(p.column, 1)}
}

func (s *scanner) note(rule, format string, args ...any) { s.noteAt(s.pos, rule, format, args...) }

func (s *scanner) noteAt(p position, rule, format string, args ...any) {
	s.counts[rule]++
	n := Note{Rule: rule, Text: fmt.Sprintf(format, args...), Line: max(p.line, 1), Column: max(p.column, 1)}
	switch c := s.counts[rule]; {
	case c == notesPerRule+1:
		n.Text = "more of the same is left out"
		fallthrough
	case c <= notesPerRule:
		s.notes = append(s.notes, n)
	}
}

// next returns the next token that matters: comments and instructions are
// dropped outside of texts. io.EOF ends the document.
func (s *scanner) next() (xml.Token, error) {
	for {
		t, err := s.token()
		if err != nil {
			return nil, err
		}
		switch t.(type) {
		case xml.Comment, xml.ProcInst:
			continue
		}
		return t, nil
	}
}

// token returns the next token of any kind, within the bounds. What it returns
// holds until the next call.
func (s *scanner) token() (xml.Token, error) {
	if s.tokens%64 == 0 {
		if err := expired(s.ctx); err != nil {
			return nil, err
		}
	}
	s.pos.line, s.pos.column = s.dec.InputPos()
	t, err := s.dec.Token()
	if err != nil {
		return nil, s.failure(err)
	}
	first := s.tokens == 0
	s.tokens++
	switch t := t.(type) {
	case xml.Directive:
		return nil, s.refuse("A03", "a document type or another <!…> declaration is never read")
	case xml.ProcInst:
		if t.Target == "xml" && !first {
			return nil, s.refuse("C01", "an XML declaration stands only at the very beginning")
		}
	case xml.StartElement:
		s.depth++
		s.elements++
		if s.depth > s.opt.MaxDepth {
			return nil, s.refuse("A13", "elements stand more than %d deep", s.opt.MaxDepth)
		}
		if s.elements > s.opt.MaxElements {
			return nil, s.refuse("A15", "more than %d elements", s.opt.MaxElements)
		}
		if err := s.attributes(t); err != nil {
			return nil, err
		}
	case xml.EndElement:
		s.depth--
	}
	return t, nil
}

// attributes refuses what is not XML though the decoder lets it pass.
func (s *scanner) attributes(e xml.StartElement) error {
	if len(e.Attr) > maxAttributes {
		return s.refuse("A15", "<%.60s> has more than %d attributes", e.Name.Local, maxAttributes)
	}
	for i, a := range e.Attr {
		for _, b := range e.Attr[:i] {
			if a.Name == b.Name {
				return s.refuse("C01", "not well-formed XML: <%.60s> has the attribute %.60s twice", e.Name.Local, a.Name.Local)
			}
		}
	}
	return nil
}

// failure sorts what stopped the decoder: a refusal, a fault of the XML, or a
// source that broke, which is nobody's fault and no refusal.
func (s *scanner) failure(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		if refusal.Line == 0 {
			refusal.Line, refusal.Column = max(s.pos.line, 1), max(s.pos.column, 1)
		}
		return refusal
	}
	if s.src.err != nil {
		return fmt.Errorf("cap: the message could not be read: %w", s.src.err)
	}
	rule, text := "C01", err.Error()
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		text = syntax.Msg
		if strings.HasPrefix(text, "invalid character entity") {
			rule = "A04"
		}
	}
	line, column := s.dec.InputPos()
	return position{line, column}.refuse(rule, "not well-formed XML: %.200s", text)
}

// block describes an element that holds elements, in the order of the schema.
type block struct {
	name     string
	rule     string // of order and number
	children []string
	many     []string // those that may repeat
}

// children reads the elements of a block up to its end. child reads one and
// gets its name; it must consume it whole. The names that came are returned.
func (s *scanner) children(b *block, child func(name string) error) (map[string]bool, error) {
	seen := map[string]bool{}
	last := 0
	for {
		t, err := s.next()
		if err != nil {
			return nil, s.unfinished(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return seen, nil
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				s.note(b.rule, "text between the elements of <%s> is left out", b.name)
			}
		case xml.StartElement:
			known, err := s.admit(b, t, seen, &last)
			if err == nil && known {
				err = child(t.Name.Local)
			}
			if err != nil {
				return nil, err
			}
		}
	}
}

// admit decides about one element of a block: refused, left out with a note
// (then it has been skipped), or to be read.
func (s *scanner) admit(b *block, start xml.StartElement, seen map[string]bool, last *int) (known bool, err error) {
	name := start.Name.Local
	if start.Name.Space == signatureNamespace && name == "Signature" && b == alertBlock {
		seen["Signature"] = true
		return false, s.signature()
	}
	if err := s.native(start); err != nil {
		return false, err
	}
	at := slices.Index(b.children, name)
	if at < 0 {
		return false, s.stranger(b, name)
	}
	if seen["Signature"] && b == alertBlock {
		s.note("C80", "<%s> stands after the signature, which must be the last", name)
	}
	if seen[name] && !slices.Contains(b.many, name) {
		rule := b.rule
		if name == "status" {
			rule = "A01"
		}
		return false, s.refuse(rule, "<%s> stands more than once in <%s>", name, b.name)
	}
	if at < *last && !s.untidy[b.name] {
		s.untidy[b.name] = true
		s.note(b.rule, "elements of <%s> are out of order: <%s> after <%s>", b.name, name, b.children[*last])
	}
	seen[name], *last = true, max(*last, at)
	return true, nil
}

// native refuses elements of other vocabularies, which another reader might
// take for CAP's own.
func (s *scanner) native(start xml.StartElement) error {
	switch space := start.Name.Space; {
	case space == Namespace:
		return nil
	case space == "":
		return s.refuse("A06", "<%.60s> is in no namespace", start.Name.Local)
	case !strings.ContainsAny(space, ":/"):
		return s.refuse("A08", "the prefix of <%.40s:%.60s> is not declared", space, start.Name.Local)
	default:
		return s.refuse("A07", "<%.60s> is in the foreign namespace %.80q", start.Name.Local, space)
	}
}

// stranger skips an element that CAP does not have. One that differs from
// CAP's own only in capitals is refused where it could decide: two readers
// would see two messages.
func (s *scanner) stranger(b *block, name string) error {
	if b == alertBlock || b == infoBlock {
		for _, own := range b.children {
			if strings.EqualFold(own, name) {
				return s.refuse(b.rule, "<%.60s> must be written <%s>", name, own)
			}
		}
	}
	s.note(b.rule, "<%.60s> is no element of <%s> and is left out", name, b.name)
	return s.skip()
}

// skip leaves out the rest of the element that has just begun.
func (s *scanner) skip() error {
	for outside := s.depth - 1; s.depth > outside; {
		if _, err := s.next(); err != nil {
			return s.unfinished(err)
		}
	}
	return nil
}

// text reads an element that holds text alone, without the white space around
// it. Whatever would let two readers see two texts is refused.
func (s *scanner) text() (string, error) {
	var b strings.Builder
	for {
		t, err := s.token()
		if err != nil {
			return "", s.unfinished(err)
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.Comment, xml.ProcInst:
			return "", s.refuse("A09", "a comment or an instruction stands inside a text")
		case xml.StartElement:
			return "", s.refuse("A10", "<%.60s> stands inside a text", t.Name.Local)
		case xml.EndElement:
			return strings.Trim(b.String(), " \t\r\n"), nil
		}
	}
}

// unfinished is what the end of the document means inside an element.
func (s *scanner) unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return s.refuse("C01", "the message ends before its end tag")
	}
	return err
}
