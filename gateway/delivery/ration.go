package delivery

import (
	"context"
	"sync"
	"time"
)

// ration lets calls start no faster than they were granted. Calls are granted
// before their marks are durable and start after, some sooner and some later:
// without it those of a slow commit would start together with those of the
// next. In no second do more start here than were granted here in that second.
type ration struct {
	mu      sync.Mutex
	grants  []grant // of the last second, oldest first
	granted int     // their sum
	starts  []time.Time
}

type grant struct {
	at time.Time
	n  int
}

const (
	rationFor  = time.Second           // how long a grant is good
	rationLook = 10 * time.Millisecond // a call that waits looks so often whether more was granted
)

func (r *ration) add(n int, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	r.grants = append(r.grants, grant{now, n})
	r.granted += n
}

// start reports whether a call may start, and otherwise how long to wait before
// it is worth asking again; lapsed says that nothing is granted any more.
func (r *ration) start(limit int, now time.Time) (ok, lapsed bool, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	switch {
	case r.granted == 0:
		return false, true, 0
	case len(r.starts) < min(r.granted, limit):
		r.starts = append(r.starts, now)
		return true, false, 0
	default:
		return false, false, min(rationLook, r.starts[0].Add(rationFor).Sub(now))
	}
}

// forget drops what is a second old. The caller holds mu.
func (r *ration) forget(now time.Time) {
	n := 0
	for ; n < len(r.grants) && now.Sub(r.grants[n].at) >= rationFor; n++ {
		r.granted -= r.grants[n].n
	}
	r.grants = append(r.grants[:0], r.grants[n:]...)
	n = 0
	for n < len(r.starts) && now.Sub(r.starts[n]) >= rationFor {
		n++
	}
	r.starts = append(r.starts[:0], r.starts[n:]...)
}

// mayStart is ration.start with the most that a second may see, 1.05 times the
// limit.
func (p *provider) mayStart(now time.Time) (ok, lapsed bool, wait time.Duration) {
	return p.ration.start(max(p.perSecond, p.perSecond*21/20), now)
}

// await holds a call back until the provider's rate lets it start. What was
// granted too long ago is asked for anew.
func (e *Engine) await(c *call) bounce {
	p := c.p
	if c.ask {
		p = c.asked[0]
	}
	if p.perSecond <= 0 {
		return made
	}
	for {
		ok, lapsed, wait := p.mayStart(mono())
		if ok {
			return made
		}
		if lapsed {
			granted, later := p.pacedBy(c.flight.ctx, e.shared(), 1, mono(), e.opt.Now())
			if granted > 0 {
				continue
			}
			wait = min(later, 5*rationLook)
		}
		if !pausedFor(c.flight.ctx, wait) {
			return bounceProvider
		}
		if why := e.barred(c); why != made {
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
	case !c.ask && !c.late && !c.p.mayCall(c.probes.provider, now):
		return bounceProvider
	}
	return made
}
