package historytest

import (
	"time"

	"loa/gateway/alert"
)

// stopped is I4: no call starts later than StopWithin after the stop's commit,
// and no more are open at the commit than the workers may have.
func (f *facts) stopped(p *Params, v *Verdict) {
	stops, open := 0, map[[2]int32]int{}
	for _, r := range f.revisions {
		if r.cancelled != 0 {
			stops++
		}
	}
	f.starts(func(s *send) {
		if s.rev < 0 || f.revisions[s.rev].cancelled == 0 {
			return
		}
		at := f.revisions[s.rev].cancelled
		v.count("calls of stopped alerts", 1)
		switch after := s.at - at; {
		case after > int64(p.StopWithin):
			v.offence("%s: batch %d, index %d: a call started %v after the stop", f.where(s), s.batch, s.index, time.Duration(after))
		case after > 0:
			v.count("calls within the time allowed", 1)
		case s.end == 0 || s.end > at:
			open[[2]int32{s.rev, int32(s.channel)}]++
		}
	})
	for k, n := range open {
		v.count("calls open at a stop", n)
		if most := p.Workers * p.Concurrency; most == 0 {
			v.doubt("workers and concurrency are not given, and %d calls were open at the stop", n)
		} else if n > most {
			v.offence("%s: %d calls were open at the stop, at most %d may be", f.revisions[k[0]].name, n, most)
		}
	}
	if v.Examined = stops; stops > 0 && f.seen[KindRequest]+f.seen[KindBook] == 0 {
		v.doubt("neither calls nor books were recorded")
	}
}

// expired is I5: no call starts at or after the alert's end.
func (f *facts) expired(_ *Params, v *Verdict) {
	f.starts(func(s *send) {
		if s.rev < 0 || f.revisions[s.rev].expires == 0 {
			v.doubt("%s: when it expires was not recorded", f.where(s))
			return
		}
		v.Examined++
		if late := s.at - f.revisions[s.rev].expires; late >= 0 {
			v.offence("%s: batch %d, index %d: a call started %v after the expiry", f.where(s), s.batch, s.index, time.Duration(late))
		}
	})
}

// testNotLive is I6: what is not Actual goes through a live provider to the
// roster alone.
func (f *facts) testNotLive(_ *Params, v *Verdict) {
	if len(f.sends) == 0 && len(f.books) > 0 {
		v.doubt("which providers are live was not recorded: no calls")
	}
	for i := range f.sends {
		s := &f.sends[i]
		status := s.status
		if s.rev >= 0 && f.revisions[s.rev].submit != nil {
			submitted := f.revisions[s.rev].submit.Status
			if status == "" {
				status = submitted
			}
			if submitted != "" && submitted != status && s.live {
				v.offence("%s: submitted as %s and sent as %s through a live provider", f.where(s), submitted, status)
				continue
			}
		}
		v.Examined++
		switch {
		case status == "":
			v.doubt("%s: the status of a call was not recorded", f.where(s))
		case status == alert.Actual:
			v.count("actual", 1)
		case !s.live:
			v.count("not actual, through a provider that is not live", 1)
		case s.roster:
			v.count("not actual, to the roster", 1)
		default:
			v.offence("%s: batch %d, index %d: %s sent through live provider %s", f.where(s), s.batch, s.index, status, f.providers[s.provider])
		}
	}
}
