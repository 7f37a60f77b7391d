package delivery

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"loa/channels"
)

// providerWeight is how many failures in a row a provider fault counts as. One
// alone may be about one recipient (no route to a number, a subscription made
// with another key), and must not hold all others back.
const providerWeight = 4

// breaker holds calls back from a provider that is down. A few provider faults
// in a row open it; so do many answers in a row that prove nothing. While it
// is open nothing is called; then one probe is, and its answer decides.
type breaker struct {
	cfg      Breaker
	open     atomic.Bool
	failures atomic.Int32

	mu      sync.Mutex
	until   time.Time
	wait    time.Duration // the next opening
	probing bool
}

func newBreaker(cfg Breaker) *breaker {
	cfg = cfg.withDefaults()
	return &breaker{cfg: cfg, wait: cfg.Open}
}

// ready says how long nothing may be called; 0 if something may.
func (b *breaker) ready(now time.Time) time.Duration {
	if !b.open.Load() {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open.Load():
		return 0
	case now.Before(b.until):
		return b.until.Sub(now)
	case b.probing:
		return b.cfg.Open
	}
	return 0
}

// allow says how many of n calls may start; a probe is one call alone, which
// must be told to result or dropped.
func (b *breaker) allow(n int, now time.Time) (granted int, probe bool) {
	if !b.open.Load() {
		return n, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open.Load() {
		return n, false
	}
	if n == 0 || b.probing || now.Before(b.until) {
		return 0, false
	}
	b.probing = true
	return 1, true
}

// dropped gives a probe back that was never called.
func (b *breaker) dropped() {
	b.mu.Lock()
	b.probing = false
	b.mu.Unlock()
}

// mayCall is asked just before a call.
func (b *breaker) mayCall(probe bool) bool { return probe || !b.open.Load() }

// result hears how a call ended.
func (b *breaker) result(ok bool, f channels.Fault, probe bool, now time.Time) {
	answered := ok || f == channels.FaultAddress || f == channels.FaultContent || f == channels.FaultThrottled
	if answered && !probe {
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case answered:
		b.probing, b.wait = false, b.cfg.Open
		b.failures.Store(0)
		b.open.Store(false)
	case probe:
		b.trip(now)
	case b.open.Load():
	default:
		weight := int32(1)
		if f == channels.FaultProvider {
			weight = providerWeight
		}
		if int(b.failures.Add(weight)) >= b.cfg.Failures {
			b.trip(now)
		}
	}
}

func (b *breaker) trip(now time.Time) {
	b.open.Store(true)
	b.probing = false
	b.failures.Store(0)
	b.until = now.Add(b.wait + time.Duration(rand.Int64N(int64(b.wait)/5+1))) //nolint:gosec // jitter
	b.wait = min(2*b.wait, b.cfg.MaxOpen)
}
