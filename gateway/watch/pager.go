package watch

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// Gap is the least time between two pages of one cause.
	Gap = 10 * time.Minute
	// Remind is when somebody is told again of what lasts.
	Remind = time.Hour
	// Settle is how long a cause must be gone before its end is told.
	Settle = 30 * time.Second
)

// Page is what people are told: a cause with the parts it is about, or its end.
type Page struct {
	Cause    Cause
	Resolved bool
	At       time.Time
	Parts    []Part // sorted by name; of an end, those that were told of
}

// Pager decides when somebody is told. It is pure: state and time in, pages
// out. The zero Pager has told nobody of anything.
type Pager struct {
	incidents map[Cause]*incident
}

type incident struct {
	paged time.Time       // when it was last told
	told  bool            // and its end was not
	clear time.Time       // since when nothing is wrong; zero: something is
	parts map[string]Part // told of
}

// Step takes how all parts are now and returns whom to tell what. A cause is
// told once it has lasted as long as its kind may take to heal; then, while it
// lasts, when another part is hit too and each Remind, never within Gap; its
// end is told once it has been gone for Settle.
func (p *Pager) Step(now time.Time, parts []Part) []Page {
	if p.incidents == nil {
		p.incidents = make(map[Cause]*incident)
	}
	wrong := make(map[Cause][]Part)
	for _, x := range parts {
		if x.State == Bad && x.Cause != "" {
			wrong[x.Cause] = append(wrong[x.Cause], x)
		}
	}
	var pages []Page
	for _, c := range slices.Sorted(maps.Keys(wrong)) {
		if page, ok := p.fire(now, c, wrong[c]); ok {
			pages = append(pages, page)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(p.incidents)) {
		if len(wrong[c]) > 0 {
			continue
		}
		if page, ok := p.rest(now, c); ok {
			pages = append(pages, page)
		}
	}
	return pages
}

func (p *Pager) fire(now time.Time, c Cause, wrong []Part) (Page, bool) {
	in := p.incidents[c]
	if in != nil {
		in.clear = time.Time{}
	}
	lasting := slices.DeleteFunc(slices.Clone(wrong), func(x Part) bool { return now.Sub(x.Since) < catalogue[c].after })
	if len(lasting) == 0 {
		return Page{}, false
	}
	if in == nil {
		in = &incident{}
		p.incidents[c] = in
	}
	more := slices.ContainsFunc(lasting, func(x Part) bool { _, known := in.parts[x.Part]; return !known })
	since := now.Sub(in.paged)
	first := in.paged.IsZero()
	if !first && (since < Gap || in.told && !more && since < Remind) {
		return Page{}, false
	}
	in.paged, in.told, in.parts = now, true, make(map[string]Part)
	for _, x := range lasting {
		in.parts[x.Part] = x
	}
	return Page{Cause: c, At: now, Parts: sorted(lasting)}, true
}

// rest is a cause of which nothing is wrong any more.
func (p *Pager) rest(now time.Time, c Cause) (Page, bool) {
	in := p.incidents[c]
	switch {
	case !in.told:
		if now.Sub(in.paged) >= Gap {
			delete(p.incidents, c)
		}
	case in.clear.IsZero():
		in.clear = now
	case now.Sub(in.clear) >= Settle:
		page := Page{Cause: c, Resolved: true, At: now, Parts: sorted(slices.Collect(maps.Values(in.parts)))}
		in.told, in.parts = false, nil
		return page, true
	}
	return Page{}, false
}

func sorted(parts []Part) []Part {
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Compare(a.Part, b.Part) })
	return parts
}
