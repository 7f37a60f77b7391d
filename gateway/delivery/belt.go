package delivery

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"loa/channels"
)

// lostAfter is how long after a hint was laid an empty pop means that it was
// lost: whoever popped it has claimed its batch by then.
const lostAfter = time.Second

// errDirect says that the queue is not asked while it counts as away.
var errDirect = errors.New("delivery: direct mode")

// belt is the engine's side of the queue: it knows whether it works, and which
// hints lie on it by this process's doing.
type belt struct {
	e     *Engine
	hints Hints

	mu      sync.Mutex
	direct  bool
	since   time.Time // of the mode, wall clock
	failing time.Time // since when nothing has worked, monotonic; zero: it works
	worked  time.Time // when the poller last found that it does
	known   map[BatchID]time.Time
	rebuild bool // hint everything that is due
	epoch   string
}

func (b *belt) init(e *Engine) {
	b.e, b.hints = e, e.opt.Hints
	b.known = make(map[BatchID]time.Time)
	b.rebuild = true
}

func (b *belt) start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since = b.e.opt.Now()
	b.setGauge()
}

func (b *belt) setGauge() {
	v := 0.0
	if b.direct {
		v = 1
	}
	b.e.m.direct.Set(v)
}

func (b *belt) mode() (Mode, time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.hints == nil:
		return ModeLedger, b.since
	case b.direct:
		return ModeDirect, b.since
	}
	return ModeQueue, b.since
}

// usesQueue reports whether workers pop hints.
func (b *belt) usesQueue() bool {
	if b.hints == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.direct
}

// works is called by the poller after all it asked worked, reads and writes. A
// call that worked says less: a full or read-only queue still answers some.
func (b *belt) works() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failing, b.worked = time.Time{}, mono()
	if b.direct {
		b.direct, b.rebuild, b.since = false, true, b.e.opt.Now()
		b.e.opt.Log.Info("the queue is back; direct mode ends")
		b.setGauge()
	}
}

// heard takes note of a call that began then and failed. A call that hung has
// failed all the while.
func (b *belt) heard(began time.Time, err error) {
	if err == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.e.m.failures.WithLabelValues("queue").Inc()
	if b.failing.IsZero() {
		b.failing = began
		if began.Before(b.worked) {
			b.failing = b.worked
		}
	}
	if !b.direct && mono().Sub(b.failing) >= b.e.opt.DirectAfter {
		b.direct, b.since = true, b.e.opt.Now()
		b.e.opt.Log.Warn("the queue is away; workers claim from the ledger", "err", err)
		b.setGauge()
	}
}

// push lays hints on the belt and remembers them.
func (b *belt) push(ctx context.Context, source string, hs []Hint) error {
	if len(hs) == 0 {
		return nil
	}
	if !b.usesQueue() {
		return errDirect
	}
	began := mono()
	err := b.hints.Push(ctx, hs...)
	b.heard(began, err)
	if err != nil {
		return err
	}
	b.e.m.hinted.WithLabelValues(source).Add(float64(len(hs)))
	now := mono()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range hs {
		b.known[h.Batch] = now
	}
	return nil
}

// unknown filters the hints that need not be laid on the belt: this process
// did so already, and no pop has come back empty long after.
func (b *belt) unknown(hs []Hint) []Hint {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Hint
	for _, h := range hs {
		at, ok := b.known[h.Batch]
		if ok && b.e.lane(h.Kind).empty[min(h.Priority, P3)].Load() < at.Add(lostAfter).UnixNano() {
			continue
		}
		out = append(out, h)
	}
	return out
}

// done takes entries off the belt. Those that are left there by a failure are
// harmless: they find nothing to claim. Batches that were just laid there
// again stay known.
func (b *belt) done(ctx context.Context, es []Entry, again []Hint) {
	if len(es) == 0 || b.hints == nil {
		return
	}
	b.mu.Lock()
	for _, en := range es {
		if !slices.ContainsFunc(again, func(h Hint) bool { return h.Batch == en.Batch }) {
			delete(b.known, en.Batch)
		}
	}
	b.mu.Unlock()
	if b.usesQueue() {
		began := mono()
		b.heard(began, b.hints.Done(ctx, es...))
	}
}

// Hint is called after a cut was committed: it lays the hints on the belt and
// wakes this process's workers. What cannot be laid there now the sweeper
// finds in the ledger.
func (e *Engine) Hint(ctx context.Context, hs ...Hint) {
	kinds := make(map[channels.Kind]bool, 1)
	for _, h := range hs {
		if l := e.lane(h.Kind); l != nil {
			l.waiting[min(h.Priority, P3)].Add(1)
			kinds[h.Kind] = true
		}
	}
	if err := e.belt.push(ctx, "cut", hs); err != nil && !errors.Is(err, errDirect) {
		e.opt.Log.Warn("hints could not be pushed; the sweeper will find the batches")
	}
	for k := range kinds {
		e.lane(k).wake()
	}
}
