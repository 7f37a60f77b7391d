package historytest

import (
	"loa/channels"
)

// resolve ties calls, books and outcomes to recipients, now that every batch
// is known, and puts all lists in order of time.
func (f *facts) resolve() {
	byTime(f.sends, func(s *send) int64 { return s.at })
	byTime(f.marks, func(s *send) int64 { return s.at })
	byTime(f.books, func(b *book) int64 { return b.at })
	byTime(f.outcomes, func(o *outcome) int64 { return o.at })
	byTime(f.backlogs, func(e *Event) int64 { return e.T })
	byTime(f.streams, func(e *Event) int64 { return e.T })
	for _, cs := range f.claims {
		byTime(cs, func(c *claim) int64 { return c.at })
	}
	f.open = nil
	f.judged = f.seen[KindRequest] > 0 && f.seen[KindAnswer] > 0
	attempts := f.resolveSends()
	for i := range f.books {
		f.resolveBook(&f.books[i])
	}
	for i := range f.outcomes {
		o := &f.outcomes[i]
		if a := attempts[o.callKey]; o.state == channels.Ambiguous && !a.doubted && (!f.judged || a.fence < f.current(o.batch, o.at)) {
			a.doubted = true
			attempts[o.callKey] = a
			f.each(o.callKey, func(s *slot) { s.doubtful++ })
		}
		f.each(o.callKey, func(s *slot) { s.told, s.state, s.reason = true, o.state, o.reason })
	}
	for i, r := range f.revisions {
		for _, c := range r.corrections {
			for _, id := range c.IDs {
				f.person(int32(i), f.channel(c.Channel), id).corrected = true
			}
		}
	}
}

// attempt is what is known of one.
type attempt struct {
	fence   int64 // of its latest call or mark
	doubted bool
}

// resolveSends counts each recipient's doubts. An attempt is in doubt if its
// call was answered so, or never; or if it was marked and the history shows no
// call, as a process may have died with it open; or, which resolve adds, if the
// ledger called it ambiguous after another had taken the batch over, as the
// answer died with its process. Where calls and answers were not recorded, the
// ledger's word and the provider's books say what was.
func (f *facts) resolveSends() map[callKey]attempt {
	attempts := make(map[callKey]attempt, len(f.marks))
	for i := range f.sends {
		s := &f.sends[i]
		f.place(s)
		doubt := f.judged && s.doubtful()
		attempts[s.callKey] = attempt{s.fence, doubt || attempts[s.callKey].doubted}
		f.each(s.callKey, func(x *slot) {
			if doubt {
				x.doubtful++
			}
			x.answered = max(x.answered, f.ended(s))
		})
	}
	for i := range f.marks {
		m := &f.marks[i]
		f.place(m)
		_, called := attempts[m.callKey]
		if _, broadcast := attempts[callKey{m.batch, whole, m.attempt}]; called || broadcast {
			continue
		}
		attempts[m.callKey] = attempt{m.fence, f.judged}
		if f.judged {
			f.each(m.callKey, func(x *slot) { x.doubtful++ })
		}
	}
	return attempts
}

// place gives a call the revision and channel of its batch.
func (f *facts) place(s *send) {
	if b := f.batches[s.batch]; b != nil {
		s.rev, s.channel = b.rev, b.channel
	}
}

func (s *send) doubtful() bool { return s.end == 0 || s.answer == channels.Ambiguous.String() }

// each visits the recipients that an attempt was for.
func (f *facts) each(k callKey, visit func(*slot)) {
	b := f.batches[k.batch]
	if b == nil {
		return
	}
	if k.index == whole {
		for _, id := range b.ids {
			visit(f.person(b.rev, b.channel, id))
		}
		return
	}
	if k.index >= 0 && int(k.index) < len(b.ids) {
		visit(f.person(b.rev, b.channel, b.ids[k.index]))
	}
}

// resolveBook finds whom an entry of a provider's books is about. A recipient
// that the books name and the batch contradicts makes it nobody's.
func (f *facts) resolveBook(b *book) {
	if x := f.batches[b.ref.batch]; x != nil {
		if int(b.ref.index) >= len(x.ids) || b.recipient != 0 && b.recipient != x.ids[b.ref.index] {
			return
		}
		b.rev, b.channel, b.recipient = x.rev, x.channel, x.ids[b.ref.index]
	}
	if b.rev < 0 || b.recipient == 0 {
		return
	}
	b.slot = f.slot(b.rev, b.channel, b.recipient)
	if b.taken {
		f.slots[b.slot].took(b, f.judged)
	}
}

// took counts a copy, each in order of time: one may follow each that was
// reported as not arrived.
func (s *slot) took(b *book, judged bool) {
	s.copies++
	if s.instead < s.fell {
		s.instead++
	}
	if b.fell {
		s.fell++
	}
	if b.untold && !judged {
		s.doubtful++
	}
}

// live reports from when a revision may be sent: its first signature over
// what was submitted. Whether the signatures suffice is another invariant's.
func (r *revision) live() (int64, bool) {
	first, ok := int64(0), false
	for _, a := range r.approvals {
		if r.submit != nil && a.Hash == r.submit.Hash && (!ok || a.T < first) {
			first, ok = a.T, true
		}
	}
	return first, ok
}

// bulletin reports whether a revision is a routine one.
func (r *revision) bulletin() bool { return r.submit != nil && priority(r.submit.Priority) == 3 }

// starts visits everything that shows a call beginning, each channel's in order
// of time: the requests; for channels without any, the provider's books, which a call can
// only have reached after it began.
func (f *facts) starts(visit func(s *send)) {
	requested := f.requested()
	for i := range f.sends {
		visit(&f.sends[i])
	}
	for i := range f.books {
		b := &f.books[i]
		if b.rev >= 0 && !requested[b.channel] {
			visit(&send{callKey: b.ref, at: b.at, end: b.at, rev: b.rev, channel: b.channel, provider: b.provider, priority: noPriority})
		}
	}
}

// requested are the channels whose calls were recorded.
func (f *facts) requested() map[uint8]bool {
	seen := map[uint8]bool{}
	for i := range f.sends {
		seen[f.sends[i].channel] = true
	}
	return seen
}

// rank is the priority of a call: its own, or its revision's.
func (f *facts) rank(s *send) uint8 {
	if s.priority != noPriority || s.rev < 0 || f.revisions[s.rev].submit == nil {
		return s.priority
	}
	return priority(f.revisions[s.rev].submit.Priority)
}

// effects is when the first call of each revision began.
func (f *facts) effects() map[int32]int64 {
	first := map[int32]int64{}
	f.starts(func(s *send) {
		if at, ok := first[s.rev]; s.rev >= 0 && (!ok || s.at < at) {
			first[s.rev] = s.at
		}
	})
	return first
}

// where names a call for people.
func (f *facts) where(s *send) string {
	name := "an unknown batch"
	if s.rev >= 0 {
		name = f.revisions[s.rev].name.String()
	}
	return name + " " + string(f.channels[s.channel])
}
