package delivery

import (
	"context"
	"slices"
	"time"

	"loa/channels"
)

// orphans are batches whose holder is gone, by channel, highest priority first.
// They have waited for a lease to end already, so they are not laid behind what
// waits on the belt: workers claim them at once and start with them.
type orphans map[channels.Kind][]Hint

func (o *orphans) add(hs []Hint) {
	for _, h := range hs {
		if !h.Orphaned {
			continue
		}
		if *o == nil {
			*o = orphans{}
		}
		(*o)[h.Kind] = append((*o)[h.Kind], h)
	}
}

// adopt gives the lanes what the ledger knows to be orphaned.
func (e *Engine) adopt(left orphans) {
	for _, l := range e.lanes {
		l.orphans.Lock()
		l.orphans.due = left[l.Kind]
		l.orphans.Unlock()
		if len(left[l.Kind]) > 0 {
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
	ids := w.l.orphaned(min(w.limit(), max(0, maxHolds-had)))
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
