package historytest

import (
	"slices"
	"time"

	"loa/channels"
)

// rate is I9: in no window of one second, wherever it begins, do more calls to
// a provider start than 1.05 times its limit.
func (f *facts) rate(p *Params, v *Verdict) {
	starts := map[uint16][]int64{}
	f.starts(func(s *send) { starts[s.provider] = append(starts[s.provider], s.at) })
	for provider, at := range starts {
		name := f.providers[provider]
		limit, ok := p.RatePerSecond[name]
		if !ok {
			v.count("calls to providers without a limit", len(at))
			continue
		}
		slices.Sort(at)
		v.Examined += len(at)
		most, worst := 0, int64(0)
		for i, j := 0, 0; i < len(at); i++ {
			for j < len(at) && at[j]-at[i] < int64(time.Second) {
				j++
			}
			if j-i > most {
				most, worst = j-i, at[i]
			}
		}
		v.count("most in a second to "+name, most)
		if most*100 > limit*105 {
			v.offence("%s: %d calls started in the second from %d, the limit is %d", name, most, worst, limit)
		}
	}
	if v.Examined == 0 && len(p.RatePerSecond) == 0 {
		v.doubt("no limit is given")
	}
}

// span is a time in which Extreme work waited on a channel.
type span struct {
	channel  channels.Kind
	from, to int64
}

// priority is I10: while Extreme work waits, no bulletin starts later than
// YieldWithin after it appeared.
func (f *facts) priority(p *Params, v *Verdict) {
	spans := f.extreme()
	v.count("times that Extreme waited", len(spans))
	f.starts(func(s *send) {
		if f.rank(s) != 3 {
			if f.rank(s) == noPriority {
				v.doubt("%s: its priority was not recorded", f.where(s))
			}
			return
		}
		v.count("bulletin calls", 1)
		if len(spans) > 0 {
			v.Examined++
		}
		for _, x := range spans {
			if x.channel != "" && x.channel != f.channels[s.channel] {
				continue
			}
			if late := s.at - x.from; late > int64(p.YieldWithin) && s.at < x.to {
				v.offence("%s: batch %d, index %d: a bulletin's call started %v after Extreme work appeared", f.where(s), s.batch, s.index, time.Duration(late))
			}
		}
	})
	if f.seen[KindBacklog] == 0 {
		v.doubt("when Extreme work waited was not recorded")
	}
}

// extreme pairs the appearances and ends of Extreme work.
func (f *facts) extreme() []span {
	var spans []span
	for _, e := range f.backlogs {
		if priority(e.Priority) != 0 {
			continue
		}
		at := slices.IndexFunc(spans, func(x span) bool { return x.channel == e.Channel && x.to > f.last })
		switch {
		case e.Open && at < 0:
			spans = append(spans, span{e.Channel, e.T, f.last + 1})
		case !e.Open && at >= 0:
			spans[at].to = e.T
		}
	}
	return spans
}

// fencing is I11: no call starts, and none is marked, under a fence that a
// later claim has made stale. That a stale result is merged is allowed: it is
// evidence.
func (f *facts) fencing(_ *Params, v *Verdict) {
	for i := range f.sends {
		f.fence(v, &f.sends[i], "started")
	}
	for i := range f.marks {
		f.fence(v, &f.marks[i], "marked")
	}
	for i := range f.outcomes {
		if o := &f.outcomes[i]; o.fence != 0 && o.fence < f.current(o.batch, o.at) {
			v.count("stale results merged as evidence", 1)
		}
	}
}

func (f *facts) fence(v *Verdict, s *send, what string) {
	current := f.current(s.batch, s.at)
	switch {
	case s.fence == 0:
		v.doubt("%s: batch %d: the fence of a call was not recorded", f.where(s), s.batch)
	case len(f.claims[s.batch]) == 0:
		v.doubt("%s: batch %d: no claim was recorded", f.where(s), s.batch)
	case s.fence < current:
		v.offence("%s: batch %d, index %d: %s under fence %d, when %d was given out", f.where(s), s.batch, s.index, what, s.fence, current)
	case s.fence > current:
		v.offence("%s: batch %d, index %d: %s under fence %d, which nobody was given", f.where(s), s.batch, s.index, what, s.fence)
	default:
		v.Examined++
		v.count(what, 1)
	}
}

// current is the fence in force at a time.
func (f *facts) current(batch, at int64) int64 {
	fence := int64(0)
	for _, c := range f.claims[batch] {
		if c.at > at {
			break
		}
		fence = max(fence, c.fence)
	}
	return fence
}
