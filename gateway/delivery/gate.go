package delivery

import (
	"context"
	"sync/atomic"
	"time"
)

// gate lets a provider's calls start at its rate. A call asks for leave when it
// is about to start, not before: what was granted to a call that starts later
// would start together with what is granted then, here or on another node.
type gate struct {
	turn    chan struct{} // held by the one call that looks, or asks for all
	waiting atomic.Int32  // calls that wait for leave
	left    int           // of what was granted at at
	at      time.Time     // monotonic
	next    time.Time     // nothing is asked for before
	starts  []time.Time   // of the last second, oldest first
}

const (
	grantFor = 10 * time.Millisecond // how long a grant is good
	gateLook = 50 * time.Millisecond // a call that waits looks so often whether it still may start

	// lineParts is the part of a second's calls that may be marked and wait for
	// leave: enough to share commits, few enough to be called off in no time.
	lineParts = 10
)

// place says for how many of n calls there is room in the line of those that are
// to start next, and otherwise how long to wait.
func (p *provider) place(n int, now time.Time) (int, time.Duration) {
	limit := p.limit(now)
	if limit <= 0 {
		return n, 0
	}
	if free := max(1, int(limit/lineParts)) - int(p.line.Load()); free > 0 {
		return min(n, free), 0
	}
	return 0, min(max(time.Duration(float64(time.Second)/limit), minGather), gateLook)
}

// limit is how many calls a second are made now; 0 if there is no limit.
func (p *provider) limit(now time.Time) float64 {
	if !p.slowed.Load() {
		return float64(p.perSecond)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(1, p.pace.base*p.pace.current(now))
}

// most is how many calls a second may start, whatever was granted: the limit
// that is configured, or else the one that was learned.
func (p *provider) most() int {
	if p.perSecond > 0 {
		return p.perSecond
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.pace.base) + 1
}

// stand puts a call into its provider's line, leave takes it out.
func (c *call) stand() {
	c.inLine = true
	c.p.line.Add(1)
}

func (c *call) leave() {
	if c.inLine {
		c.inLine = false
		c.p.line.Add(-1)
	}
}

// may gives one of the waiting calls leave to start now, or says how long there
// is no point in asking again.
func (p *provider) may(ctx context.Context, shared Rate, wall time.Time) (bool, time.Duration) {
	g := &p.gate
	if !g.taken(ctx) {
		return false, 0
	}
	defer func() { <-g.turn }()
	now := mono()
	if wait := g.full(p.most(), now); wait > 0 {
		return false, wait
	}
	if g.left == 0 || now.Sub(g.at) > grantFor {
		g.left = 0
		if wait := g.next.Sub(now); wait > 0 {
			return false, wait
		}
		granted, wait := p.rated(ctx, shared, max(1, int(g.waiting.Load())), now, wall)
		now = mono()
		if granted == 0 {
			g.next = now.Add(wait)
			return false, wait
		}
		g.left, g.at = granted, now
	}
	g.left--
	g.starts = append(g.starts, now)
	return true, 0
}

// full says how long no call may start because as many have in the last second
// as any second may see: 1.05 times the limit. The caller holds the turn.
func (g *gate) full(perSecond int, now time.Time) time.Duration {
	n := 0
	for n < len(g.starts) && now.Sub(g.starts[n]) >= time.Second {
		n++
	}
	g.starts = append(g.starts[:0], g.starts[n:]...)
	if most := max(perSecond, perSecond*21/20); len(g.starts) >= most {
		return g.starts[len(g.starts)-most].Add(time.Second).Sub(now)
	}
	return 0
}

// taken takes the turn, unless another call has it for so long that this one
// should look whether it still may start.
func (g *gate) taken(ctx context.Context) bool {
	select {
	case g.turn <- struct{}{}:
		return true
	default:
	}
	t := time.NewTimer(gateLook)
	defer t.Stop()
	select {
	case g.turn <- struct{}{}:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// admit waits until the provider's rate lets one call start. Meanwhile, and
// once more at the end, barred says whether it must not any more.
func (e *Engine) admit(ctx context.Context, p *provider, barred func() bounce) bounce {
	if p.perSecond <= 0 && !p.slowed.Load() {
		return made
	}
	p.gate.waiting.Add(1)
	defer p.gate.waiting.Add(-1)
	for {
		ok, wait := p.may(ctx, e.shared(), e.opt.Now())
		if !ok && !pausedFor(ctx, min(wait, gateLook)) {
			return bounceProvider
		}
		if why := barred(); ok || why != made {
			return why
		}
	}
}

func pausedFor(ctx context.Context, wait time.Duration) bool {
	t := time.NewTimer(max(wait, time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// barred says why a call must not be made any more.
func (e *Engine) barred(c *call) bounce {
	now := mono()
	switch {
	case c.h.alert.dead.Load() || e.isStopping():
		return bounceStop
	case !now.Before(c.until):
		return bounceLease
	case !c.h.Expires.IsZero() && !e.opt.Now().Before(c.h.Expires):
		return bounceExpired
	case c.h.Priority > c.h.lane.floor():
		return bounceYield
	case !c.ask && !c.late && !c.p.mayCall(c.probes.provider, now):
		return bounceProvider
	}
	return made
}
