package delivery

import (
	"context"
	"time"

	"loa/channels"
)

// hold is a lease in a worker's hands.
type hold struct {
	Lease
	entry  Entry // the hint it came by
	queued bool  // entry is on the belt
	alert  *flag
	until  time.Time // monotonic; no call starts after it
	renew  time.Time // monotonic; when an advance was last asked
	moved  time.Time // monotonic; when something was last settled or started

	picks  []pick             // recipients to send to, in order
	next   int                // of picks: the first that is not started
	addrs  []channels.Address // parallel to the last of picks[:ready]: see address
	ready  int                // picks[:ready] have been opened
	before map[int]earlier    // recipients whom an earlier call may have reached

	open     int  // calls not returned, or returned and not settled
	over     bool // nothing more is started: lost, dead, refused or stale
	lost     bool // another has it
	expired  bool // the batch's time is over
	yield    bool // to be given back although there is work left
	kept     bool // the last step failed; what it settles is kept
	finished bool // every recipient is final

	step  Step     // the step being made; its slices are reused
	codes []string // content codes reported
	calls []*call  // to be launched when the step is durable
	again []pick   // settled by the step, to be started again
}

// pick is a recipient to be sent to. Reuse: the last send spent no attempt.
type pick struct {
	index int32
	reuse bool
}

func newHold(l Lease, fl *flag, asked, now time.Time) *hold {
	h := &hold{Lease: l, alert: fl, until: asked.Add(HoldFor), renew: asked, moved: asked}
	rows := make(map[int]Exception, len(l.Exceptions))
	for _, x := range l.Exceptions {
		rows[x.Index] = x
	}
	h.picks = make([]pick, 0, len(l.Marks))
	for i, m := range l.Marks {
		if len(rows) == 0 {
			if m.Outcome() == channels.Pending {
				h.picks = append(h.picks, pick{int32(i), m.Attempt() > 0})
			}
			continue
		}
		h.consider(i, m, rows, now)
	}
	return h
}

// consider adds a recipient whose exception, if it has one, is due.
func (h *hold) consider(i int, m Mark, rows map[int]Exception, now time.Time) {
	x, has := rows[i]
	p := pick{index: int32(i), reuse: m.Attempt() > 0} //nolint:gosec // a batch has at most 1,000 recipients
	if has {
		p.reuse = p.reuse && (x.Fault == channels.FaultThrottled || x.Fault == channels.FaultProvider)
		if !x.Waits() || x.Due.After(now) {
			return
		}
	}
	switch m.Outcome() {
	case channels.Pending:
	case channels.Ambiguous, channels.Failed:
		if !has || m.Outcome() == channels.Ambiguous && (!h.Resend || x.Doubts > 1) {
			return
		}
		if h.before == nil {
			h.before = make(map[int]earlier)
		}
		h.before[i] = earlier{m.Outcome(), x}
	default:
		return
	}
	h.picks = append(h.picks, p)
}

// earlier is what an earlier call came to, for a recipient that gets one more.
type earlier struct {
	outcome channels.Outcome
	row     Exception
}

// stays makes the delta say again what the earlier call came to.
func (x earlier) stays(d *Delta, due time.Time) {
	d.Outcome, d.Exception, d.Due = x.outcome, true, due
	if d.Code == "" {
		d.Fault, d.Code, d.ProviderRef = x.row.Fault, x.row.Code, x.row.ProviderRef
	}
}

func (h *hold) left() int { return len(h.picks) - h.next }

// address is the opened address of picks[i].
func (h *hold) address(i int) channels.Address { return h.addrs[len(h.addrs)-(h.ready-i)] }

// openAhead opens the addresses of the next recipients.
func (h *hold) openAhead(ctx context.Context, a Addresses, n int) error {
	if h.ready > h.next {
		return nil
	}
	chunk := h.picks[h.next:min(h.next+n, len(h.picks))]
	ids := make([]int64, len(chunk))
	for i, p := range chunk {
		ids[i] = h.Recipients[p.index]
	}
	addrs, err := a.Open(ctx, h.Kind, h.Commune, h.Language, ids)
	if err != nil {
		return err
	}
	if len(addrs) != len(ids) {
		return errAddresses
	}
	h.addrs, h.ready = addrs, h.next+len(chunk)
	return nil
}

// begin empties the step, but for what the ledger did not take.
func (h *hold) begin() {
	if !h.kept {
		h.step.Settle = h.step.Settle[:0]
	}
	h.step = Step{Batch: h.ID, Fence: h.Fence, Settle: h.step.Settle, Start: h.step.Start[:0], Reuse: h.step.Reuse[:0]}
	h.calls = h.calls[:0]
}

// launched notes that the step's calls are being made.
func (h *hold) launched() {
	h.open += len(h.calls)
	for _, i := range h.step.Start {
		h.Marks[i], _ = Start(h.Marks[i], false)
	}
	for _, i := range h.step.Reuse {
		h.Marks[i], _ = Start(h.Marks[i], true)
	}
}

// unlaunched notes that they are not.
func (h *hold) unlaunched() {
	for _, c := range h.calls {
		if c.probe {
			c.p.breaker.dropped()
		}
	}
	h.calls = h.calls[:0]
	h.step.Start, h.step.Reuse = h.step.Start[:0], h.step.Reuse[:0]
}

func (h *hold) starting() int { return len(h.step.Start) + len(h.step.Reuse) }

// start puts a recipient into the step and returns the attempt it will have.
func (h *hold) start(p pick) uint8 {
	m, _ := Start(h.Marks[p.index], p.reuse)
	if p.reuse {
		h.step.Reuse = append(h.step.Reuse, int(p.index))
	} else {
		h.step.Start = append(h.step.Start, int(p.index))
	}
	return m.Attempt()
}

// close settles a recipient that is not sent to at all: its address is gone,
// or the time is up. One that an earlier call may have reached stays what it
// is and waits no longer.
func (h *hold) close(p pick, o channels.Outcome, now time.Time) {
	m := h.Marks[p.index]
	d := Delta{Index: int(p.index), Attempt: m.Attempt(), Outcome: o, At: now}
	if x, ok := h.before[d.Index]; ok {
		x.stays(&d, time.Time{})
	}
	h.step.Settle = append(h.step.Settle, d)
}
