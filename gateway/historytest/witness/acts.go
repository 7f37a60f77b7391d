package witness

import (
	"context"
	"time"

	"loa/gateway/audit"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/historytest"
)

// Dispatch wraps dispatch's store: what is cut, and that urgent work waits.
func (w *Witness) Dispatch(s dispatch.Store) dispatch.Store { return cuts{s, w} }

type cuts struct {
	dispatch.Store
	w *Witness
}

// Cut records the batches once they are durable.
func (c cuts) Cut(ctx context.Context, key string, from, to dispatch.Cursor, due time.Time, bs []delivery.Batch) ([]delivery.BatchID, error) {
	step := "cut end"
	if len(bs) > 0 {
		step = "cut " + string(bs[0].Kind)
	}
	c.w.before(step)
	at := historytest.Monotonic()
	ids, err := c.Store.Cut(ctx, key, from, to, due, bs)
	if err != nil || len(ids) != len(bs) {
		return ids, err
	}
	var events []historytest.Event
	c.w.mu.Lock()
	for i := range bs {
		b := &bs[i]
		events = append(events, historytest.Event{T: at, Kind: historytest.KindBatch, Batch: int64(ids[i]), Alert: string(b.Alert), Revision: b.Revision,
			Channel: b.Kind, Commune: string(b.Commune), IDs: b.Recipients})
		if b.Priority != delivery.P0 {
			continue
		}
		if c.w.p0[b.Kind]++; c.w.p0[b.Kind] == 1 {
			events = append(events, historytest.Event{T: at, Kind: historytest.KindBacklog, Priority: "p0", Channel: b.Kind, Open: true})
		}
	}
	c.w.mu.Unlock()
	c.w.write(events...)
	c.w.after(step)
	return ids, nil
}

// Desk wraps the desk's store, for its durable steps alone: the acts, their
// times and their audit records are read from the ledger at the end, which a
// process that dies on its way back from a commit cannot leave out.
func (w *Witness) Desk(s desk.Store) desk.Store { return acts{s, w} }

type acts struct {
	desk.Store
	w *Witness
}

// Create stores a draft.
func (a acts) Create(ctx context.Context, c desk.Case, rec audit.Record) error {
	a.w.before("create")
	if err := a.Store.Create(ctx, c, rec); err != nil {
		return err
	}
	a.w.after("create")
	return nil
}

// Apply makes an act durable.
func (a acts) Apply(ctx context.Context, c desk.Change) error {
	step := "apply " + string(c.Case.State)
	a.w.before(step)
	if err := a.Store.Apply(ctx, c); err != nil {
		return err
	}
	a.w.after(step)
	return nil
}
