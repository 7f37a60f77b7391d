package witness

import (
	"context"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/delivery"
	"loa/gateway/historytest"
)

// Delivery wraps delivery's store: claims, marks, outcomes and receipts.
func (w *Witness) Delivery(s delivery.Store) delivery.Store { return deliveries{s, w} }

type deliveries struct {
	delivery.Store
	w *Witness
}

// Claim records each lease once it is durable, and what it found in doubt.
func (d deliveries) Claim(ctx context.Context, r delivery.ClaimRequest) ([]delivery.Lease, error) {
	step := "claim " + string(r.Kind)
	d.w.before(step)
	leases, err := d.Store.Claim(ctx, r)
	if err != nil || len(leases) == 0 {
		return leases, err
	}
	at := historytest.Monotonic()
	var events []historytest.Event
	d.w.mu.Lock()
	for i := range leases {
		events = append(events, d.w.hold(&leases[i], r.Holder, at)...)
	}
	d.w.mu.Unlock()
	d.w.write(events...)
	d.w.after(step)
	return leases, nil
}

// hold notes a lease.
func (w *Witness) hold(l *delivery.Lease, holder string, at int64) []historytest.Event {
	h := &hold{batch: l.Batch, fence: l.Fence, attempts: make([]uint8, len(l.Marks)), marked: map[int]mark{}}
	h.batch.Marks, h.batch.Exceptions, h.batch.Body, h.batch.Recipients = nil, nil, nil, nil
	doubts := grouped{}
	for i, m := range l.Marks {
		h.attempts[i] = m.Attempt()
		if m.Outcome() == channels.Ambiguous {
			doubts.add(m.Outcome(), m.Attempt(), i)
		}
	}
	w.holds[l.ID] = h
	events := []historytest.Event{{T: at, Kind: historytest.KindClaim, Batch: int64(l.ID), Fence: l.Fence, Holder: holder}}
	return append(events, doubts.outcomes(l.ID, l.Fence, at)...)
}

// Advance records marks and outcomes that became durable. A mark is placed
// before the call, as the process may be frozen on its way back.
func (d deliveries) Advance(ctx context.Context, now time.Time, steps []delivery.Step) ([]delivery.Verdict, error) {
	names := d.w.stepNames(steps)
	for _, n := range names {
		d.w.before(n)
	}
	asked := historytest.Monotonic()
	verdicts, err := d.Store.Advance(ctx, now, steps)
	if err != nil || len(verdicts) != len(steps) {
		return verdicts, err
	}
	at := historytest.Monotonic()
	var events []historytest.Event
	d.w.mu.Lock()
	for i := range steps {
		events = append(events, d.w.marks(&steps[i], verdicts[i], asked)...)
		events = append(events, d.w.settled(&steps[i], verdicts[i], at)...)
	}
	d.w.mu.Unlock()
	d.w.write(events...)
	for _, n := range names {
		d.w.after(n)
	}
	return verdicts, nil
}

// stepNames lists what the steps do, each once.
func (w *Witness) stepNames(steps []delivery.Step) []string {
	var names []string
	add := func(does bool, what string, id delivery.BatchID) {
		name := "advance " + what + " " + string(w.kind(id))
		if does && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, s := range steps {
		starts := len(s.Start)+len(s.Reuse) > 0
		add(starts, "start", s.Batch)
		add(len(s.Settle) > 0, "settle", s.Batch)
		add(s.Return, "return", s.Batch)
		add(!starts && len(s.Settle) == 0 && !s.Return, "renew", s.Batch)
	}
	return names
}

func (w *Witness) marks(s *delivery.Step, v delivery.Verdict, asked int64) []historytest.Event {
	h := w.holds[s.Batch]
	if v.Started == 0 || h == nil {
		return nil
	}
	byAttempt := map[uint8][]int{}
	for n, i := range slices.Concat(s.Start, s.Reuse) {
		if n < len(s.Start) || h.attempts[i] == 0 {
			h.attempts[i] = min(h.attempts[i]+1, delivery.MaxAttempt)
		}
		h.marked[i] = mark{attempt: h.attempts[i], fence: s.Fence}
		byAttempt[h.attempts[i]] = append(byAttempt[h.attempts[i]], i)
	}
	var events []historytest.Event
	for attempt, indexes := range byAttempt {
		events = append(events, historytest.Event{T: asked, Kind: historytest.KindMark, Batch: int64(s.Batch), Indexes: indexes, Attempt: attempt,
			Fence: s.Fence, Channel: h.batch.Kind})
	}
	return events
}

func (w *Witness) settled(s *delivery.Step, v delivery.Verdict, at int64) []historytest.Event {
	all := grouped{}
	for _, d := range s.Settle {
		all.add(d.Outcome, d.Attempt, d.Index)
	}
	events := all.outcomes(s.Batch, s.Fence, at)
	h := w.holds[s.Batch]
	if h == nil {
		return events
	}
	if v.Done || h.fence == s.Fence && (v.Lost || s.Return) && len(h.marked) == 0 {
		delete(w.holds, s.Batch)
	}
	if v.Done && h.batch.Priority == delivery.P0 && w.p0[h.batch.Kind] > 0 {
		if w.p0[h.batch.Kind]--; w.p0[h.batch.Kind] == 0 {
			events = append(events, historytest.Event{T: at, Kind: historytest.KindBacklog, Priority: "p0", Channel: h.batch.Kind})
		}
	}
	return events
}

// Receive records evidence once it is durable.
func (d deliveries) Receive(ctx context.Context, now time.Time, es []delivery.Evidence) (int, error) {
	step := "receive"
	if len(es) > 0 {
		step += " " + es[0].Outcome.String()
	}
	d.w.before(step)
	unknown, err := d.Store.Receive(ctx, now, es)
	if err != nil {
		return unknown, err
	}
	events := make([]historytest.Event, len(es))
	for i, e := range es {
		events[i] = historytest.Event{Kind: historytest.KindReceipt, Batch: int64(e.Batch), Index: e.Index, Attempt: e.Attempt, Outcome: e.Outcome.String()}
	}
	d.w.write(events...)
	d.w.after(step)
	return unknown, nil
}

// grouped are recipients with equal states.
type grouped map[state][]int

type state struct {
	outcome channels.Outcome
	attempt uint8
}

func (g grouped) add(o channels.Outcome, attempt uint8, index int) {
	s := state{o, attempt}
	g[s] = append(g[s], index)
}

func (g grouped) outcomes(id delivery.BatchID, fence, at int64) []historytest.Event {
	var events []historytest.Event
	for s, indexes := range g {
		e := historytest.Event{T: at, Kind: historytest.KindOutcome, Batch: int64(id), Fence: fence, Attempt: s.attempt, Outcome: s.outcome.String(), Indexes: indexes}
		events = append(events, e)
	}
	return events
}
