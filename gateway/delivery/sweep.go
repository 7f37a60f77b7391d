package delivery

import (
	"context"
	"slices"
	"time"

	"loa/channels"
)

const (
	sweepPage    = 1000
	sweepPages   = 2 // of a sweep that is not whole
	sweepWhole   = 30
	backlogEvery = 20 // polls
	pollTimeout  = time.Second
)

// poll watches what others may have changed: stopped alerts, waiting hints,
// the queue's health.
func (e *Engine) poll(ctx context.Context) {
	t := time.NewTicker(e.opt.PollEvery)
	defer t.Stop()
	for n := 0; ; n++ {
		e.pollStops(ctx)
		e.tellProviders()
		e.pollWaiting(ctx)
		if n%backlogEvery == 0 {
			e.pollBacklog(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (e *Engine) pollStops(ctx context.Context) {
	held := e.flags.held()
	if len(held) == 0 {
		return
	}
	dead, err := e.opt.Store.Dead(ctx, e.opt.Now(), held)
	if err != nil {
		e.m.failures.WithLabelValues("dead").Inc()
		return
	}
	for _, id := range dead {
		e.StopAlert(id)
	}
}

func (e *Engine) pollWaiting(ctx context.Context) {
	if e.belt.hints != nil && e.askWaiting(ctx) {
		e.belt.works()
	}
	if !e.belt.usesQueue() {
		e.countDue(ctx)
	}
	for _, l := range e.lanes {
		var down float64
		for _, p := range l.providers {
			p.mu.Lock()
			p.lately.note(p.took.Load(), mono())
			p.mu.Unlock()
			if down = 0; p.breaker.open.Load() {
				down = 1
			}
			e.m.breaker.WithLabelValues(string(l.Kind), p.name).Set(down)
		}
		var open int64
		for _, w := range l.workers {
			open += int64(len(w.win.tasks)) + w.win.busy.Load()
		}
		e.m.inflight.WithLabelValues(string(l.Kind)).Set(float64(open))
	}
}

// askWaiting learns the waiting priorities from the queue.
func (e *Engine) askWaiting(ctx context.Context) bool {
	for _, l := range e.lanes {
		began := mono()
		ask, cancel := context.WithTimeout(ctx, pollTimeout)
		waiting, err := e.belt.hints.Waiting(ask, l.Kind)
		cancel()
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			e.belt.heard(began, err)
			return false
		}
		for p := range waiting {
			l.waiting[p].Store(l.credible(Priority(p), waiting[p]))
		}
	}
	return true
}

// countDue learns the waiting priorities from the ledger and wakes the workers
// that have something to claim.
func (e *Engine) countDue(ctx context.Context) {
	e.askBusiest(ctx)
	counts := dueCounts{}
	err := e.eachDue(ctx, sweepPages, func(hs []Hint) error {
		counts.add(hs)
		return nil
	})
	if err != nil {
		return
	}
	for _, l := range e.lanes {
		c := counts.of(l.Kind)
		for p := range l.waiting {
			l.waiting[p].Store(c[p])
		}
		if c != [4]int64{} {
			l.wake()
		}
	}
}

// dueCounts are batches that are due, by channel and priority.
type dueCounts map[channels.Kind]*[4]int64

func (d dueCounts) add(hs []Hint) {
	for _, h := range hs {
		if d[h.Kind] == nil {
			d[h.Kind] = new([4]int64)
		}
		d[h.Kind][min(h.Priority, P3)]++
	}
}

func (d dueCounts) of(k channels.Kind) [4]int64 {
	if c := d[k]; c != nil {
		return *c
	}
	return [4]int64{}
}

// askBusiest learns what has work from the ledger, which knows of hints that
// were lost and of batches that other nodes hold.
func (e *Engine) askBusiest(ctx context.Context) {
	for _, l := range e.lanes {
		p, err := e.opt.Store.Busiest(ctx, e.opt.Now(), l.Kind)
		if err != nil {
			e.m.failures.WithLabelValues("due").Inc()
			return
		}
		l.busiest.Store(uint32(min(p, P3)))
	}
}

func (e *Engine) pollBacklog(ctx context.Context) {
	for _, l := range e.lanes {
		n, err := e.opt.Store.Outstanding(ctx, l.Kind)
		if err == nil {
			e.m.backlog.WithLabelValues(string(l.Kind)).Set(float64(n))
		}
	}
}

// eachDue pages through the due batches of our lanes, highest priority first;
// pages 0: all.
func (e *Engine) eachDue(ctx context.Context, pages int, f func([]Hint) error) error {
	var after Hint
	for page := 0; pages == 0 || page < pages; page++ {
		hs, err := e.opt.Store.Due(ctx, e.opt.Now(), after, sweepPage)
		if err != nil {
			if ctx.Err() == nil {
				e.m.failures.WithLabelValues("due").Inc()
			}
			return err
		}
		n := len(hs)
		if n > 0 {
			after = hs[n-1]
		}
		hs = slices.DeleteFunc(hs, func(h Hint) bool { return e.lane(h.Kind) == nil })
		if err := f(hs); err != nil {
			return err
		}
		if n < sweepPage {
			return nil
		}
	}
	return nil
}

// sweep finds what nobody says: batches whose holder is gone, and for the belt
// retries and, when the queue has forgotten, everything.
func (e *Engine) sweep(ctx context.Context) {
	t := time.NewTicker(e.opt.SweepEvery)
	defer t.Stop()
	for n := 1; ; n++ {
		e.askOrphans(ctx)
		if e.belt.usesQueue() {
			e.sweepOnce(ctx, n%sweepWhole == 0)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (e *Engine) sweepOnce(ctx context.Context, whole bool) {
	e.askBusiest(ctx)
	b := &e.belt
	began := mono()
	ask, cancel := context.WithTimeout(ctx, pollTimeout)
	epoch, ok, err := b.hints.Epoch(ask)
	cancel()
	if ctx.Err() != nil {
		return
	}
	b.heard(began, err)
	if err != nil {
		return
	}
	rebuild := b.forgot(epoch, ok, e.waiting() == 0)
	source, pages := "due", sweepPages
	if rebuild || whole {
		pages = 0
	}
	if rebuild {
		source = "rebuild"
	}
	seen := make(map[BatchID]bool)
	err = e.eachDue(ctx, pages, func(hs []Hint) error {
		for _, h := range hs {
			seen[h.Batch] = true
		}
		return b.push(ctx, source, b.unknown(hs))
	})
	b.swept(err == nil && pages == 0, rebuild && err != nil, seen)
}

func (e *Engine) waiting() int64 {
	var n int64
	for _, l := range e.lanes {
		for p := range l.waiting {
			n += l.waiting[p].Load()
		}
	}
	return n
}

// forgot decides whether everything that is due must be hinted again.
func (b *belt) forgot(epoch string, ok, empty bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	rebuild := b.rebuild || !ok || epoch != b.epoch || empty
	b.epoch, b.rebuild = epoch, false
	if rebuild {
		clear(b.known)
	}
	return rebuild
}

// swept drops what a whole sweep did not see due any more, and remembers an
// unfinished rebuild.
func (b *belt) swept(whole, again bool, seen map[BatchID]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rebuild = b.rebuild || again
	if !whole {
		return
	}
	for id := range b.known {
		if !seen[id] {
			delete(b.known, id)
		}
	}
}
