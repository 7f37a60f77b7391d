package api

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// ErrTooMany says that a source tries too often.
var ErrTooMany = errors.New("too many attempts from here: wait a minute")

// Attempts from one source: so many at once, and one more each interval.
const (
	attemptsAtOnce = 60
	attemptEvery   = time.Second
	maxSources     = 10_000
)

// Attempts bounds how often a source may try to enrol or sign in. What one source
// does is held against no other, and against no passkey. Safe for concurrent use.
type Attempts struct {
	now func() time.Time

	mu      sync.Mutex
	sources map[netip.Prefix]time.Time // when a source will have all its attempts again
}

// NewAttempts bounds nobody yet.
func NewAttempts(now func() time.Time) *Attempts {
	return &Attempts{now: now, sources: map[netip.Prefix]time.Time{}}
}

// take counts an attempt, ErrTooMany if there are none left.
func (t *Attempts) take(r *http.Request) error {
	source := sourceOf(r)
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	full := t.sources[source]
	if full.Before(now) {
		full = now
	}
	full = full.Add(attemptEvery)
	if full.Sub(now) > attemptsAtOnce*attemptEvery {
		return ErrTooMany
	}
	if _, known := t.sources[source]; !known && len(t.sources) >= maxSources {
		t.forget(now)
	}
	t.sources[source] = full
	return nil
}

// forget drops who has all attempts again, or else whoever stands first: memory
// is bounded, and nobody waits for others.
func (t *Attempts) forget(now time.Time) {
	for s, full := range t.sources {
		if !now.Before(full) {
			delete(t.sources, s)
		}
	}
	for s := range t.sources {
		if len(t.sources) < maxSources {
			return
		}
		delete(t.sources, s)
	}
}

// sourceOf is the address that a request comes from, of IPv6 the network of one
// subscriber. A proxy on this machine says for whom it asks; the last address
// that it names is the one that it has seen itself.
func sourceOf(r *http.Request) netip.Prefix {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	ip := peer.Addr().Unmap()
	if named := r.Header.Values("X-Forwarded-For"); ip.IsLoopback() && len(named) > 0 {
		last := named[len(named)-1]
		last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
		if seen, err := netip.ParseAddr(last); err == nil {
			ip = seen.Unmap()
		}
	}
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	source, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return source
}
