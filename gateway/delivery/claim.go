package delivery

import (
	"context"
	"time"
)

const (
	maxClaim = 16 // batches asked for at once
	maxHolds = 64 // batches held at once by one worker
)

// refill claims batches when the window would otherwise run dry. It says how
// long there is no point in trying again.
func (w *worker) refill(ctx, ledger context.Context) time.Duration {
	now := mono()
	if now.Before(w.quiet) {
		return w.quiet.Sub(now)
	}
	_, down := w.l.provider(now)
	if down == 0 {
		if wait := w.takeOver(ledger); wait > 0 {
			return wait
		}
	}
	switch {
	case w.stocked():
		return idleWait
	case down > 0:
		return min(down, idleWait)
	}
	if !w.e.belt.usesQueue() {
		return w.refillDirect(ledger)
	}
	es, err := w.pop(ctx)
	if err != nil {
		return w.pause(100 * time.Millisecond)
	}
	if len(es) == 0 {
		return w.pause(20 * time.Millisecond) // a pop that may block did so already
	}
	ids := make([]BatchID, len(es))
	for i, en := range es {
		ids[i] = en.Batch
	}
	leases, ok := w.claim(ledger, ids, len(ids))
	if !ok {
		w.handBack(es)
		return w.pause(w.worse())
	}
	w.trouble = 0
	w.match(es, leases)
	return 0
}

// handBack lays entries on the belt again: another process may still reach the
// ledger.
func (w *worker) handBack(es []Entry) {
	w.done = append(w.done, es...)
	for _, en := range es {
		w.hints = append(w.hints, en.Hint)
	}
}

// worse is how long to leave the ledger alone after it failed once more.
func (w *worker) worse() time.Duration {
	w.trouble = min(max(2*w.trouble, 50*time.Millisecond), 2*time.Second)
	return w.trouble
}

// pause puts the next attempt to refill off.
func (w *worker) pause(d time.Duration) time.Duration {
	w.quiet = mono().Add(d)
	return d
}

// stocked reports whether there is enough in hand to fill the window.
func (w *worker) stocked() bool {
	if len(w.holds) >= maxHolds {
		return true
	}
	left := 0
	for _, h := range w.holds {
		switch {
		case h.over || h.yield:
		case w.l.Broadcaster != nil:
			left += min(1, h.left())
		default:
			left += h.left()
		}
	}
	return left >= w.l.Window
}

func (w *worker) limit() int {
	if w.l.Broadcaster != nil {
		return 4
	}
	return max(1, min(maxClaim, int(2*float64(w.l.Window)/w.share)))
}

func (w *worker) pop(ctx context.Context) ([]Entry, error) {
	floor := w.l.floor()
	var block time.Duration
	if len(w.holds) == 0 {
		block = blockWait
		if floor < P3 {
			block = idleWait
		}
	}
	began := mono()
	es, err := w.e.belt.hints.Pop(ctx, w.l.Kind, floor, w.name, w.limit(), block)
	if ctx.Err() == nil {
		w.e.belt.heard(began, err)
	}
	if err == nil {
		w.l.wereEmpty(floor, es)
	}
	return es, err
}

// wereEmpty notes for which priorities a pop found nothing: it takes the
// highest first.
func (l *lane) wereEmpty(floor Priority, es []Entry) {
	end := floor + 1
	for _, en := range es {
		end = min(end, en.Priority)
	}
	for p := range end {
		l.empty[p].Store(mono().UnixNano())
	}
}

// refillDirect claims straight from the ledger. While only batches that are
// already held have the highest priority, nothing below is claimed.
func (w *worker) refillDirect(ledger context.Context) time.Duration {
	if floor := w.l.floor(); floor < P3 && w.l.waiting[floor].Load() == 0 {
		return w.pause(100 * time.Millisecond)
	}
	leases, ok := w.claim(ledger, nil, w.limit())
	if !ok {
		return w.pause(w.worse())
	}
	w.trouble = 0
	if len(leases) == 0 {
		return w.pause(idleWait)
	}
	w.match(nil, leases)
	return 0
}

func (w *worker) claim(ledger context.Context, ids []BatchID, most int) ([]Lease, bool) {
	asked, wall := mono(), w.e.opt.Now()
	leases, err := w.e.opt.Store.Claim(ledger, ClaimRequest{
		Kind: w.l.Kind, Holder: w.name, Batches: ids, Max: most, Now: wall, ResendAt: wall.Add(w.e.opt.ResendAfter),
		LookupAt: w.l.lookupAt(wall, w.e.opt.LookupAfter),
	})
	w.l.claimSeconds.Observe(mono().Sub(asked).Seconds())
	if err != nil {
		w.e.m.failures.WithLabelValues("claim").Inc()
		if w.trouble == 0 {
			w.e.opt.Log.Error("the ledger did not answer a claim", "lane", w.l.Kind)
		}
		return nil, false
	}
	for _, l := range leases {
		if l.Crashes > 0 {
			w.e.m.crashed.WithLabelValues(string(l.Kind)).Inc()
		}
		h := newHold(l, w.l, w.e.flags.hold(l.Alert), asked, wall)
		w.l.active[min(l.Priority, P3)].Add(1)
		w.holds = append(w.holds, h)
		w.share += 0.2 * (float64(max(1, len(h.picks))) - w.share)
	}
	return leases, true
}

// match ties the new holds to the entries they came by; entries that led to
// nothing, because the batch is leased, done or dead, come off the belt.
func (w *worker) match(es []Entry, leases []Lease) {
	fresh := w.holds[len(w.holds)-len(leases):]
	for _, en := range es {
		found := false
		for _, h := range fresh {
			if h.ID == en.Batch && !h.queued {
				h.entry, h.queued, found = en, true, true
				break
			}
		}
		if !found {
			w.done = append(w.done, en)
		}
	}
}
