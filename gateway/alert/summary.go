package alert

import (
	"cmp"
	"slices"
	"strings"
)

// Gravest picks the gravest text in the language, else in Vietnamese, else any.
// It is empty if there is no text.
func (r *Revision) Gravest(lang string) *Info {
	for _, want := range []string{lang, "vi", ""} {
		var best *Info
		for i := range r.Infos {
			in := &r.Infos[i]
			if (want == "" || in.Lang() == want) && (best == nil || in.Severity.Rank() > best.Severity.Rank()) {
				best = in
			}
		}
		if best != nil {
			return best
		}
	}
	return &Info{}
}

// Title is the headline, or the event where there is none.
func (in *Info) Title() string { return cmp.Or(in.Headline, in.Event) }

// RiskLevel is the highest disaster risk level of the texts, 1 to 5; 0 if none
// was given.
func (r *Revision) RiskLevel() int {
	top := 0
	for i := range r.Infos {
		top = max(top, r.Infos[i].RiskLevel())
	}
	return min(top, 5)
}

// AreaDesc lists the areas as the texts of one language name them.
func (r *Revision) AreaDesc(lang string) string {
	var all []string
	for i := range r.Infos {
		if r.Infos[i].Lang() != lang {
			continue
		}
		for _, a := range r.Infos[i].Areas {
			if a.Desc != "" && !slices.Contains(all, a.Desc) {
				all = append(all, a.Desc)
			}
		}
	}
	return strings.Join(all, "; ")
}
