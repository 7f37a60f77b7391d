package delivery

import (
	"context"
	"maps"
	"slices"
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
	rows   map[int]Exception  // as the ledger has them; Due is zero in those that are being looked at
	soon   time.Time          // wall clock; the earliest Due of rows, zero if there is none

	lane      *lane
	text      *text
	refused   uint64           // providers that refuse the text, by bit
	throttled map[int]int      // how often, by recipient
	not       map[int32]string // the provider that refused the text for a recipient before
	asks      []pick           // recipients in doubt, to be asked about or to be left so
	suspects  []pick           // recipients during whose last call everything crashed: one at a time
	suspect   bool             // one of them is being called
	cautious  bool             // all are suspects

	open     int  // calls not returned, or returned and not settled
	over     bool // nothing more is started: lost, dead, refused or stale
	lost     bool // another has it
	expired  bool // the batch's time is over
	yield    bool // to be given back although there is work left
	kept     bool // the last step failed; what it settles is kept
	finished bool // every recipient is final

	step  Step    // the step being made; its slices are reused
	calls []*call // to be launched when the step is durable
	again []pick  // settled by the step, to be started again
}

// act is what is to be done for a recipient.
type act uint8

const (
	actSend act = iota
	actAsk      // ask whether the last call was taken
	actRest     // leave the doubt as it is
)

// pick is a recipient to be looked at. Reuse: the last send spent no attempt.
type pick struct {
	index int32
	reuse bool
	act   act
}

// cautiousAfter is how many holders in a row may vanish without having settled
// anything before the batch is worked one recipient at a time.
const cautiousAfter = 5

func newHold(l Lease, ln *lane, fl *flag, asked, now time.Time) *hold {
	h := &hold{
		Lease: l, lane: ln, alert: fl, text: ln.texts.hold(&l.Batch, len(ln.providers)),
		until: asked.Add(HoldFor), renew: asked, moved: asked, cautious: l.Crashes > cautiousAfter,
	}
	if len(l.Exceptions) > 0 {
		h.rows = make(map[int]Exception, len(l.Exceptions))
		for _, x := range l.Exceptions {
			h.note(x)
		}
	}
	h.picks = make([]pick, 0, len(l.Marks))
	for i, m := range l.Marks {
		h.picks = h.consider(h.picks, i, m, now)
	}
	return h
}

// note remembers a row as the ledger has it.
func (h *hold) note(x Exception) {
	if h.rows == nil {
		h.rows = make(map[int]Exception)
	}
	h.rows[x.Index] = x
	if x.Waits() && (h.soon.IsZero() || x.Due.Before(h.soon)) {
		h.soon = x.Due
	}
}

// promote looks at recipients whose row has become due while the batch is held.
func (h *hold) promote(now time.Time) {
	if h.soon.IsZero() || now.Before(h.soon) {
		return
	}
	h.soon = time.Time{}
	var due []pick
	for _, i := range slices.Sorted(maps.Keys(h.rows)) {
		if x := h.rows[i]; x.Waits() && !x.Due.After(now) {
			due = h.consider(due, i, h.Marks[i], now)
		}
	}
	for _, x := range h.rows {
		if x.Waits() && (h.soon.IsZero() || x.Due.Before(h.soon)) {
			h.soon = x.Due
		}
	}
	h.picks = slices.Insert(h.picks, max(h.ready, h.next), due...)
}

// consider adds a recipient to whom something is to be done now: to picks, or
// to those that need more care than a send.
func (h *hold) consider(picks []pick, i int, m Mark, now time.Time) []pick {
	x, has := h.rows[i]
	p := pick{index: int32(i), reuse: m.Attempt() > 0} //nolint:gosec // a batch has at most 1,000 recipients
	if has {
		if !x.Waits() || x.Due.After(now) {
			return picks
		}
		p.reuse = p.reuse && (x.Fault == channels.FaultThrottled || x.Fault == channels.FaultProvider || x.Fault == channels.FaultContent)
	}
	switch m.Outcome() {
	case channels.Pending:
		if has && x.Fault == channels.FaultContent {
			h.bars(p.index, x.Provider)
		}
	case channels.Ambiguous, channels.Failed:
		if !has {
			return picks
		}
		if h.before == nil {
			h.before = make(map[int]earlier)
		}
		h.before[i] = earlier{m.Outcome(), x}
		if m.Outcome() == channels.Ambiguous {
			p.act = h.doubt(x)
		}
	default:
		return picks
	}
	if has {
		x.Due = time.Time{}
		h.rows[i] = x
	}
	switch {
	case p.act != actSend:
		h.asks = append(h.asks, p)
	case h.lane.Broadcaster == nil && (h.cautious || has && x.Code == CodeCrashed):
		h.suspects = append(h.suspects, p)
	default:
		return append(picks, p)
	}
	return picks
}

// doubt is what is to be done about a recipient whose row in doubt is due.
func (h *hold) doubt(x Exception) act {
	switch {
	case x.Code == CodePoison:
		return actRest
	case x.Asks < asked && h.lane.asks():
		return actAsk
	case h.Resend && x.Doubts <= 1:
		return actSend
	}
	return actRest
}

// bars keeps a provider from a recipient for whom it refused the text.
func (h *hold) bars(i int32, provider string) {
	if provider == "" {
		return
	}
	if h.not == nil {
		h.not = make(map[int32]string)
	}
	h.not[i] = provider
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
		d.Fault, d.Code, d.Provider, d.ProviderRef = x.row.Fault, x.row.Code, x.row.Provider, x.row.ProviderRef
	}
	d.Asks = x.row.Asks
}

// left is how many are still to be looked at.
func (h *hold) left() int { return len(h.picks) - h.next + len(h.asks) + len(h.suspects) }

// settled puts a delta into the step and remembers what the ledger will have.
func (h *hold) settled(d Delta) {
	h.step.Settle = append(h.step.Settle, d)
	if !d.Exception {
		if h.rows != nil {
			delete(h.rows, d.Index)
		}
		return
	}
	x := Exception{
		Index: d.Index, Attempt: d.Attempt, Doubts: h.rows[d.Index].Doubts, Due: d.Due, Fault: d.Fault, Code: d.Code,
		Provider: d.Provider, Asks: d.Asks, ProviderRef: d.ProviderRef, At: d.At,
	}
	if d.Doubt {
		x.Doubts++
	}
	h.note(x)
}

// address is the opened address of picks[i].
func (h *hold) address(i int) channels.Address { return h.addrs[len(h.addrs)-(h.ready-i)] }

// openAhead opens the addresses of the next recipients. One whose address
// crashes whatever opens it is set aside.
func (h *hold) openAhead(ctx context.Context, w *worker, n int, now time.Time) error {
	if h.ready > h.next {
		return nil
	}
	chunk := h.picks[h.next:min(h.next+n, len(h.picks))]
	addrs, bad, err := w.e.openAll(ctx, h, chunk)
	if err != nil {
		return err
	}
	h.addrs, h.ready = addrs, h.next+len(chunk)
	if len(bad) == 0 {
		return nil
	}
	kept := h.next
	for i, p := range chunk {
		if slices.Contains(bad, p.index) {
			h.quarantine(w, p, now)
			continue
		}
		h.picks[kept], h.addrs[kept-h.next] = p, addrs[i]
		kept++
	}
	h.addrs = h.addrs[:kept-h.next]
	h.picks = append(h.picks[:kept], h.picks[h.ready:]...)
	h.ready = kept
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

// unlaunched notes that they are not, and returns how many of them were lookups.
func (h *hold) unlaunched() (asks int) {
	for _, c := range h.calls {
		c.drop()
		h.suspect = h.suspect && !c.late
		if c.ask {
			asks++
		}
	}
	h.calls = h.calls[:0]
	h.step.Start, h.step.Reuse = h.step.Start[:0], h.step.Reuse[:0]
	return asks
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
	h.settled(d)
}
