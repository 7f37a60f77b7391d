package area

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Why says how a query led to a unit.
type Why uint8

// The reasons for a match, best first.
const (
	CurrentCode Why = iota + 1
	CurrentName
	OldName // the name of a unit that has ended
	OldCode // the code of a unit that has ended; another unit may bear it today
)

func (w Why) String() string {
	switch w {
	case CurrentCode:
		return "current code"
	case CurrentName:
		return "current name"
	case OldName:
		return "old name"
	case OldCode:
		return "old code"
	default:
		return "no reason"
	}
}

// Match is one unit a query may mean.
type Match struct {
	Unit    Unit // valid at the time asked for
	Why     Why
	Old     Unit // for OldName and OldCode: the ended unit that was named; Unit may hold other land besides
	Divided bool // the old unit went to several units, of which this is one: a person must choose
	Marked  bool // the name agrees mark by mark, or a code was given
}

// rank orders matches: smaller is better, field by field.
type rank struct {
	partial, otherKind, unmarked, old int
}

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.partial, o.partial), cmp.Compare(r.otherKind, o.otherKind),
		cmp.Compare(r.unmarked, o.unmarked), cmp.Compare(r.old, o.old))
}

type ranked struct {
	Match
	rank
}

// Find lists the units valid at t that a query may mean, the best first, each
// once: by code, name, start of a word of the name, or the name or code of a
// unit that ended before t. Case, marks and the place of the tone mark do not
// matter, though a name that agrees mark by mark comes first. A kind before the
// name ("xã", "tp.", "q") puts units of that kind first. What follows a comma
// narrows by the unit above: "Phường 12, Quận 3". Several matches mean that the
// query is ambiguous, and all are listed up to limit (0: no limit).
func (d *Directory) Find(query string, t time.Time, limit int) []Match {
	parts := strings.Split(query, ",")
	s := search{d: d, t: t, code: Code(strings.TrimSpace(parts[0])), best: map[Code]ranked{}}
	if len(s.code) < districtDigits || !isDigits(string(s.code)) { // no name is a number of three digits
		s.readings = readings(parts[0])
	}
	for _, p := range parts[1:] {
		if rs := readings(p); rs != nil {
			s.above = append(s.above, rs)
		}
	}
	for _, e := range d.entries {
		s.try(e)
	}
	found := make([]ranked, 0, len(s.best))
	for _, m := range s.best {
		found = append(found, m)
	}
	slices.SortFunc(found, func(a, b ranked) int {
		return cmp.Or(a.compare(b.rank), cmp.Compare(len(a.Unit.Code), len(b.Unit.Code)), cmp.Compare(a.Unit.Code, b.Unit.Code))
	})
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	matches := make([]Match, len(found))
	for i, m := range found {
		matches[i] = m.Match
	}
	return matches
}

type search struct {
	d        *Directory
	t        time.Time
	code     Code
	readings []reading
	above    [][]reading // each must fit a unit above
	best     map[Code]ranked
}

func (s *search) try(e *entry) {
	r, byCode, ok := s.rate(e)
	if !ok || !s.isBelow(e) {
		return
	}
	m := Match{Unit: e.Unit, Why: CurrentName, Marked: r.unmarked == 0}
	if byCode {
		m.Why = CurrentCode
	}
	if e.In(s.t) {
		s.keep(ranked{m, r})
		return
	}
	r.old = 1
	m.Old, m.Why = e.Unit, OldName
	if byCode {
		m.Why = OldCode
	}
	heirs := s.d.inForce(e, s.t)
	m.Divided = len(heirs) > 1
	for _, h := range heirs {
		m.Unit = h.Unit
		s.keep(ranked{m, r})
	}
}

func (s *search) keep(m ranked) {
	if have, ok := s.best[m.Unit.Code]; !ok || m.compare(have.rank) < 0 {
		s.best[m.Unit.Code] = m
	}
}

// rate tells how well an entry fits the query, in the reading that fits best.
func (s *search) rate(e *entry) (best rank, byCode, ok bool) {
	if e.Code == s.code {
		return rank{}, true, true
	}
	for _, want := range s.readings {
		r, fits := want.rate(e)
		if fits && (!ok || r.compare(best) < 0) {
			best, ok = r, true
		}
	}
	return best, false, ok
}

func (want reading) rate(e *entry) (r rank, ok bool) {
	if want.kind != "" && want.kind != e.Kind {
		r.otherKind = 1
	}
	switch {
	case e.name.marked == want.name.marked:
	case e.name.plain == want.name.plain || (e.english != "" && e.english == want.name.plain):
		r.unmarked = 1
	case r.otherKind == 0 && startsWord(e.name.marked, want.name.marked):
		r.partial = 1
	case r.otherKind == 0 && startsWord(e.name.plain, want.name.plain):
		r.partial, r.unmarked = 1, 1
	default:
		return r, false
	}
	return r, true
}

// startsWord reports whether part stands in name at the start of a word.
func startsWord(name, part string) bool {
	return strings.HasPrefix(name, part) || strings.Contains(name, " "+part)
}

func (s *search) isBelow(e *entry) bool {
	for _, rs := range s.above {
		found := false
		for up := s.d.parent(e); up != nil && !found; up = s.d.parent(up) {
			found = slices.ContainsFunc(rs, func(want reading) bool {
				r, ok := want.rate(up)
				return ok && r.partial == 0 && r.otherKind == 0
			})
		}
		if !found {
			return false
		}
	}
	return true
}

// inForce follows the successors of an ended entry to those valid at t.
func (d *Directory) inForce(e *entry, t time.Time) []*entry {
	var heirs []*entry
	for _, code := range e.successors {
		next, ok := d.at(code, e.Until)
		switch {
		case !ok:
		case next.In(t):
			heirs = append(heirs, next)
		default:
			heirs = append(heirs, d.inForce(next, t)...)
		}
	}
	slices.SortFunc(heirs, func(a, b *entry) int { return cmp.Compare(a.Code, b.Code) })
	return slices.Compact(heirs)
}
