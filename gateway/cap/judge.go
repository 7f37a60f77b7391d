package cap

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"loa/gateway/alert"
)

// judge looks at the message as a whole, when all of it has been read.
func (s *scanner) judge(m *message) error {
	r := m.rev
	for _, name := range []string{"identifier", "sender", "sent", "status", "msgType", "scope"} {
		if !m.seen[name] || name == "identifier" && r.Identifier == "" || name == "sender" && r.Sender == "" {
			return m.at.refuse("C03", "<alert> has no <%s>", name)
		}
	}
	if err := s.judgeClock(m); err != nil {
		return err
	}
	if err := s.judgeReferences(m); err != nil {
		return err
	}
	s.judgeHead(m)
	if err := s.judgeInfos(m); err != nil {
		return err
	}
	s.judgeLanguages(m)
	s.judgeSameness(m)
	return nil
}

func (s *scanner) judgeClock(m *message) error {
	if s.opt.Now == nil {
		return nil
	}
	now := s.opt.Now()
	if m.rev.Sent.After(now.Add(maxAhead)) {
		return m.at.refuse("A26", "the message says that it was sent in the future")
	}
	if m.rev.Sent.Before(now.Add(-s.opt.MaxAge)) {
		return m.at.refuse("A27", "the message is older than %v: signed or not, it is not news", s.opt.MaxAge)
	}
	return nil
}

func (s *scanner) judgeReferences(m *message) error {
	r := m.rev
	follows := r.MsgType != alert.MsgAlert
	if follows && len(r.References)+len(m.references) == 0 {
		return m.at.refuse("C21", "%s without references: nobody can tell what it is about", r.MsgType)
	}
	for _, entry := range m.references {
		if follows {
			return m.at.refuse("C20", "<references> has %.80q where sender,identifier,sent is asked for", entry)
		}
		s.noteAt(m.at, "C20", "<references> has %.80q, which is left out", entry)
	}
	for _, ref := range r.References {
		if ref.Sender == r.Sender && ref.Identifier == r.Identifier {
			if follows {
				return m.at.refuse("A31", "the message refers to itself")
			}
			s.noteAt(m.at, "C23", "the message refers to itself")
		} else if ref.Sent.After(r.Sent) {
			s.noteAt(m.at, "C23", "the message refers to a later one")
		}
	}
	return nil
}

func (s *scanner) judgeHead(m *message) {
	r := m.rev
	if !alert.Name(r.Identifier) {
		s.noteAt(m.at, "C04", "<identifier> has white space, a comma, < or &: nothing can refer to it")
	}
	if !alert.Name(r.Sender) {
		s.noteAt(m.at, "C05", "<sender> has white space, a comma, < or &: nothing can refer to it")
	}
	if r.Status != alert.Actual {
		s.noteAt(m.at, "C15", "status %s: never for the public", r.Status)
	}
	if r.Scope != alert.Public {
		s.noteAt(m.at, "A32", "scope %s: never broadcast", r.Scope)
	}
	if (r.Scope == alert.Restricted) != (r.Restriction != "") {
		s.noteAt(m.at, "C11", "<restriction> belongs to scope Restricted, and to no other")
	}
	if r.Scope == alert.Private && len(r.Addresses) == 0 {
		s.noteAt(m.at, "C12", "scope Private without <addresses>")
	}
	if r.MsgType == alert.MsgCancel && len(r.Infos) == 0 {
		s.noteAt(m.at, "C28", "the Cancel does not say why")
	}
}

func (s *scanner) judgeInfos(m *message) error {
	r := m.rev
	warns := r.MsgType == alert.MsgAlert || r.MsgType == alert.MsgUpdate
	if warns && len(r.Infos) == 0 {
		return m.at.refuse("A17", "no <info>, so no area; none never means everywhere")
	}
	for i := range r.Infos {
		in, at := &r.Infos[i], m.infos[i]
		switch {
		case len(in.Areas) == 0 && warns:
			return at.refuse("A17", "<info> has no <area>; none never means everywhere")
		case len(in.Areas) == 0:
			s.noteAt(at, "A17", "<info> has no <area>; it holds for the messages referred to and for nobody else")
		}
		if !in.Expires.IsZero() && !in.Expires.After(r.Sent) {
			return at.refuse("A24", "<expires> is not after <sent>")
		}
		s.judgeInfo(at, r, in)
	}
	return nil
}

func (s *scanner) judgeInfo(at position, r *alert.Revision, in *alert.Info) {
	switch {
	case in.Language == "":
		s.noteAt(at, "C42", "no <language>: CAP says that this is en-US")
	case !alert.IsLanguage(in.Language):
		s.noteAt(at, "C42", "<language> is %.20q, which is no language tag", in.Language)
	}
	if in.Expires.IsZero() {
		s.noteAt(at, "C50", "no <expires>: a person has to set an end")
	}
	if n := utf8.RuneCountInString(in.Headline); n > alert.MaxHeadline {
		s.noteAt(at, "C51", "<headline> has %d characters, more than %d", n, alert.MaxHeadline)
	}
	if late(in.Effective, in.Expires) || late(in.Onset, in.Expires) {
		s.noteAt(at, "C49", "<effective> or <onset> is later than <expires>")
	}
	if r.MsgType == alert.MsgCancel && !in.Effective.IsZero() {
		s.noteAt(at, "C29", "<effective> in a Cancel")
	}
}

func late(t, end time.Time) bool { return !t.IsZero() && !end.IsZero() && t.After(end) }

// judgeLanguages notes when two languages say two things about the same place
// (A33): the message is held until a person has decided which is right.
func (s *scanner) judgeLanguages(m *message) {
	worst := map[string]map[string]int{} // rank by place and language; place "" is the whole message
	for i := range m.rev.Infos {
		in := &m.rev.Infos[i]
		for _, place := range append(shapes(in), "") {
			if worst[place] == nil {
				worst[place] = map[string]int{}
			}
			worst[place][in.Lang()] = max(worst[place][in.Lang()], in.Severity.Rank())
		}
	}
	for _, ranks := range worst {
		if len(slices.Compact(slices.Sorted(maps.Values(ranks)))) > 1 {
			s.noteAt(m.at, "A33", "languages differ in severity: hold until a person has decided")
			return
		}
	}
}

// judgeSameness notes blocks that are about different things.
func (s *scanner) judgeSameness(m *message) {
	for i := range m.rev.Infos {
		first, in := &m.rev.Infos[0], &m.rev.Infos[i]
		if !alert.SameSet(first.Categories, in.Categories) || !alert.SameSet(first.EventCodes, in.EventCodes) {
			s.noteAt(m.infos[i], "C54", "<category> or <eventCode> is not the same in every <info>")
			return
		}
	}
}

// shapes names the places of a block in words that no language changes.
func shapes(in *alert.Info) []string {
	var names []string
	for i := range in.Areas {
		a := &in.Areas[i]
		for _, g := range a.Geocodes {
			names = append(names, "geocode "+g.Name+" "+g.Value)
		}
		for _, c := range a.Circles {
			names = append(names, fmt.Sprint("circle ", c))
		}
		for _, ring := range a.Polygons {
			var b strings.Builder
			b.WriteString("polygon")
			for _, p := range ring {
				b.WriteByte(' ')
				b.WriteString(strconv.FormatFloat(p.Lat, 'g', -1, 64))
				b.WriteByte(',')
				b.WriteString(strconv.FormatFloat(p.Lon, 'g', -1, 64))
			}
			names = append(names, b.String())
		}
	}
	return names
}
