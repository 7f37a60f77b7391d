package delivery

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
	"loa/gateway/alert"
)

// lane is one channel's workers and what they share.
type lane struct {
	Lane
	providers                                       []*provider
	workers                                         []*worker
	active                                          [4]atomic.Int32 // leases held here, by priority
	advanceSeconds, advanceRecipients, claimSeconds prometheus.Observer
	waiting                                         [4]atomic.Int64 // hints not done (or batches due, without a queue), as last seen
	busiest                                         atomic.Uint32   // highest priority that has work, as the ledger last said
	empty                                           [4]atomic.Int64 // when a pop that asked for the priority last found nothing, Unix nanoseconds
	seen                                            [4]sighting     // of the poller alone
	orphans                                         struct {
		sync.Mutex
		due []Hint // as the ledger last said
	}
	texts  texts
	routes struct {
		sync.Mutex
		of map[string][]*provider // by range of numbers
	}
}

// floor is the highest priority that has work, whether the queue knows of it or
// only the ledger. Nothing below it may start.
func (l *lane) floor() Priority {
	for p := range P3 {
		if l.active[p].Load() > 0 || l.waiting[p].Load() > 0 {
			return min(p, l.ledgerFloor())
		}
	}
	return l.ledgerFloor()
}

func (l *lane) ledgerFloor() Priority {
	return Priority(min(l.busiest.Load(), uint32(P3)))
}

// phantomAfter is how long a count of hints may stand still, with nothing to
// pop and nothing held here, before it is taken for entries nobody will finish.
const phantomAfter = 15 * time.Second

// sighting is a count of waiting hints and since when it has not changed.
type sighting struct {
	n     int64
	since time.Time
}

// credible filters a count of hints: entries whose consumer is gone must not
// hold lower priorities back for ever.
func (l *lane) credible(p Priority, n int64) int64 {
	s, now := &l.seen[p], mono()
	if n != s.n || l.active[p].Load() > 0 {
		*s = sighting{n: n, since: now}
		return n
	}
	if now.Sub(s.since) > phantomAfter && time.Unix(0, l.empty[p].Load()).After(s.since) {
		return 0
	}
	return n
}

// provider is the first that something may start on, and otherwise how long
// until one is.
func (l *lane) provider(now time.Time) (*provider, time.Duration) {
	var shortest time.Duration
	for i, p := range l.providers {
		wait := p.ready(now)
		if wait == 0 {
			return p, 0
		}
		if i == 0 || wait < shortest {
			shortest = wait
		}
	}
	return nil, shortest
}

func (l *lane) wake() {
	for _, w := range l.workers {
		w.nudge()
	}
}

// flag is an alert's stop flag, shared by all who hold a batch of it.
type flag struct {
	dead atomic.Bool
	refs int
}

// flags are the stop flags of the alerts now held.
type flags struct {
	mu sync.Mutex
	m  map[alert.ID]*flag
}

// hold registers a holder. A dead flag is not handed out again: a claim after
// the stop means that the ledger lets a later revision live.
func (f *flags) hold(id alert.ID) *flag {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := f.m[id]
	if fl == nil || fl.dead.Load() {
		fl = &flag{}
		f.m[id] = fl
	}
	fl.refs++
	return fl
}

func (f *flags) release(id alert.ID, fl *flag) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.refs--; fl.refs == 0 && f.m[id] == fl {
		delete(f.m, id)
	}
}

func (f *flags) stop(id alert.ID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := f.m[id]
	if fl == nil {
		return false
	}
	fl.dead.Store(true)
	return true
}

func (f *flags) held() []alert.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]alert.ID, 0, len(f.m))
	for id := range f.m {
		ids = append(ids, id)
	}
	return ids
}

func newProviders(l Lane, o *Options, m *metrics) []*provider {
	now := time.Now()
	fresh := func(name string) *provider {
		return &provider{
			name: name, nodes: o.Nodes, jitter: o.Jitter, pace: pace{part: 1, at: now}, tokens: bucket{at: now},
			breaker: newBreaker(Breaker{}, o.Jitter), counts: m.sendsOf(l.Kind, name), gate: gate{turn: make(chan struct{}, 1)},
		}
	}
	if l.Broadcaster != nil {
		p := fresh(string(l.Kind))
		p.broadcast, p.live = l.Broadcaster, l.Broadcaster.Live()
		return []*provider{p}
	}
	ps := make([]*provider, len(l.Providers))
	for i, cfg := range l.Providers {
		p := fresh(cfg.Sender.Provider())
		p.sender, p.live = cfg.Sender, cfg.Sender.Live()
		p.perSecond, p.pace.base, p.breaker = cfg.PerSecond, float64(cfg.PerSecond), newBreaker(cfg.Breaker, o.Jitter)
		p.index, p.prefixes, p.cost = i, cfg.Prefixes, cfg.Cost
		p.lookup, _ = cfg.Sender.(channels.Lookup)
		ps[i] = p
	}
	return ps
}

// lane is the kind's, or nil.
func (e *Engine) lane(k channels.Kind) *lane {
	for _, l := range e.lanes {
		if l.Kind == k {
			return l
		}
	}
	return nil
}
