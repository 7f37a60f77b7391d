package delivery

import (
	"context"
	"slices"
	"time"
)

const (
	// OrphanCrashes is with how many holders gone in a row a batch goes before
	// others no more: it is held cautiously from then on.
	OrphanCrashes = cautiousAfter + 1

	orphanPage = 1000
)

// askOrphans learns from the ledger which batches have lost their holder. They
// have waited for a lease to end already, so they are not laid behind what waits
// on the belt: workers claim them at once and start with them.
func (e *Engine) askOrphans(ctx context.Context) {
	for _, l := range e.lanes {
		due, err := e.opt.Store.Orphans(ctx, e.opt.Now(), l.Kind, orphanPage)
		if err != nil {
			if ctx.Err() == nil {
				e.m.failures.WithLabelValues("due").Inc()
			}
			return
		}
		l.orphans.Lock()
		l.orphans.due = due
		l.orphans.Unlock()
		if len(due) > 0 {
			l.wake()
		}
	}
}

// orphaned hands out up to n orphaned batches, none below the floor.
func (l *lane) orphaned(n int) []BatchID {
	floor := l.floor()
	l.orphans.Lock()
	defer l.orphans.Unlock()
	due := l.orphans.due[:min(n, len(l.orphans.due))]
	if i := slices.IndexFunc(due, func(h Hint) bool { return h.Priority > floor }); i >= 0 {
		due = due[:i]
	}
	l.orphans.due = l.orphans.due[len(due):]
	var ids []BatchID
	for _, h := range due {
		ids = append(ids, h.Batch)
	}
	return ids
}

// takeOver claims orphaned batches, whatever else is in hand, and puts them
// first. It says how long to leave the ledger alone if that failed.
func (w *worker) takeOver(ledger context.Context) time.Duration {
	had := len(w.holds)
	ids := w.l.orphaned(min(w.limit(), max(0, 2*maxHolds-had)))
	if len(ids) == 0 {
		return 0
	}
	if _, ok := w.claim(ledger, ids, len(ids)); !ok {
		return w.pause(w.worse()) // the next sweep finds them again
	}
	w.trouble = 0
	w.holds = slices.Concat(w.holds[had:], w.holds[:had])
	return 0
}
