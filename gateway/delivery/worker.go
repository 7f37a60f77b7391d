package delivery

import (
	"context"
	"time"
)

const (
	minGather  = 300 * time.Microsecond
	maxGather  = 5 * time.Millisecond
	yieldAfter = 2 * time.Second        // a batch that can start nothing for longer is given back
	hungGrace  = 2 * time.Second        // beyond CallTimeout: then a lease is no longer renewed for its call
	stopGrace  = 500 * time.Millisecond // for calls to notice that they were cut off
	idleWait   = 250 * time.Millisecond
	blockWait  = time.Second
	refills    = 4 // claims before a turn
)

// worker holds leases and moves their windows. Everything but the window's
// callers runs in its one loop.
type worker struct {
	e      *Engine
	l      *lane
	name   string
	win    *window
	sign   *signer
	nudged chan struct{}
	timer  *time.Timer

	calls    context.Context //nolint:containedctx // ends when open calls are cut off
	holds    []*hold
	open     int     // calls launched and not settled
	asking   int     // of those or about to be: lookups
	done     []Entry // to be taken off the belt
	hints    []Hint  // to be laid on the belt again
	returned []*call
	free     []*call
	refs     []byte
	stepped  []*hold
	steps    []Step
	gather   time.Duration
	share    float64 // recipients to start per batch, on the average
	quiet    time.Time
	trouble  time.Duration // after the ledger failed
}

func newWorker(e *Engine, l *lane, name string) *worker {
	return &worker{
		e: e, l: l, name: name, win: newWindow(e, l.Window), sign: newSigner(e.opt.RefKey),
		nudged: make(chan struct{}, 1), gather: minGather, share: 200,
	}
}

func (w *worker) nudge() {
	select {
	case w.nudged <- struct{}{}:
	default:
	}
}

// loop works until ctx ends, and then until nothing is open any more or calls
// was cut a moment ago. Leases are given back through ledger.
func (w *worker) loop(ctx, calls, ledger context.Context) {
	w.calls = calls
	w.timer = time.NewTimer(time.Hour)
	defer w.timer.Stop()
	defer w.win.close()
	var last time.Time
	for {
		stopping := ctx.Err() != nil
		wait := idleWait
		for n := 0; !stopping && n < refills; n++ {
			if wait = w.refill(ctx, ledger); wait > 0 {
				break
			}
		}
		wait = min(max(wait, minGather), w.turn(ledger, stopping))
		if stopping {
			if calls.Err() != nil && last.IsZero() {
				last = mono().Add(stopGrace)
			}
			if len(w.holds) == 0 || ledger.Err() != nil || !last.IsZero() && mono().After(last) {
				w.abandon()
				return
			}
			wait = min(wait, 50*time.Millisecond)
		}
		w.rest(ctx, stopping, wait)
	}
}

// abandon forgets what could not be settled in time; another holder will find
// those recipients sending and call them ambiguous.
func (w *worker) abandon() {
	for _, h := range w.holds {
		w.forget(h)
	}
	w.holds = nil
}

func (w *worker) forget(h *hold) {
	w.e.flags.release(h.Alert, h.alert)
	w.l.active[min(h.Priority, P3)].Add(-1)
}

// rest waits until calls return, a signal comes or the time is up. Once one
// call is back it lets others gather for a moment, so that fast providers
// share a commit and slow ones do not wait for each other.
func (w *worker) rest(ctx context.Context, stopping bool, wait time.Duration) {
	if wait <= 0 {
		return
	}
	var stop <-chan struct{}
	if !stopping {
		stop = ctx.Done()
	}
	if w.win.gather(w.open) == 0 {
		w.timer.Reset(wait)
		select {
		case <-w.win.ring:
		case <-w.nudged:
			w.quiet = time.Time{}
		case <-w.timer.C:
		case <-stop:
		}
	}
	if n := w.win.gather(w.open); n == 0 || n >= w.open {
		return
	}
	w.timer.Reset(w.gather)
	for w.win.gather(w.open) < w.open {
		select {
		case <-w.win.ring:
		case <-w.timer.C:
			return
		}
	}
}

// turn settles what returned and starts as many anew, in one commit. It says
// how long nothing more can be done unless something returns.
func (w *worker) turn(ctx context.Context, stopping bool) time.Duration {
	wall, now := w.e.opt.Now(), mono()
	for _, h := range w.holds {
		h.begin()
	}
	w.returned = w.win.take(w.returned[:0])
	for _, c := range w.returned {
		w.settle(c, wall)
		w.open--
	}
	wait := idleWait
	room := w.l.Window - w.open
	floor := w.l.floor()
	w.stepped, w.steps = w.stepped[:0], w.steps[:0]
	for _, h := range w.holds {
		h.yield = h.yield || stopping || h.Priority > floor
		wait = min(wait, w.plan(ctx, h, &room, now, wall))
		if w.wanted(h, now) {
			w.stepped, w.steps = append(w.stepped, h), append(w.steps, h.step)
		}
	}
	w.free = append(w.free, w.returned...)
	if len(w.steps) > 0 {
		wait = min(wait, w.advance(ctx))
	}
	w.sift()
	w.flush(ctx)
	return wait
}

// wanted decides whether the hold's step is to be made, and completes it.
func (w *worker) wanted(h *hold, now time.Time) bool {
	idle := h.open == 0 && len(h.calls) == 0
	rest := h.over || h.yield || h.left() == 0 && len(h.again) == 0
	if idle && rest && !h.lost {
		h.step.Return = true
		return true
	}
	if len(h.step.Settle) > 0 || len(h.calls) > 0 {
		h.moved = now
		return true
	}
	if h.lost || now.Sub(h.renew) < RenewEvery {
		return false
	}
	if now.Sub(h.moved) > w.e.opt.CallTimeout+hungGrace {
		h.over = true // no progress: the lease is left to lapse
		return false
	}
	return true
}

// advance makes the steps durable and launches what they started.
func (w *worker) advance(ctx context.Context) time.Duration {
	asked := mono()
	verdicts, err := w.e.opt.Store.Advance(ctx, w.e.opt.Now(), w.steps)
	took := mono().Sub(asked)
	w.l.advanceSeconds.Observe(took.Seconds())
	w.gather = min(max(took/2, minGather), maxGather)
	if err != nil || len(verdicts) != len(w.steps) {
		return w.failed()
	}
	w.trouble = 0
	settled, started := 0, 0
	var launch []*call
	for i, h := range w.stepped {
		settled += len(h.step.Settle)
		if w.judge(h, verdicts[i], asked) {
			started += h.starting()
			launch = append(launch, h.calls...)
		}
	}
	w.l.advanceRecipients.Observe(float64(settled))
	w.e.tally.settled.Add(uint64(settled))
	w.e.tally.started.Add(uint64(started))
	w.launch(launch)
	return idleWait
}

// failed keeps what is to be settled and starts nothing: the leases are given
// back once the ledger works again.
func (w *worker) failed() time.Duration {
	w.e.m.failures.WithLabelValues("advance").Inc()
	if w.trouble == 0 {
		w.e.opt.Log.Error("the ledger did not take an advance; nothing is started", "lane", w.l.Kind)
	}
	wait := w.worse()
	for _, h := range w.stepped {
		w.asking -= h.unlaunched()
		h.kept, h.over = true, true
	}
	return w.pause(wait)
}

// judge applies a verdict and reports whether the step's calls may be made.
func (w *worker) judge(h *hold, v Verdict, asked time.Time) bool {
	h.kept = false
	h.finished = v.Done
	switch {
	case v.Lost:
		if !h.lost {
			w.e.m.lost.WithLabelValues(string(h.Kind)).Inc()
		}
		h.lost, h.over = true, true
	case v.Dead:
		h.alert.dead.Store(true)
		h.over = true
	case v.Expired:
		h.expired, h.over = true, true // the alert's other batches go on
	case v.Started != h.starting():
		h.over = true // a receipt came first: look at the batch afresh
	default:
		h.until, h.renew = asked.Add(HoldFor), asked
		if !h.yield {
			h.picks = append(h.picks, h.again...)
			h.again = h.again[:0]
		}
		h.launched()
		return true
	}
	w.asking -= h.unlaunched()
	return false
}

// sift drops the holds that are finished, given back or lost.
func (w *worker) sift() {
	kept := w.holds[:0]
	for _, h := range w.holds {
		if h.open > 0 || h.kept || !h.finished && !h.step.Return && !h.lost {
			kept = append(kept, h)
			continue
		}
		if h.queued {
			w.done = append(w.done, h.entry)
		}
		if !h.finished && !h.lost && !h.expired && !h.alert.dead.Load() && (h.left() > 0 || len(h.again) > 0) {
			w.l.waiting[min(h.Priority, P3)].Add(1)
			w.hints = append(w.hints, Hint{Batch: h.ID, Kind: h.Kind, Priority: h.Priority})
		}
		w.forget(h)
	}
	clear(w.holds[len(kept):])
	w.holds = kept
}

// flush brings the belt up to date: returned batches on, then finished entries
// off, so that a priority with work is never seen without.
func (w *worker) flush(ctx context.Context) {
	if len(w.hints) > 0 {
		_ = w.e.belt.push(ctx, "returned", w.hints) // a failure is heard there; the sweeper finds the batches
	}
	if len(w.done) > 0 {
		w.e.belt.done(ctx, w.done, w.hints)
	}
	w.hints, w.done = w.hints[:0], w.done[:0]
}

// launch makes the calls under one deadline.
func (w *worker) launch(calls []*call) {
	if len(calls) == 0 {
		return
	}
	f := &flight{}
	f.ctx, f.cancel = context.WithTimeout(w.calls, w.e.opt.CallTimeout)
	f.left.Store(int32(len(calls))) //nolint:gosec // at most a window
	w.refs = w.refs[:0]
	for _, c := range calls {
		w.refs = w.sign.append(w.refs, c.h.ID, c.index, c.attempt)
	}
	refs := string(w.refs)
	for i, c := range calls {
		c.flight, c.until = f, c.h.until
		if c.items == nil {
			c.ref = refs[i*refChars : (i+1)*refChars]
		}
	}
	w.open += len(calls)
	w.win.launch(calls, w.open)
}

func (w *worker) newCall() *call {
	if n := len(w.free); n > 0 {
		c := w.free[n-1]
		w.free = w.free[:n-1]
		*c = call{}
		return c
	}
	return &call{}
}
