package historytest

import (
	"math"
	"slices"
	"time"

	"loa/channels"
)

// correction is I12: the cuts of a correction together name exactly those who
// may have been reached, by the alert or by what it corrected itself, and no
// correction overtakes its alert.
func (f *facts) correction(_ *Params, v *Verdict) {
	begun, before := f.firstCalls(), f.corrected()
	for i := range f.slots {
		s := &f.slots[i]
		r, kind := f.revisions[s.rev], f.channels[s.channel]
		if r.cancelled == 0 || (r.updated || r.forGood) && len(r.corrections) == 0 {
			continue
		}
		v.Examined++
		must := s.copies > 0 || s.told && s.state.Reached()
		may := must || s.doubtful > 0 || f.toldBefore(before, s.slotKey) || kind == channels.App && s.eligible // every app hears a correction
		switch {
		case must && !s.corrected && len(r.corrections) == 0 && f.seen[KindCorrection] == 0:
			v.doubt("%s: people were reached and no correction was recorded", r.name)
		case must && !s.corrected && !f.correctedLater(s.slotKey):
			v.offence("%s: recipient %d on %s may have been reached and gets no correction", r.name, s.recipient, kind)
		case !may && s.corrected && !f.judged && s.state == channels.Failed:
			v.doubt("%s: recipient %d on %s failed in the end, and whether a call was in doubt before was not recorded", r.name, s.recipient, kind)
		case !may && s.corrected && f.openAtCut(s, r):
			v.count("corrected while a call was not settled", 1)
		case !may && s.corrected:
			v.offence("%s: recipient %d on %s gets a correction and was not reached", r.name, s.recipient, kind)
		case s.corrected:
			v.count("corrected", 1)
		default:
			v.count("untouched", 1)
		}
		f.order(v, r, s, begun)
	}
	if v.Examined > 0 && f.seen[KindBook]+f.seen[KindOutcome] == 0 {
		v.doubt("who was reached was not recorded")
	}
}

// openAtCut reports whether the ledger had the recipient marked, and no outcome of
// that call, when a correction for it was cut: its node had died or stood still,
// and nobody could know that the call was not taken.
func (f *facts) openAtCut(s *slot, r *revision) bool {
	for i := range f.marks {
		m := &f.marks[i]
		mine := false
		if b := f.batches[m.batch]; b == nil || b.rev != s.rev || b.channel != s.channel {
			continue
		}
		f.each(m.callKey, func(x *slot) { mine = mine || x == s })
		if !mine {
			continue
		}
		until := int64(math.MaxInt64)
		for _, o := range f.outcomes { // in order of time
			if o.callKey == m.callKey || o.callKey == (callKey{m.batch, whole, m.attempt}) {
				until = o.at
				break
			}
		}
		for _, c := range r.corrections {
			if m.at <= c.T && c.T <= until && c.Channel == f.channels[s.channel] && slices.Contains(c.IDs, s.recipient) {
				return true
			}
		}
	}
	return false
}

// corrected are the revisions that each revision corrects.
func (f *facts) corrected() map[int32][]int32 {
	before := map[int32][]int32{}
	for i, r := range f.revisions {
		for _, c := range r.corrections {
			by, ok := f.byName[revisionName{c.By, c.ByRevision}]
			if at := int32(i); ok && !slices.Contains(before[by], at) {
				before[by] = append(before[by], at)
			}
		}
	}
	return before
}

// toldBefore reports whether the recipient may have been reached by what the
// revision corrects, or by what that corrected, and so must hear its correction
// though the revision itself did not come so far.
func (f *facts) toldBefore(before map[int32][]int32, k slotKey) bool {
	for _, rev := range before[k.rev] {
		k.rev = rev
		if i, ok := f.bySlot[k]; ok {
			if s := &f.slots[i]; s.copies > 0 || s.doubtful > 0 || s.told && s.state.Reached() {
				return true
			}
		}
		if f.toldBefore(before, k) {
			return true
		}
	}
	return false
}

// correctedLater reports whether the recipient hears the correction of what
// corrected the revision: that one was corrected itself before it came so far.
func (f *facts) correctedLater(k slotKey) bool {
	for _, c := range f.revisions[k.rev].corrections {
		by, ok := f.byName[revisionName{c.By, c.ByRevision}]
		if !ok {
			continue
		}
		next := slotKey{by, k.channel, k.recipient}
		if i, ok := f.bySlot[next]; ok && f.slots[i].corrected || f.correctedLater(next) {
			return true
		}
	}
	return false
}

// firstCalls is when the first call to each recipient of a correction began.
func (f *facts) firstCalls() map[slotKey]int64 {
	carriers := map[int32]bool{}
	for _, r := range f.revisions {
		for _, c := range r.corrections {
			if i, ok := f.byName[revisionName{c.By, c.ByRevision}]; ok {
				carriers[i] = true
			}
		}
	}
	first := map[slotKey]int64{}
	for i := range f.sends {
		s := &f.sends[i]
		if s.rev < 0 || !carriers[s.rev] {
			continue
		}
		f.each(s.callKey, func(x *slot) {
			if _, ok := first[x.slotKey]; !ok {
				first[x.slotKey] = s.at
			}
		})
	}
	return first
}

// takeReceipt keeps when an attempt was first known to have been taken.
func (f *facts) takeReceipt(e *Event) error {
	switch e.Outcome {
	case channels.Accepted.String(), channels.Delivered.String(), channels.Confirmed.String():
	default:
		return nil
	}
	indexes, err := e.indexes()
	for _, i := range indexes {
		k := callKey{e.Batch, i, e.Attempt}
		if at, ok := f.known[k]; !ok || e.T < at {
			f.known[k] = e.T
		}
	}
	return err
}

// ended is when a call ended: it was answered, or the provider had told before
// that it had taken it, after which nothing can overtake it.
func (f *facts) ended(s *send) int64 {
	if at, ok := f.known[s.callKey]; ok && at < s.end {
		return at
	}
	return s.end
}

// order checks that a person's correction began after their alert's calls ended.
func (f *facts) order(v *Verdict, r *revision, s *slot, begun map[slotKey]int64) {
	for _, c := range r.corrections {
		by, ok := f.byName[revisionName{c.By, c.ByRevision}]
		if !ok {
			continue
		}
		at, ok := begun[slotKey{by, s.channel, s.recipient}]
		if ok && at < s.answered {
			v.offence("%s: recipient %d: the correction began %v before the alert's call ended", r.name, s.recipient, time.Duration(s.answered-at))
			return
		}
	}
}
