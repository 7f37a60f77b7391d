package historytest

import (
	"slices"

	"loa/gateway/alert"
)

// twoPeople is I7: an Actual alert that is Extreme or Severe has two signatures
// over what was submitted, of different people, accounts and devices, each
// fresh, before its first call. Break-glass is listed apart.
func (f *facts) twoPeople(p *Params, v *Verdict) {
	first := f.effects()
	for i, r := range f.revisions {
		begun, sent := first[int32(i)]
		if !sent && len(r.approvals) == 0 {
			continue
		}
		if r.submit == nil || r.submit.Status == "" || r.submit.Severity == "" {
			v.doubt("%s: its status and severity were not recorded", r.name)
			continue
		}
		if r.submit.Status != alert.Actual || !r.submit.Severity.Grave() {
			v.count("need one person", 1)
			continue
		}
		v.Examined++
		var good []Event
		broken := false
		for _, a := range r.approvals {
			if a.Hash != r.submit.Hash || sent && a.T > begun {
				v.count("signatures over another text, or too late", 1)
				continue
			}
			broken = broken || a.BreakGlass
			good = append(good, a)
		}
		switch pair(good, p, true); {
		case pair(good, p, true):
			v.count("two people", 1)
		case broken:
			v.count("break-glass", 1)
			v.Evidence = append(v.Evidence, r.name.String()+": sent under break-glass")
		case pair(good, p, false):
			v.doubt("%s: two people signed, and their devices or the age of their proofs were not recorded", r.name)
		case !sent:
			v.count("not yet sent", 1)
		case f.seen[KindApproval] == 0:
			v.doubt("%s: no signature was recorded", r.name)
		default:
			v.offence("%s: %d signatures, and no two of different people, accounts and devices within %v", r.name, len(good), p.StepUp)
		}
	}
}

// pair reports whether two signatures are of two people. Strictly, facts that
// are absent speak against; else they are let pass.
func pair(as []Event, p *Params, strict bool) bool {
	waived := func(f Fact) bool { return !strict || slices.Contains(p.Unrecorded, f) }
	differ := func(a, b string, may bool) bool { return a != b && a != "" && b != "" || may && (a == "" || b == "") }
	fresh := func(a Event) bool {
		return a.StepUp > 0 && a.StepUp <= int64(p.StepUp) || a.StepUp == 0 && waived(FactStepUp)
	}
	for i, a := range as {
		for _, b := range as[:i] {
			if differ(a.Person, b.Person, false) && differ(a.Account, b.Account, false) &&
				differ(a.Device, b.Device, waived(FactDevice)) && fresh(a) && fresh(b) {
				return true
			}
		}
	}
	return false
}

// inside is I8: every recipient lives in a commune of the alert's area and of
// every signer's.
func (f *facts) inside(_ *Params, v *Verdict) {
	for _, r := range f.revisions {
		if len(r.approvals) == 0 {
			continue
		}
		for _, g := range r.groups {
			v.Examined += g.n
			f.groupInside(v, r, g)
		}
	}
	for id, b := range f.batches {
		if r := f.revisions[b.rev]; len(r.approvals) > 0 {
			v.count("batches", 1)
			f.groupInside(v, r, group{f.channels[b.channel], b.commune, len(b.ids)})
			if b.commune == "" {
				v.doubt("batch %d: its commune was not recorded", id)
			}
		}
	}
}

func (f *facts) groupInside(v *Verdict, r *revision, g group) {
	if g.commune == "" || r.submit == nil || len(r.submit.Areas) == 0 {
		v.doubt("%s: area or communes were not recorded", r.name)
		return
	}
	if !holds(r.submit.Areas, g.commune) {
		v.offence("%s: %d recipients on %s live in %s, outside the alert's area", r.name, g.n, g.channel, g.commune)
	}
	for _, a := range r.approvals {
		switch {
		case len(a.Areas) == 0:
			v.doubt("%s: the territory of signer %s was not recorded", r.name, a.Person)
		case !holds(a.Areas, g.commune):
			v.offence("%s: %d recipients on %s live in %s, outside the territory of signer %s", r.name, g.n, g.channel, g.commune, a.Person)
		}
	}
}

func holds(areas []string, commune string) bool {
	return slices.Contains(areas, commune) || slices.Contains(areas, Everywhere)
}
