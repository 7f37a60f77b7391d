package delivery

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"loa/channels"
)

const (
	firstPause = 250 * time.Millisecond // after a throttle that named no time
	maxPause   = 5 * time.Minute
	slower     = 0.9  // what a throttle leaves of the pace
	faster     = 0.01 // what a second without one adds to it
)

// provider is one sender (or broadcaster) with its breaker, its pause and its
// pace. Times are of the monotonic clock.
type provider struct {
	name      string
	live      bool
	sender    channels.Sender
	broadcast channels.Broadcaster
	perSecond int
	nodes     int
	breaker   *breaker
	counts    *sendCounters

	paused atomic.Bool // a hint that until may lie ahead

	mu        sync.Mutex
	until     time.Time // throttled until
	throttles int       // in a row
	pace      float64   // of perSecond, 0.1 … 1
	paceAt    time.Time
	tokens    float64 // of the local bucket
	tokensAt  time.Time
	last      *channels.Error // of the latest call that counted against it
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

// result hears how a call ended.
func (p *provider) result(e *channels.Error, probe bool, now time.Time) {
	var f channels.Fault
	if e != nil {
		f = e.Fault
	}
	if e != nil && f != channels.FaultThrottled && f != channels.FaultAddress && f != channels.FaultContent {
		p.mu.Lock()
		p.last = e
		p.mu.Unlock()
	}
	p.breaker.result(e == nil, f, probe, now)
	if f == channels.FaultThrottled {
		p.throttle(e.RetryAfter, now)
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

// throttle moves the whole provider: a pause, and a slower pace after it.
func (p *provider) throttle(retryAfter time.Duration, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if retryAfter <= 0 {
		if now.Before(p.until) {
			return // one of the calls that were open when the pause began
		}
		if now.Sub(p.until) > 10*time.Second {
			p.throttles = 0
		}
		ceiling := min(firstPause<<min(p.throttles, 8), 10*time.Second)
		retryAfter = ceiling/2 + time.Duration(rand.Int64N(int64(ceiling/2)+1)) //nolint:gosec // jitter
		p.throttles++
	}
	if until := now.Add(min(retryAfter, maxPause)); until.After(p.until) {
		p.until = until
	}
	if now.Sub(p.paceAt) > time.Second {
		p.pace = max(0.1, p.currentPace(now)*slower)
		p.paceAt = now
	}
	p.tokens = 0
	p.paused.Store(true)
}

func (p *provider) currentPace(now time.Time) float64 {
	return min(1, p.pace+faster*now.Sub(p.paceAt).Seconds())
}

// take asks for up to n calls. It says how many may start, whether the one is
// a probe, and otherwise how long to wait.
func (p *provider) take(ctx context.Context, shared Rate, n int, now, wall time.Time) (granted int, probe bool, wait time.Duration) {
	if wait := p.ready(now); wait > 0 {
		return 0, false, wait
	}
	granted, wait = p.pacedBy(ctx, shared, n, now, wall)
	if granted == 0 {
		return 0, false, wait
	}
	granted, probe = p.breaker.allow(granted, now)
	if granted == 0 {
		wait = p.breaker.cfg.Open
	}
	return granted, probe, wait
}

func (p *provider) pacedBy(ctx context.Context, shared Rate, n int, now, wall time.Time) (int, time.Duration) {
	if p.perSecond <= 0 {
		return n, 0
	}
	p.mu.Lock()
	limit := max(1, float64(p.perSecond)*p.currentPace(now))
	p.mu.Unlock()
	if shared != nil {
		if granted, wait, err := shared.Take(ctx, p.name, int(limit), n, wall); err == nil {
			return granted, wait
		}
	}
	return p.local(limit/float64(p.nodes), n, now)
}

// local is this node's own bucket: it never holds more than a twentieth of a
// second's calls, so that no second sees more than 1.05 times the limit.
func (p *provider) local(limit float64, n int, now time.Time) (int, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	burst := max(1, limit/20)
	p.tokens = min(burst, p.tokens+now.Sub(p.tokensAt).Seconds()*limit)
	p.tokensAt = now
	granted := min(n, int(p.tokens))
	if granted > 0 {
		p.tokens -= float64(granted)
		return granted, 0
	}
	missing := min(burst, float64(n)) - p.tokens
	return 0, time.Duration(missing/limit*float64(time.Second)) + time.Millisecond
}
