package historytest

import "slices"

// appStream is I13: each install's positions follow on each other within an
// epoch or the break is flagged as a resync, and nothing is shown twice.
func (f *facts) appStream(_ *Params, v *Verdict) {
	type place struct {
		epoch  string
		offset int64
		began  bool
	}
	type shown struct {
		install string
		revisionName
	}
	at := map[string]place{}
	before := map[shown]bool{}
	positions := 0
	for _, e := range f.streams {
		v.Examined++
		was := at[e.ID]
		name := revisionName{e.Alert, e.Revision}
		if e.Resync {
			v.count("resyncs", 1)
			at[e.ID] = place{e.Epoch, e.Offset, true}
			if e.Alert != "" {
				before[shown{e.ID, name}] = true // a reload may repeat
			}
			continue
		}
		if e.Offset > 0 {
			positions++
			switch {
			case !was.began: // the first that is seen of it
			case e.Epoch != was.epoch:
				v.offence("install %s: the epoch changed before %s without a resync", e.ID, name)
			case e.Offset <= was.offset:
				v.offence("install %s: position %d after %d, at %s: a repeat", e.ID, e.Offset, was.offset, name)
			case e.Offset > was.offset+1:
				v.offence("install %s: position %d after %d, at %s: a gap without a resync", e.ID, e.Offset, was.offset, name)
			}
			at[e.ID] = place{e.Epoch, e.Offset, true}
		}
		if e.Alert == "" {
			continue
		}
		if k := (shown{e.ID, name}); before[k] {
			v.offence("install %s: %s was shown again", e.ID, name)
		} else {
			before[k] = true
			v.count("shown", 1)
		}
	}
	v.count("positions", positions)
	if len(f.streams) > 0 && positions == 0 && !slices.ContainsFunc(f.streams, func(e Event) bool { return e.Resync }) {
		v.doubt("positions were not recorded: gaps cannot be seen")
	}
}
