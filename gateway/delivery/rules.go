package delivery

import (
	"time"

	"loa/channels"
)

// Settle says what a delta does to a mark: the mark after it, and whether the
// delta applies, that is, whether its exception row is to be written (or
// removed), its doubt counted and its endpoint retired.
//
// From the holder of the current fence a delta replaces a mark that is still
// (Attempt, Sending), and renews the row of a mark that already says the same.
// In every other case it is evidence: see Merge.
func Settle(m Mark, d Delta, holder bool) (Mark, bool) {
	next := NewMark(d.Outcome, d.Attempt)
	if holder && (m == NewMark(channels.Sending, d.Attempt) || m == next) {
		return next, true
	}
	return Merge(m, d.Attempt, d.Outcome)
}

// Start is the mark of a recipient that is sent to now, and false if it must
// not be. Reuse keeps the attempt number: the last send spent none. A pending
// recipient may be started; an ambiguous or failed one too, when the holder
// found its exception due. Its exception row stays until the call is settled.
func Start(m Mark, reuse bool) (Mark, bool) {
	switch m.Outcome() {
	case channels.Pending, channels.Ambiguous, channels.Failed:
	default:
		return m, false
	}
	if reuse && m.Attempt() > 0 {
		return NewMark(channels.Sending, m.Attempt()), true
	}
	return NewMark(channels.Sending, m.Attempt()+1), true
}

// Orphan is what a claim makes of a recipient that an earlier holder left
// sending: ambiguous, with one more doubt than the earlier row has, which is
// zero if there is none. It is due when a provider can be asked; else for one
// more send at ResendAt, if the batch allows it and no earlier call was in
// doubt; and at once, to be set aside, if its last call ended in a crash too.
func Orphan(index int, m Mark, resend bool, earlier Exception, r ClaimRequest) (Mark, Exception) {
	x := Exception{Index: index, Attempt: m.Attempt(), Doubts: earlier.Doubts + 1, Fault: channels.FaultAmbiguous, Code: CodeCrashed, At: r.Now}
	switch {
	case earlier.Code == CodeCrashed && earlier.Doubts > 0:
		x.Code, x.Due = CodePoison, r.Now
	case !r.LookupAt.IsZero():
		x.Due = r.LookupAt
	case resend && earlier.Doubts == 0:
		x.Due = r.ResendAt
	}
	return NewMark(channels.Ambiguous, m.Attempt()), x
}

// Codes that delivery itself writes into an exception.
const (
	CodeCrashed = "loa-crashed" // the holder died while the call was open
	CodeRefused = "loa-refused" // the status guard refused the batch
	CodePanic   = "loa-panic"   // the driver panicked
	CodeTimeout = "loa-timeout" // the call did not return in time
	CodePoison  = "loa-poison"  // set aside: what was done for this recipient crashed or panicked each time
	CodeRoute   = "loa-route"   // no provider that takes this text is up for this number
)

// Waits reports whether an exception will be looked at again.
func (x Exception) Waits() bool { return !x.Due.IsZero() }

// Ready is when a batch without a lease is due: now if a recipient is pending
// and has no exception, else at the earliest Due of its exceptions. It returns
// false if neither is there: the batch is done, unless a recipient is sending.
func (b *Batch) Ready(now time.Time) (time.Time, bool) {
	excepted := make(map[int]bool, len(b.Exceptions))
	var due time.Time
	for _, x := range b.Exceptions {
		excepted[x.Index] = true
		if x.Waits() && (due.IsZero() || x.Due.Before(due)) {
			due = x.Due
		}
	}
	for i, m := range b.Marks {
		if m.Outcome() == channels.Pending && !excepted[i] {
			return now, true
		}
	}
	return due, !due.IsZero()
}

// Done reports whether no further send will be started: no recipient is
// pending or sending, and no exception waits.
func (b *Batch) Done() bool {
	for _, m := range b.Marks {
		if !m.Outcome().Final() {
			return false
		}
	}
	for _, x := range b.Exceptions {
		if x.Waits() {
			return false
		}
	}
	return len(b.Marks) == len(b.Recipients)
}
