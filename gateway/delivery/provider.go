package delivery

import (
	"sync"
	"sync/atomic"
	"time"

	"loa/channels"
)

// provider is one sender (or broadcaster) with its breaker, its pause and its
// pace. Times are of the monotonic clock.
type provider struct {
	name      string
	live      bool
	sender    channels.Sender
	broadcast channels.Broadcaster
	lookup    channels.Lookup // nil: it cannot be asked
	index     int             // in the lane
	prefixes  []string
	cost      int
	perSecond int
	nodes     int
	jitter    func(n int64) int64
	breaker   *breaker
	regions   regions
	counts    *sendCounters

	paused atomic.Bool  // a hint that until may lie ahead
	slowed atomic.Bool  // throttled of late: its answers are counted
	took   atomic.Int64 // calls it accepted
	line   atomic.Int32 // calls marked, or about to be, that have not started

	mu     sync.Mutex
	until  time.Time // throttled until
	pace   pace
	lately lately
	tokens bucket          // of this node's own share
	smooth bucket          // of the whole limit while it is slowed
	gate   gate            // of calls that are about to start
	alone  time.Time       // the shared budget is not asked before; who has the gate's turn
	budget budget          // the shared one; who has the gate's turn
	asking bucket          // of lookups
	last   *channels.Error // of the latest call that counted against it
	since  time.Time       // wall clock, of told
	told   bool            // that it is down
}

// ready says how long nothing may start on the provider; 0 if something may.
func (p *provider) ready(now time.Time) time.Duration {
	return max(p.breaker.ready(now), p.pause(now))
}

func (p *provider) pause(now time.Time) time.Duration {
	if !p.paused.Load() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.until) {
		return p.until.Sub(now)
	}
	p.paused.Store(false)
	return 0
}

// mayCall is asked just before a call.
func (p *provider) mayCall(probe bool, now time.Time) bool {
	return p.breaker.mayCall(probe) && p.pause(now) == 0
}

// result hears how a call to an address of the region ended.
func (p *provider) result(e *channels.Error, region string, probes probes, now time.Time) {
	if e == nil {
		p.took.Add(1)
	}
	if p.slowed.Load() || e != nil && e.Fault == channels.FaultThrottled {
		p.paceBy(e, now)
	}
	if e != nil && !answered(e) {
		p.mu.Lock()
		p.last = e
		p.mu.Unlock()
	}
	if !p.regions.result(e, region, probes, p.breaker, now) {
		p.breaker.result(e, probes.provider, now)
	}
}

// why tells the latest answer that counted against the provider.
func (p *provider) why() (channels.Fault, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		return channels.FaultAmbiguous, ""
	}
	return p.last.Fault, p.last.Code
}

// take asks for up to n calls. It says how many may be marked, whether the one
// is a probe, and otherwise how long to wait. Each starts when the rate lets it.
func (p *provider) take(n int, now time.Time) (granted int, probe bool, wait time.Duration) {
	if wait := p.ready(now); wait > 0 {
		return 0, false, wait
	}
	granted, wait = p.place(n, now)
	if granted == 0 {
		return 0, false, wait
	}
	return p.admits(granted, now)
}

// admits is take without a place in the line: for a call that is marked already.
func (p *provider) admits(n int, now time.Time) (granted int, probe bool, wait time.Duration) {
	if wait := p.ready(now); wait > 0 {
		return 0, false, wait
	}
	granted, probe = p.breaker.allow(n, now)
	if granted == 0 {
		wait = p.breaker.cfg.Open
	}
	return granted, probe, wait
}
