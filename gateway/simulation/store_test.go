package simulation_test

import (
	"context"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/audit"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/historytest"
)

// The durable steps at which a process or a node may end.
var steps = []string{"claim", "start", "settle", "renew", "receive", "cut", "jobs", "create", "apply"}

// trap ends a process, or one node of it, around a durable step.
type trap struct {
	step  string
	after bool // the commit is durable, and nobody is told
	skip  int  // so many times it passes
	node  bool
}

// spring reports whether the process ends here.
func (w *world) spring(step string, after bool, p *process, n *node) bool {
	w.mu.Lock()
	t := w.trap
	hit := t != nil && t.step == step && t.after == after
	if hit {
		if t.skip--; t.skip >= 0 {
			hit = false
		} else {
			w.trap = nil
		}
	}
	w.mu.Unlock()
	if !hit {
		return false
	}
	w.count("trap " + step)
	if t.node && n != nil {
		n.kill()
	} else {
		p.crash()
	}
	return true
}

// commit is one call of a store: it takes its time, may be where the process
// ends, and is not heard of by one that has.
func (p *process) commit(n *node, step, key string, do func() error) error {
	over := func() bool { return p.dead.Load() || n != nil && n.cut.Load() }
	if over() {
		return errGone
	}
	time.Sleep(between(p.w.dice.of(step, key), 20*time.Microsecond, 2*time.Millisecond))
	if n != nil {
		n.thaw()
	}
	if over() || p.w.spring(step, false, p, n) {
		return errGone
	}
	if err := do(); err != nil {
		return err
	}
	if n != nil {
		n.thaw()
	}
	if p.w.spring(step, true, p, n) || over() {
		return errGone
	}
	return nil
}

// deliveryStore is the ledger as an engine sees it.
type deliveryStore struct {
	delivery.Store
	n *node
}

func (s deliveryStore) Claim(ctx context.Context, r delivery.ClaimRequest) (leases []delivery.Lease, err error) {
	err = s.n.commit(s.n, "claim", r.Holder, func() error {
		if leases, err = s.Store.Claim(ctx, r); err == nil {
			s.n.w.claimed(leases, s.n.name)
		}
		return err
	})
	return leases, err
}

func stepOf(st *delivery.Step) string {
	switch {
	case len(st.Start)+len(st.Reuse) > 0:
		return "start"
	case len(st.Settle) > 0:
		return "settle"
	default:
		return "renew"
	}
}

func (s deliveryStore) Advance(ctx context.Context, now time.Time, steps []delivery.Step) (vs []delivery.Verdict, err error) {
	first := &steps[0]
	err = s.n.commit(s.n, stepOf(first), key(first.Batch, first.Fence), func() error {
		if vs, err = s.Store.Advance(ctx, now, steps); err == nil {
			s.n.w.advanced(steps, vs)
		}
		return err
	})
	return vs, err
}

func (s deliveryStore) Receive(ctx context.Context, now time.Time, es []delivery.Evidence) (unknown int, err error) {
	err = s.n.commit(s.n, "receive", key(es[0].Batch, int64(es[0].Index)), func() error {
		if unknown, err = s.Store.Receive(ctx, now, es); err == nil {
			s.n.w.received(es)
		}
		return err
	})
	return unknown, err
}

func (s deliveryStore) Due(ctx context.Context, now time.Time, after delivery.Hint, limit int) (hs []delivery.Hint, err error) {
	if s.n.gone() {
		return nil, errGone
	}
	return s.Store.Due(ctx, now, after, limit)
}

func (s deliveryStore) Orphans(ctx context.Context, now time.Time, kind channels.Kind, limit int) ([]delivery.Hint, error) {
	if s.n.gone() {
		return nil, errGone
	}
	return s.Store.Orphans(ctx, now, kind, limit)
}

func (s deliveryStore) Busiest(ctx context.Context, now time.Time, kind channels.Kind) (delivery.Priority, error) {
	if s.n.gone() {
		return delivery.P3, errGone
	}
	return s.Store.Busiest(ctx, now, kind)
}

func (s deliveryStore) Dead(ctx context.Context, now time.Time, ids []alert.ID) ([]alert.ID, error) {
	if s.n.gone() {
		return nil, errGone
	}
	return s.Store.Dead(ctx, now, ids)
}

func (s deliveryStore) Outstanding(ctx context.Context, kind channels.Kind) (int, error) {
	if s.n.gone() {
		return 0, errGone
	}
	return s.Store.Outstanding(ctx, kind)
}

// cutStore is the ledger as a dispatcher sees it.
type cutStore struct {
	dispatch.Store
	n *node
}

func (s cutStore) Jobs(ctx context.Context, now time.Time, limit int) (jobs []dispatch.Job, err error) {
	err = s.n.commit(s.n, "jobs", s.n.name, func() error {
		jobs, err = s.Store.Jobs(ctx, now, limit)
		return err
	})
	return jobs, err
}

func (s cutStore) Cut(ctx context.Context, request string, from, to dispatch.Cursor, due time.Time, bs []delivery.Batch) (ids []delivery.BatchID, err error) {
	err = s.n.commit(s.n, "cut", request+s.n.name, func() error {
		if ids, err = s.Store.Cut(ctx, request, from, to, due, bs); err == nil {
			s.n.w.cut(ids, bs)
		}
		return err
	})
	return ids, err
}

// deskStore is the ledger as the desk sees it.
type deskStore struct {
	desk.Store
	p *process
}

func (s deskStore) Create(ctx context.Context, c desk.Case, rec audit.Record) error {
	return s.p.commit(nil, "create", string(c.ID), func() error {
		if err := s.Store.Create(ctx, c, rec); err != nil {
			return err
		}
		s.p.w.acted(ctx, s.p, nil, &c)
		return nil
	})
}

func (s deskStore) Apply(ctx context.Context, c desk.Change) error {
	return s.p.commit(nil, "apply", string(c.Case.ID), func() error {
		if err := s.Store.Apply(ctx, c); err != nil {
			return err
		}
		s.p.w.acted(ctx, s.p, c.Supersede, &c.Case)
		return nil
	})
}

// claimed notes leases.
func (w *world) claimed(leases []delivery.Lease, holder string) {
	for i := range leases {
		l := &leases[i]
		w.record(historytest.Event{Kind: historytest.KindClaim, Node: holder, Batch: int64(l.ID), Fence: l.Fence, Holder: holder})
		w.mu.Lock()
		b := w.batches[l.ID]
		b.holder, b.fence = holder, l.Fence
		for k, m := range l.Marks {
			b.attempts[k] = m.Attempt()
		}
		w.mu.Unlock()
		if w.belt == nil || w.belt.wasDown() {
			w.waitsNoMore(b)
		}
		for k, m := range l.Marks {
			if m.Outcome() == channels.Ambiguous {
				w.record(historytest.Event{Kind: historytest.KindOutcome, Batch: int64(l.ID), Fence: l.Fence, Index: k, Attempt: m.Attempt(), Outcome: m.Outcome().String()})
			}
		}
	}
}

// advanced notes marks and outcomes.
func (w *world) advanced(steps []delivery.Step, vs []delivery.Verdict) {
	for i := range steps {
		st := &steps[i]
		for _, d := range st.Settle {
			w.settled(st.Batch, st.Fence, d)
			w.tried(w.batchOf(st.Batch), d.Index) // or left out: its address is gone
		}
		if vs[i].Started == 0 {
			continue
		}
		for n, k := range slices.Concat(st.Start, st.Reuse) {
			w.mu.Lock()
			b := w.batches[st.Batch]
			if n < len(st.Start) || b.attempts[k] == 0 {
				b.attempts[k] = min(b.attempts[k]+1, delivery.MaxAttempt)
			}
			a := b.attempts[k]
			b.marked[k] = st.Fence
			w.mu.Unlock()
			w.record(historytest.Event{Kind: historytest.KindMark, Batch: int64(st.Batch), Index: k, Attempt: a, Fence: st.Fence, Channel: b.kind})
			w.tried(b, k)
		}
	}
}

func (w *world) batchOf(id delivery.BatchID) *batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.batches[id]
}

func (w *world) settled(id delivery.BatchID, fence int64, d delivery.Delta) {
	e := historytest.Event{Kind: historytest.KindOutcome, Batch: int64(id), Fence: fence, Index: d.Index, Attempt: d.Attempt, Outcome: d.Outcome.String()}
	w.mu.Lock()
	b := w.batches[id]
	if d.Outcome == channels.Failed || d.Outcome == channels.Cancelled {
		e.Reason = d.Fault.String() + " " + d.Code
		b.reasons[d.Index] = e.Reason
	}
	if d.Retire {
		if id := b.ids[d.Index]; w.retired[id] == 0 { // for good, from the first time on
			w.retired[id] = w.mono()
		}
	}
	w.mu.Unlock()
	w.record(e)
}

func (w *world) received(es []delivery.Evidence) {
	for _, e := range es {
		w.record(historytest.Event{Kind: historytest.KindReceipt, Batch: int64(e.Batch), Index: e.Index, Attempt: e.Attempt, Outcome: e.Outcome.String()})
	}
}
