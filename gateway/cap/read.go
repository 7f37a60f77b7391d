package cap

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"loa/gateway/alert"
)

var alertBlock = &block{
	name: "alert", rule: "C02",
	children: []string{
		"identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses",
		"code", "note", "references", "incidents", "info",
	},
	many: []string{"code", "info"},
}

// Read reads one CAP 1.2 message in one pass, without building a tree.
//
// A message that is dangerous or that two readers could understand in two ways
// is refused with a *Refusal. What real authorities write, though CAP asks for
// something else, is read and noted. Any other error is one of the source. A
// revision that was read is not fit to be issued by that: its Alert, Number and
// Code are for the caller to set, and Validate decides.
func Read(ctx context.Context, r io.Reader, opt Options) (*alert.Revision, []Note, error) {
	opt = opt.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, opt.Timeout)
	defer cancel()
	src := &source{ctx: ctx, from: r, left: opt.MaxBytes}
	text, mark, err := src.open()
	s := &scanner{ctx: ctx, opt: opt, src: src, mark: mark, counts: map[string]int{}, untidy: map[string]bool{}}
	s.dec = xml.NewDecoder(text)
	s.dec.CharsetReader = s.charset
	if err != nil {
		return nil, nil, s.failure(err)
	}
	m, err := s.document()
	if err == nil {
		err = s.judge(m)
	}
	if err != nil {
		return nil, nil, err
	}
	return m.rev, s.notes, nil
}

// message is a revision being read, with what is judged at the end.
type message struct {
	rev        *alert.Revision
	at         position
	infos      []position
	references []string // those that could not be read
	seen       map[string]bool
}

func (s *scanner) document() (*message, error) {
	root, err := s.root()
	if err != nil {
		return nil, err
	}
	m := &message{rev: &alert.Revision{}, at: s.pos}
	for _, a := range root.Attr {
		if strings.EqualFold(a.Name.Local, "id") {
			s.rootID = a.Value
		}
	}
	m.seen, err = s.children(alertBlock, func(name string) error { return s.alertChild(m, name) })
	if err != nil {
		return nil, err
	}
	return m, s.end()
}

// end reads on to the end of the document: white space may follow the message.
func (s *scanner) end() error {
	for {
		t, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return s.refuse("A12", "text follows the message")
			}
		case xml.StartElement:
			return s.refuse("A11", "a second element <%.60s> follows the message", t.Name.Local)
		}
	}
}

// root finds the alert element.
func (s *scanner) root() (xml.StartElement, error) {
	for {
		t, err := s.next()
		if errors.Is(err, io.EOF) {
			err = s.refuse("C01", "there is no message")
		}
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := t.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return xml.StartElement{}, s.refuse("A12", "text stands before the message")
			}
		case xml.StartElement:
			return t, s.checkRoot(t)
		}
	}
}

func (s *scanner) checkRoot(e xml.StartElement) error {
	switch space := e.Name.Space; {
	case space == "http://www.w3.org/2005/Atom" || e.Name.Local == "rss":
		return s.refuse("C01", "this is a feed, not a message: read the messages that it links to")
	case space == "":
		return s.refuse("A06", "<%.60s> is in no namespace; CAP 1.2 is %s", e.Name.Local, Namespace)
	case strings.HasPrefix(space, "urn:oasis:names:tc:emergency:cap:1.") && space != Namespace, strings.HasPrefix(space, "http://www.incident.com/cap/"):
		return s.refuse("C01", "the message is in an older CAP (%.80q); only CAP 1.2 is read", space)
	case space != Namespace:
		return s.refuse("A06", "<%.60s> is in the namespace %.80q; CAP 1.2 is %s", e.Name.Local, space, Namespace)
	case e.Name.Local != "alert":
		return s.refuse("C01", "the message begins with <%.60s> where <alert> is asked for", e.Name.Local)
	}
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == "xmlns" && a.Value == Namespace {
			return nil
		}
	}
	s.note("C01", "elements are written with a namespace prefix")
	return nil
}

func (s *scanner) alertChild(m *message, name string) (err error) {
	r := m.rev
	if name == "info" {
		m.infos = append(m.infos, s.pos)
		in, err := s.info()
		r.Infos = append(r.Infos, in)
		return err
	}
	at := s.pos
	text, err := s.text()
	if err != nil {
		return err
	}
	switch name {
	case "identifier":
		r.Identifier = text
	case "sender":
		r.Sender = text
	case "sent":
		r.Sent, err = s.time(at, name, text)
	case "status":
		r.Status, err = word(at, "C08", name, text, alert.Statuses)
	case "msgType":
		r.MsgType, err = word(at, "C09", name, text, alert.MsgTypes)
	case "source":
		r.Source = text
	case "scope":
		r.Scope, err = word(at, "C10", name, text, alert.Scopes)
	case "restriction":
		r.Restriction = text
	case "addresses":
		r.Addresses, err = quotedList(at, "C12", name, text)
	case "code":
		r.Codes = appendFilled(r.Codes, text)
	case "note":
		r.Note = text
	case "references":
		r.References, m.references = references(text)
	case "incidents":
		r.Incidents, err = quotedList(at, "C32", name, text)
	}
	return err
}

func appendFilled(list []string, text string) []string {
	if text == "" {
		return list
	}
	return append(list, text)
}
