package simulation_test

import (
	"loa/channels"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
	"loa/gateway/historytest"
)

// cut notes new batches, and whom a correction goes to.
func (w *world) cut(ids []delivery.BatchID, bs []delivery.Batch) {
	for i := range bs {
		x := &bs[i]
		b := &batch{id: ids[i], alert: x.Alert, kind: x.Kind, priority: x.Priority, roster: x.Roster, ids: x.Recipients, attempts: make([]uint8, len(x.Recipients)),
			marked: map[int]int64{}, reasons: map[int]string{}, tried: map[int]bool{}}
		w.mu.Lock()
		w.batches[b.id] = b
		w.lastCut[x.Alert] = w.mono()
		w.mu.Unlock()
		e := historytest.Event{Batch: int64(b.id), Alert: string(x.Alert), Revision: x.Revision, Channel: x.Kind, Commune: string(x.Commune), IDs: x.Recipients}
		e.Kind = historytest.KindBatch
		w.record(e)
		if c := w.caseOf(x.Alert); c.Submission.Cause == dispatch.Correction || c.Submission.Cause == dispatch.Stopped {
			e.Kind = historytest.KindEligible
			w.record(e)
			e.Kind, e.By, e.ByRevision = historytest.KindCorrection, e.Alert, e.Revision
			e.Alert, e.Revision = string(c.Submission.Replaces.Alert), c.Submission.Replaces.Revision
			w.record(e)
		}
		if x.Priority == delivery.P0 && x.Marks == nil {
			w.waits(b)
		}
	}
}

// Extreme work waits from its cut until each of its recipients has been tried
// once, its alert has ended, or its holder has vanished with it. The ledger,
// unlike the queue, shows only what nobody has claimed: without a queue it waits
// until it is claimed.
func (w *world) waits(b *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting[b.kind]) == 0 {
		w.backlog(b.kind, true)
	}
	w.waiting[b.kind][b] = true
}

// backlog is called with mu held.
func (w *world) backlog(kind channels.Kind, open bool) {
	w.events = append(w.events, historytest.Event{T: w.mono(), Kind: historytest.KindBacklog, Priority: "p0", Channel: kind, Open: open})
}

func (w *world) tried(b *batch, index int) {
	w.mu.Lock()
	b.tried[index] = true
	all := len(b.tried) == len(b.ids)
	w.mu.Unlock()
	if all {
		w.waitsNoMore(b)
	}
}

func (w *world) waitsNoMore(b *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.waiting[b.kind][b] {
		return
	}
	delete(w.waiting[b.kind], b)
	if len(w.waiting[b.kind]) == 0 {
		w.backlog(b.kind, false)
	}
}

// abandon is called when a node has vanished: its leases stand for a while.
func (w *world) abandon(holder string) {
	w.mu.Lock()
	var left []*batch
	for _, set := range w.waiting {
		for b := range set {
			if b.holder == holder {
				left = append(left, b)
			}
		}
	}
	w.mu.Unlock()
	for _, b := range left {
		w.waitsNoMore(b)
	}
}

// reopened says that whatever waits can be seen to wait from now on.
func (w *world) reopened() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range kinds {
		if len(w.waiting[kind]) > 0 {
			w.backlog(kind, false)
			w.backlog(kind, true)
		}
	}
}

// begun completes a request by its batch and mark.
func (w *world) begun(e *historytest.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.batches[delivery.BatchID(e.Batch)]
	if b == nil {
		return
	}
	e.Roster, e.Fence = b.roster, b.marked[e.Index]
	e.Priority = "p" + string('0'+rune(b.priority))
}
