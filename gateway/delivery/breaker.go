package delivery

import (
	"sync"
	"sync/atomic"
	"time"

	"loa/channels"
)

// providerWeight is how many failures in a row a provider fault counts as. One
// alone may be about one recipient (no route to a number, a subscription made
// with another key), and must not hold all others back.
const providerWeight = 4

// How long an account that is refused is left alone before the first probe, and
// at most.
const (
	accountOpen = 30 * time.Second
	accountMost = 5 * time.Minute
)

// breaker holds calls back from a provider that is down. A few provider faults
// in a row open it; so do many answers in a row that prove nothing. While it
// is open nothing is called; then one probe is, and its answer decides.
type breaker struct {
	cfg      Breaker
	jitter   func(n int64) int64
	open     atomic.Bool
	failures atomic.Int32

	mu      sync.Mutex
	until   time.Time
	wait    time.Duration // the next opening
	probing bool
}

func newBreaker(cfg Breaker, jitter func(n int64) int64) *breaker {
	cfg = cfg.withDefaults()
	return &breaker{cfg: cfg, jitter: jitter, wait: cfg.Open}
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

// result hears how a call ended and reports whether the breaker opened.
func (b *breaker) result(e *channels.Error, probe bool, now time.Time) bool {
	if e != nil && e.Account {
		return b.account(probe, now)
	}
	if answered(e) && !probe {
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case answered(e):
		b.probing, b.wait = false, b.cfg.Open
		b.failures.Store(0)
		b.open.Store(false)
	case probe:
		b.trip(now)
	case b.open.Load():
	case int(b.failures.Add(weight(e))) >= b.cfg.Failures:
		b.trip(now)
		return true
	}
	return false
}

// answered reports whether the answer shows that the provider works.
func answered(e *channels.Error) bool {
	return e == nil || e.Fault == channels.FaultAddress || e.Fault == channels.FaultContent || e.Fault == channels.FaultThrottled
}

func weight(e *channels.Error) int32 {
	if e.Fault == channels.FaultProvider {
		return providerWeight
	}
	return 1
}

// account opens the breaker at once and for long: until a person has put the
// account right every further call is in vain.
func (b *breaker) account(probe bool, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open.Load() && !probe {
		return false // one of the calls that were open when the first came back
	}
	opened := !b.open.Load()
	wait := max(min(b.wait, accountMost), accountOpen)
	b.trip(now)
	b.until = now.Add(wait)
	b.wait = min(2*wait, accountMost)
	return opened
}

func (b *breaker) trip(now time.Time) {
	b.open.Store(true)
	b.probing = false
	b.failures.Store(0)
	b.until = now.Add(b.wait + time.Duration(b.jitter(int64(b.wait)/5+1)))
	b.wait = min(2*b.wait, b.cfg.MaxOpen)
}
