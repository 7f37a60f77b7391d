package gateway

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"loa/gateway/watch"
)

// How far the machine's clock may be set, or be from the ledger's, before the
// gateway goes by another.
const (
	maxStep  = 2 * time.Second
	maxSkew  = 250 * time.Millisecond // from PostgreSQL's clock; less is the way of the question
	tellSkew = 2 * time.Second
	slewed   = 10 * time.Millisecond // from the anchor, before there is a new one
)

// clock is the time that the gateway goes by. It follows the machine's, but
// not a step of it: an alert would end early or late. And where several nodes
// share PostgreSQL, it follows the database's: all of them agree.
type clock struct {
	wall   func() time.Time // the machine's
	anchor atomic.Pointer[anchor]
	offset atomic.Int64 // nanoseconds to the database's
}

// anchor is a moment by the machine's clock, with the monotonic reading, and
// without it.
type anchor struct{ at, said time.Time }

func newClock(wall func() time.Time) *clock {
	c := &clock{wall: wall}
	now := wall()
	c.anchor.Store(&anchor{now, now.Round(0)})
	return c
}

// now is the agreed time.
func (c *clock) now() time.Time {
	t, _ := c.steady()
	if o := c.offset.Load(); o != 0 {
		t = t.Round(0).Add(time.Duration(o))
	}
	return t
}

// steady is the machine's time as if nobody had set its clock by more than two
// seconds, and how far it was set.
func (c *clock) steady() (t time.Time, step time.Duration) {
	w, a := c.wall(), c.anchor.Load()
	t = a.said.Add(w.Sub(a.at))
	step = w.Round(0).Sub(t)
	if step.Abs() > maxStep {
		return t, step
	}
	if step.Abs() > slewed {
		c.anchor.CompareAndSwap(a, &anchor{w, w.Round(0)})
	}
	return w, 0
}

// agree asks the ledger for its time and follows it from now on, if it has a
// clock of its own.
func (g *Gateway) agree(ctx context.Context) (skew time.Duration, err error) {
	asked, _ := g.clock.steady()
	theirs, ok, err := g.ledger.Time(ctx)
	if err != nil || !ok {
		return 0, err
	}
	answered, _ := g.clock.steady()
	ours := asked.Round(0).Add(answered.Sub(asked) / 2)
	skew = theirs.Sub(ours)
	if skew.Abs() <= maxSkew {
		skew = 0
	}
	g.clock.offset.Store(int64(skew))
	return skew, nil
}

// probeClocks tells when the gateway does not go by the machine's clock.
func (g *Gateway) probeClocks(ctx context.Context) []watch.Part {
	kept, shared := watch.Fine("clock/machine"), watch.Fine("clock/ledger")
	if _, step := g.clock.steady(); step != 0 {
		kept = watch.Fault("clock/machine", watch.ClockJump, fmt.Sprintf("The machine's clock was set by %s while the gateway ran; the gateway keeps the time it had.", step.Round(100*time.Millisecond)))
		kept.Remedy = "Set the machine's clock right (timedatectl); if it is right now, restart loa, which then goes by it."
	}
	skew, err := g.agree(ctx)
	if err == nil && skew.Abs() > tellSkew {
		shared = watch.Fault("clock/ledger", watch.ClockJump, fmt.Sprintf("This machine's clock is %s from PostgreSQL's; the gateway goes by PostgreSQL's.", (-skew).Round(100*time.Millisecond)))
	}
	return []watch.Part{kept, shared}
}
