package historytest

import (
	"slices"
	"time"

	"loa/channels"
)

// noLoss is I1: approved, uncancelled and unexpired, every eligible recipient
// has come to a final state with a reason, and what the ledger calls accepted
// the provider has.
func (f *facts) noLoss(p *Params, v *Verdict) {
	f.acknowledged(v)
	for i := range f.slots {
		s := &f.slots[i]
		if !s.eligible {
			continue
		}
		r := f.revisions[s.rev]
		since, ok := r.live()
		if !ok {
			continue // never approved: nothing was promised
		}
		v.Examined++
		kind := f.channels[s.channel]
		switch {
		case !s.told && s.copies == 0:
			f.openEnd(p, v, s, since, "was never attempted")
		case !s.told:
			v.count("attempted by the books", 1)
		case !s.state.Final():
			f.openEnd(p, v, s, since, "is still "+s.state.String())
		case s.state == channels.Failed && !s.reason:
			v.offence("%s: recipient %d on %s failed without a reason", r.name, s.recipient, kind)
		case s.state == channels.Expired && (r.expires == 0 || r.expires > f.last):
			v.offence("%s: recipient %d on %s expired, and the alert did not", r.name, s.recipient, kind)
		case s.state == channels.Cancelled && r.cancelled == 0 && !s.reason:
			v.doubt("%s: recipient %d on %s was cancelled in an alert that was not stopped, and why was not recorded", r.name, s.recipient, kind)
		case isTaken(s.state) && s.copies == 0 && !slices.Contains(p.WithoutBooks, kind):
			if f.booked[kind] == 0 {
				v.doubt("%s: recorded as taken, and the provider's books are missing", kind)
				continue
			}
			v.offence("%s: recipient %d on %s is recorded %s, and the provider does not have it", r.name, s.recipient, kind, s.state)
		default:
			v.count(s.state.String(), 1)
		}
	}
}

func isTaken(o channels.Outcome) bool {
	return o == channels.Accepted || o == channels.Delivered || o == channels.Confirmed
}

// openEnd judges a recipient without a final state: it is lost if the alert was
// live for as long as delivery may take, and excused if it ended before.
func (f *facts) openEnd(p *Params, v *Verdict, s *slot, since int64, what string) {
	r := f.revisions[s.rev]
	kind := f.channels[s.channel]
	until, end := f.last, ""
	if r.expires != 0 && r.expires <= until {
		until, end = r.expires, "ended by the expiry"
	}
	if r.cancelled != 0 && r.cancelled <= until {
		until, end = r.cancelled, "ended by the stop"
	}
	switch lived := until - since; {
	case f.seen[KindOutcome]+f.seen[KindBook] == 0:
		v.doubt("%s: neither outcomes nor books were recorded", r.name)
	case lived >= int64(p.TerminalDeadline):
		v.offence("%s: recipient %d on %s %s, %v after approval", r.name, s.recipient, kind, what, time.Duration(lived))
	case end != "":
		v.count(end, 1)
	default:
		v.doubt("%s: recipient %d on %s %s %v after approval, of %v allowed", r.name, s.recipient, kind, what, time.Duration(lived), p.TerminalDeadline)
	}
}

// acknowledged holds what clients were told against what was done.
func (f *facts) acknowledged(v *Verdict) {
	for _, c := range f.calls {
		if c.Phase != OK {
			continue
		}
		r, ok := f.byName[revisionName{c.Alert, c.Revision}]
		switch {
		case c.Op == "approve" && (!ok || len(f.revisions[r].approvals) == 0):
			v.offence("%s revision %d: its approval was acknowledged and is nowhere", c.Alert, c.Revision)
		case c.Op == "stop" && (!ok || f.revisions[r].cancelled == 0):
			v.offence("%s revision %d: its stop was acknowledged and is nowhere", c.Alert, c.Revision)
		default:
			v.count("acknowledged calls", 1)
		}
	}
}

// noPhantom is I2: whatever a provider took belongs to a recipient of a
// revision that was approved before.
func (f *facts) noPhantom(p *Params, v *Verdict) {
	for i := range f.books {
		b := &f.books[i]
		if !b.taken {
			v.count("refused or dropped", 1)
			continue
		}
		v.Examined++
		if b.slot < 0 && b.ref.batch != 0 && f.seen[KindBatch] == 0 {
			v.doubt("whose batches the provider's entries belong to was not recorded")
			continue
		}
		if b.slot < 0 {
			v.offence("a message to recipient %d (batch %d, index %d) belongs to no delivery", b.recipient, b.ref.batch, b.ref.index)
			continue
		}
		r, kind := f.revisions[b.rev], f.channels[b.channel]
		since, approved := r.live()
		switch {
		case !approved && (r.submit == nil || len(r.approvals) == 0) && f.seen[KindApproval]*f.seen[KindSubmit] == 0:
			v.doubt("%s: submissions or approvals were not recorded", r.name)
		case !approved:
			v.offence("%s: taken on %s for recipient %d, and never approved", r.name, kind, b.recipient)
		case b.at < since-int64(p.ClockError):
			v.offence("%s: taken on %s for recipient %d %v before it was approved", r.name, kind, b.recipient, time.Duration(since-b.at))
		case f.slots[b.slot].eligible:
			v.count("taken for an eligible recipient", 1)
		case r.snapshots[kind]:
			v.offence("%s: taken on %s for recipient %d, who was not eligible", r.name, kind, b.recipient)
		default:
			v.doubt("%s: who was eligible on %s was not recorded", r.name, kind)
		}
	}
}

// noDuplicate is I3: a second copy only after an attempt in doubt or after one
// that was reported as not arrived, never more than MaxCopies, and of a bulletin
// only after the latter.
func (f *facts) noDuplicate(p *Params, v *Verdict) {
	for i := range f.slots {
		s := &f.slots[i]
		if s.copies == 0 {
			continue
		}
		v.Examined++
		r, kind, copies := f.revisions[s.rev], f.channels[s.channel], int(s.copies)
		switch {
		case copies == 1:
			v.count("one copy", 1)
		case r.submit == nil:
			v.doubt("%s: %d copies, and whether it is a bulletin was not recorded", r.name, copies)
		case copies == 1+int(s.instead) && copies <= p.MaxCopies:
			v.count("sent again after a report that it did not arrive", 1)
		case r.bulletin():
			v.offence("%s: recipient %d got %d copies of a bulletin on %s", r.name, s.recipient, copies, kind)
		case copies > p.MaxCopies:
			v.offence("%s: recipient %d got %d copies on %s", r.name, s.recipient, copies, kind)
		case copies <= 1+int(s.instead)+int(s.doubtful):
			v.count("second copies allowed by a doubt", 1)
		case !f.judged:
			v.doubt("%s: recipient %d got %d copies on %s, and what the calls were answered was not recorded", r.name, s.recipient, copies, kind)
		default:
			v.offence("%s: recipient %d got %d copies on %s after %d attempts in doubt", r.name, s.recipient, copies, kind, s.doubtful)
		}
	}
}
