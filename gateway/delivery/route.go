package delivery

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"loa/channels"
)

// order is the lane's providers in the order in which they are preferred for a
// range of numbers: those with the longest prefix of it, then those that prefer
// no range, then those that prefer others; among equals the cheaper, then the
// one that is configured first.
func (l *lane) order(region string) []*provider {
	if len(l.providers) == 1 {
		return l.providers
	}
	l.routes.Lock()
	defer l.routes.Unlock()
	if ps := l.routes.of[region]; ps != nil {
		return ps
	}
	ps := slices.Clone(l.providers)
	slices.SortStableFunc(ps, func(a, b *provider) int {
		return cmp.Or(cmp.Compare(b.prefers(region), a.prefers(region)), cmp.Compare(a.cost, b.cost))
	})
	if l.routes.of == nil {
		l.routes.of = make(map[string][]*provider)
	}
	l.routes.of[region] = ps
	return ps
}

// prefers is how well the provider's prefixes fit: their length, 0 if it has
// none, -1 if it has others.
func (p *provider) prefers(region string) int {
	best := -1
	if len(p.prefixes) == 0 {
		best = 0
	}
	for _, x := range p.prefixes {
		if strings.HasPrefix(region, x) {
			best = max(best, len(x))
		}
	}
	return best
}

// barred says why a provider may not be used for one recipient of the hold.
type barred uint8

const (
	open      barred = iota
	never            // it has refused this text, or the status guard does
	later            // the text or the range of numbers is held back on it
	unhealthy        // it is down or asks to be left alone for long
	paced            // only its rate is used up, or it asks for a moment
)

// bar is whether the provider may be used now, and else how long it may not.
func (h *hold) bar(p *provider, i int32, region string, now time.Time) (barred, time.Duration) {
	if h.refused&p.bit() != 0 || h.not[i] == p.name || h.guard(p) != nil {
		return never, 0
	}
	if wait := max(h.text.blocked(p, now), p.regions.ready(region, now)); wait > 0 {
		return later, wait
	}
	wait := p.breaker.ready(now)
	if pause := p.pause(now); wait == 0 && pause > 0 && pause <= yieldAfter {
		return paced, pause
	} else if wait = max(wait, pause); wait > 0 {
		return unhealthy, wait
	}
	return open, 0
}

func (p *provider) bit() uint64 { return 1 << (p.index % 64) }

// route picks the provider for a recipient. out are those whose rate is used up
// in this turn; only what is urgent goes past them to a provider that is less
// preferred. Without a provider it says how long to wait, and whether the
// recipient is to be set aside, because others of the batch need not wait.
func (h *hold) route(order []*provider, i int32, region string, out map[*provider]bool, now time.Time) (p *provider, aside bool, wait time.Duration) {
	wait = maxPause
	for _, p := range order {
		why, d := h.bar(p, i, region, now)
		if why == open && out[p] {
			why, d = paced, time.Millisecond
		}
		switch why {
		case open:
			return p, false, 0
		case later:
			aside = true
			wait = min(wait, d)
		case unhealthy:
			wait = min(wait, d)
		case paced:
			wait = min(wait, d)
			if h.Priority > P1 {
				return nil, false, wait
			}
			return h.past(order, p, i, region, out, now, wait)
		case never:
		}
	}
	return nil, aside, wait
}

// past looks behind a provider that is at its rate.
func (h *hold) past(order []*provider, full *provider, i int32, region string, out map[*provider]bool, now time.Time, wait time.Duration) (*provider, bool, time.Duration) {
	for _, p := range order[slices.Index(order, full)+1:] {
		if why, _ := h.bar(p, i, region, now); why == open && !out[p] {
			return p, false, 0
		}
	}
	return nil, false, wait
}

// plain reports whether every recipient goes the same way, so that none needs
// to be looked at alone.
func (l *lane) plain(h *hold) bool {
	return len(l.providers) == 1 && l.providers[0].regions.sick.Load() == 0 && h.text.stops.Load() == 0
}

// startRouted starts the recipients whose addresses are open, each on the
// provider that is best for it. Those that can go nowhere now are set aside.
func (w *worker) startRouted(h *hold, room *int, now, wall time.Time) (blocked bool, wait time.Duration) {
	n := h.ready - h.next
	first := len(h.addrs) - n
	r := routing{
		h: h, picks: h.picks[h.next:h.ready], addrs: h.addrs[first:],
		regions: make([]string, n), gone: make([]bool, n), out: make(map[*provider]bool), wait: maxPause,
	}
	for i, to := range r.addrs {
		r.regions[i] = w.l.region(to)
	}
	if !r.well() {
		// What is called now is a probe: it should not always be of the range of
		// numbers that happens to come first.
		for i := n - 1; i > 0; i-- {
			r.swap(i, int(w.e.opt.Jitter(int64(i)+1)))
		}
	}
	for *room > 0 && w.round(&r, room, now, wall) {
	}
	kept := 0
	for i := range r.picks {
		if !r.gone[i] {
			r.picks[kept], r.addrs[kept] = r.picks[i], r.addrs[i]
			kept++
		}
	}
	// What is left moves to the end, and the window on it with it.
	copy(r.picks[n-kept:], r.picks[:kept])
	copy(r.addrs[n-kept:], r.addrs[:kept])
	h.next += n - kept
	if kept == 0 || *room == 0 {
		return false, 0
	}
	return true, r.wait
}

// routing is one look at the recipients of a hold whose addresses are open.
type routing struct {
	h       *hold
	picks   []pick
	addrs   []channels.Address
	regions []string
	gone    []bool
	out     map[*provider]bool // at their rate
	wait    time.Duration
}

func (r *routing) swap(i, j int) {
	r.picks[i], r.picks[j] = r.picks[j], r.picks[i]
	r.addrs[i], r.addrs[j] = r.addrs[j], r.addrs[i]
	r.regions[i], r.regions[j] = r.regions[j], r.regions[i]
}

// well reports whether no provider is behind an open breaker.
func (r *routing) well() bool {
	return !slices.ContainsFunc(r.h.lane.providers, func(p *provider) bool { return p.breaker.open.Load() })
}

// round finds a provider for as many as there is room for and takes its calls.
// It reports whether another round may start more.
func (w *worker) round(r *routing, room *int, now, wall time.Time) bool {
	h := r.h
	want := make(map[*provider][]int)
	left := *room
	for i := range r.picks {
		if left == 0 {
			break
		}
		if r.gone[i] {
			continue
		}
		if r.addrs[i] == "" {
			h.close(r.picks[i], channels.Cancelled, wall)
			r.gone[i] = true
			continue
		}
		p, aside, wait := h.route(w.l.order(r.regions[i]), r.picks[i].index, r.regions[i], r.out, now)
		switch {
		case p != nil:
			want[p] = append(want[p], i)
			left--
		case aside:
			h.aside(r.picks[i], wall, wait, w.e.opt.Jitter)
			r.gone[i] = true
		default:
			r.wait = min(r.wait, wait)
		}
	}
	more := false
	for _, p := range w.l.providers {
		if is := want[p]; len(is) > 0 {
			more = w.begin(r, p, is, room, now) || more
		}
	}
	return more
}

// begin starts what the provider's rate allows of the recipients is. It reports
// whether some are left for another provider.
func (w *worker) begin(r *routing, p *provider, is []int, room *int, now time.Time) bool {
	granted, probe, wait := p.take(len(is), now)
	if granted < len(is) {
		r.out[p] = true
		r.wait = min(r.wait, max(wait, time.Millisecond))
	}
	for k, i := range is[:granted] {
		ok, regionProbe := p.regions.allow(r.regions[i], now)
		if !ok {
			if probe && k == 0 {
				p.breaker.dropped()
			}
			continue // another call was the probe; it is set aside in the next round
		}
		pk := r.picks[i]
		c := w.newCall()
		c.h, c.p, c.index, c.attempt, c.to, c.region = r.h, p, int(pk.index), r.h.start(pk), r.addrs[i], r.regions[i]
		c.probes = probes{probe, regionProbe}
		c.stand()
		r.h.calls = append(r.h.calls, c)
		r.gone[i] = true
		*room--
	}
	return granted < len(is) || p.regions.sick.Load() > 0
}

// aside lets a recipient wait for a provider that takes it, and spends nothing.
func (h *hold) aside(p pick, wall time.Time, wait time.Duration, jitter func(n int64) int64) {
	const least, most = time.Second, 30 * time.Second
	wait = min(max(wait, least), most)
	wait += time.Duration(jitter(int64(wait)/4 + 1))
	d := Delta{
		Index: int(p.index), Attempt: h.Marks[p.index].Attempt(), Outcome: channels.Pending, Exception: true,
		Due: wall.Add(wait), Fault: channels.FaultProvider, Code: CodeRoute, At: wall,
	}
	if x, ok := h.before[d.Index]; ok {
		d.Code = "" // the row keeps what it says
		x.stays(&d, d.Due)
	}
	h.settled(d)
}
