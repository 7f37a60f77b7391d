package area

import (
	"cmp"
	"slices"
)

// Share is how much of a province a set of communes holds.
type Share struct {
	Province Unit
	Part     int  // its communes that are in the set
	Whole    int  // its communes
	Special  bool // a special zone is among those in the set
}

// fewCommunes is how many communes of a province are always named one by one.
const fewCommunes = 3

// Gather tells the provinces that a set of communes is best named by from the
// communes that are named one by one: a province of which all are meant comes
// first, then one of which more than half are, if those are more than three.
// Each list is sorted by code. A code that is no commune in force stays alone.
func (d *Directory) Gather(communes []Code) ([]Share, []Code) {
	set := slices.Compact(slices.Sorted(slices.Values(communes)))
	byProvince := map[Code]*Share{}
	for _, c := range set {
		e, ok := d.current[c]
		if !ok || !c.IsCommune() {
			continue
		}
		s := byProvince[e.Parent]
		if s == nil {
			s = &Share{Province: d.current[e.Parent].Unit, Whole: len(d.children[e.Parent])}
			byProvince[e.Parent] = s
		}
		s.Part++
		s.Special = s.Special || e.Kind == Special
	}
	var shares []Share
	for _, s := range byProvince {
		if s.Part == s.Whole || s.Part > fewCommunes && 2*s.Part > s.Whole {
			shares = append(shares, *s)
		}
	}
	slices.SortFunc(shares, func(a, b Share) int {
		return cmp.Or(cmp.Compare(min(1, a.Whole-a.Part), min(1, b.Whole-b.Part)), cmp.Compare(a.Province.Code, b.Province.Code))
	})
	rest := slices.DeleteFunc(set, func(c Code) bool {
		e, ok := d.current[c]
		return ok && slices.ContainsFunc(shares, func(s Share) bool { return s.Province.Code == e.Parent })
	})
	return shares, rest
}
