package delivery

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"loa/channels"
)

// regionChars is how much of a telephone number names a carrier's range when
// no longer prefix is configured: "+" with country and the two digits after.
const regionChars = 5

// wellFor is how long a success counts as a sign that a range works.
const wellFor = time.Minute

// region is the range of numbers that a telephone number is of; empty for an
// address that is none.
func (l *lane) region(to channels.Address) string {
	s := to.Reveal()
	if len(s) <= regionChars || s[0] != '+' {
		return ""
	}
	n := regionChars
	for _, p := range l.providers {
		for _, x := range p.prefixes {
			if len(x) > n && strings.HasPrefix(s, x) {
				n = len(x)
			}
		}
	}
	return s[:n]
}

// regions are a provider's breakers of ranges of numbers: the carrier behind
// one may be down while all others work. A range has one from its first failure
// until it works again.
type regions struct {
	sick atomic.Int32 // how many there are

	mu   sync.Mutex
	all  map[string]*regional
	well [64]atomic.Int64 // when a range with this hash last took a message, Unix seconds
}

type regional struct {
	breaker
	told  bool
	since time.Time // wall clock, of told
	fault channels.Fault
	code  string
}

// probes says of what a call is the probe.
type probes struct{ provider, region bool }

func slotOf(region string) int {
	h := uint32(2166136261)
	for i := range len(region) {
		h = (h ^ uint32(region[i])) * 16777619
	}
	return int(h % 64)
}

func (r *regions) get(region string) *regional {
	if r.sick.Load() == 0 || region == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[region]
}

// ready says how long nothing may be sent to the region.
func (r *regions) ready(region string, now time.Time) time.Duration {
	if b := r.get(region); b != nil {
		return b.ready(now)
	}
	return 0
}

// allow asks to start one call, which may be a probe.
func (r *regions) allow(region string, now time.Time) (ok, probe bool) {
	b := r.get(region)
	if b == nil {
		return true, false
	}
	n, probe := b.allow(1, now)
	return n == 1, probe
}

// dropped gives a probe back that was never called.
func (r *regions) dropped(region string) {
	if b := r.get(region); b != nil {
		b.dropped()
	}
}

// result hears how a call to the region ended. It reports whether the answer
// tells of the region alone, and so not of the provider.
func (r *regions) result(e *channels.Error, region string, of probes, whole *breaker, now time.Time) bool {
	if region == "" || e != nil && e.Account {
		return false
	}
	if e == nil {
		if at := &r.well[slotOf(region)]; at.Load() != now.Unix() {
			at.Store(now.Unix())
		}
	}
	if answered(e) {
		if b := r.get(region); b != nil {
			r.works(region, b, of.region, now)
		}
		return false
	}
	b := r.suspect(region, whole)
	if b.open.Load() {
		if of.region {
			b.result(e, true, now)
		}
		return !of.provider
	}
	if int(b.failures.Add(weight(e))) < b.cfg.Failures || !r.others(region, now) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault, b.code = e.Fault, e.Code
	b.trip(now)
	whole.failures.Store(0)
	return true
}

// works takes note of an answer; a range that works needs no breaker.
func (r *regions) works(region string, b *regional, probe bool, now time.Time) {
	if b.open.Load() && !probe {
		return
	}
	b.result(nil, probe, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all[region] == b && !b.told && b.failures.Load() == 0 {
		delete(r.all, region)
		r.sick.Add(-1)
	}
}

func (r *regions) suspect(region string, whole *breaker) *regional {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.all[region]; b != nil {
		return b
	}
	if r.all == nil {
		r.all = make(map[string]*regional)
	}
	b := &regional{}
	b.cfg, b.jitter, b.wait = whole.cfg, whole.jitter, whole.cfg.Open
	r.all[region] = b
	r.sick.Add(1)
	return b
}

// others reports whether another range took a message lately.
func (r *regions) others(region string, now time.Time) bool {
	own := slotOf(region)
	for i := range r.well {
		if i != own && r.well[i].Load() > now.Add(-wellFor).Unix() {
			return true
		}
	}
	return false
}
