package area

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Directory knows every unit, in force or ended. It never changes after Load
// and is safe for concurrent use.
type Directory struct {
	entries  []*entry            // sorted by code, then by validity
	versions map[Code][]*entry   // one code over time
	current  map[Code]*entry     // rows without an end
	children map[Code][]*entry   // communes in force, by province
	former   map[*entry][]*entry // ended units directly below an ended unit
}

// Load reads the facts areas.csv and areas-old.csv from the root of fsys. An
// error names file, line, field and rule; half a directory is never returned.
func Load(fsys fs.FS) (*Directory, error) {
	d := &Directory{
		versions: map[Code][]*entry{}, current: map[Code]*entry{},
		children: map[Code][]*entry{}, former: map[*entry][]*entry{},
	}
	for _, name := range []string{factsFile, oldFactsFile} {
		entries, err := readFacts(fsys, name)
		if err != nil {
			return nil, err
		}
		d.entries = append(d.entries, entries...)
	}
	slices.SortStableFunc(d.entries, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), a.From.Compare(b.From))
	})
	if err := d.index(); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Directory) index() error {
	for _, e := range d.entries {
		earlier := d.versions[e.Code]
		if n := len(earlier); n > 0 && (earlier[n-1].Until.IsZero() || earlier[n-1].Until.After(e.From)) {
			return fmt.Errorf("area facts: code %s: two rows are valid at the same time", e.Code)
		}
		d.versions[e.Code] = append(earlier, e)
		if !e.Until.IsZero() {
			continue
		}
		d.current[e.Code] = e
		if e.Code.IsCommune() {
			d.children[e.Parent] = append(d.children[e.Parent], e)
		}
	}
	for _, e := range d.entries {
		if e.Until.IsZero() {
			continue
		}
		if p := d.parent(e); p != nil && !p.Until.IsZero() {
			d.former[p] = append(d.former[p], e)
		}
	}
	return nil
}

func (d *Directory) check() error {
	if len(d.current) == 0 {
		return fmt.Errorf("area facts: %s: no unit is in force", factsFile)
	}
	for _, e := range d.entries {
		if e.Code.IsProvince() != (e.Parent == "") {
			return fmt.Errorf("area facts: code %s: parent: a province has none, every other unit has one", e.Code)
		}
		if e.Parent != "" && d.parent(e) == nil {
			return fmt.Errorf("area facts: code %s: parent: no unit %s was valid with it", e.Code, e.Parent)
		}
		for _, s := range e.successors {
			if _, ok := d.at(s, e.Until); !ok {
				return fmt.Errorf("area facts: code %s: successors: no unit %s is valid when it ends", e.Code, s)
			}
		}
	}
	return nil
}

// parent finds the version of the parent that was valid when e began or, for
// a unit without a beginning, just before it ended.
func (d *Directory) parent(e *entry) *entry {
	t := e.From
	if t.IsZero() && !e.Until.IsZero() {
		t = e.Until.Add(-time.Second)
	}
	p, ok := d.at(e.Parent, t)
	if !ok {
		return nil
	}
	return p
}

func (d *Directory) at(code Code, t time.Time) (*entry, bool) {
	for _, e := range d.versions[code] {
		if e.In(t) {
			return e, true
		}
	}
	return nil, false
}

// Unit is the unit that bears the code today; false for a code that is unknown
// or has ended.
func (d *Directory) Unit(code Code) (Unit, bool) {
	e, ok := d.current[code]
	if !ok {
		return Unit{}, false
	}
	return e.Unit, true
}

// Provinces lists the provinces in force, sorted by code.
func (d *Directory) Provinces() []Unit {
	var units []Unit
	for _, e := range d.entries {
		if e.Until.IsZero() && e.Code.IsProvince() {
			units = append(units, e.Unit)
		}
	}
	return units
}

// Communes lists the communes in force of a province, sorted by code; for the
// code of a commune, that commune; none for any other code.
func (d *Directory) Communes(under Code) []Unit {
	if e, ok := d.current[under]; ok && under.IsCommune() {
		return []Unit{e.Unit}
	}
	units := make([]Unit, 0, len(d.children[under]))
	for _, e := range d.children[under] {
		units = append(units, e.Unit)
	}
	return units
}

// Heirs lists, sorted, the communes in force that hold land of a unit that has
// ended: the successors of the unit or of the communes that lay in it. They may
// hold other land besides. For a unit in force it is what Communes lists.
func (d *Directory) Heirs(u Unit) []Code {
	var codes []Code
	if u.Until.IsZero() {
		for _, c := range d.Communes(u.Code) {
			codes = append(codes, c.Code)
		}
		return codes
	}
	for _, e := range d.versions[u.Code] {
		if e.Until.Equal(u.Until) {
			d.heirs(e, &codes)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func (d *Directory) heirs(e *entry, codes *[]Code) {
	switch {
	case e.Until.IsZero():
		for _, c := range d.Communes(e.Code) {
			*codes = append(*codes, c.Code)
		}
	case len(d.former[e]) > 0:
		for _, below := range d.former[e] {
			d.heirs(below, codes)
		}
	default:
		for _, s := range e.successors {
			if next, ok := d.at(s, e.Until); ok {
				d.heirs(next, codes)
			}
		}
	}
}
