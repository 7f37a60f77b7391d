package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"loa/channels"
	"loa/gateway/alert"
)

// Engine sends what the ledger holds. Make it with New, add the lanes, Run it.
type Engine struct {
	opt   Options
	m     *metrics
	lanes []*lane
	flags flags
	belt  belt
	inbox inbox

	events events
	macs   sync.Pool // of *signer

	running  atomic.Bool
	stopping chan struct{}
	tally    tally
}

// ledgerGrace is how long after open calls were cut off the ledger may take at
// a stop.
const ledgerGrace = time.Second

// ErrRunning is returned by Add and Run once the engine runs.
var ErrRunning = errors.New("delivery: the engine runs already")

// New checks the options and makes an engine that does nothing yet: its Sink
// can be handed to drivers, whose senders then come in with Add.
func New(o Options) (*Engine, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("delivery: metrics: %w", err)
	}
	e := &Engine{opt: o, m: m, stopping: make(chan struct{})}
	e.flags.m = make(map[alert.ID]*flag)
	e.belt.init(e)
	e.inbox.slot = make(chan struct{}, 1)
	e.macs.New = func() any { return newSigner(o.RefKey) }
	for _, l := range o.Lanes {
		if err := e.Add(l); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Add brings a channel in, before Run.
func (e *Engine) Add(cfg Lane) error {
	if e.running.Load() {
		return ErrRunning
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	if e.lane(cfg.Kind) != nil {
		return fmt.Errorf("delivery: lane %s: there is one already", cfg.Kind)
	}
	l := &lane{
		Lane: cfg, providers: newProviders(cfg, &e.opt, e.m),
		advanceSeconds:    e.m.advance.WithLabelValues(string(cfg.Kind)),
		advanceRecipients: e.m.window.WithLabelValues(string(cfg.Kind)),
		claimSeconds:      e.m.claim.WithLabelValues(string(cfg.Kind)),
	}
	l.busiest.Store(uint32(P3))
	for i := range cfg.Workers {
		l.workers = append(l.workers, newWorker(e, l, fmt.Sprintf("%s/%s/%d", e.opt.Node, cfg.Kind, i)))
	}
	e.m.begin(l)
	e.lanes = append(e.lanes, l)
	return nil
}

// Run works until ctx ends and then stops in order: nothing is started any
// more, open calls get StopWithin to finish, what returned is settled and the
// leases are given back. It returns nil after such a stop, and may run once.
func (e *Engine) Run(ctx context.Context) error {
	if !e.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	e.belt.start()
	var loops, workers sync.WaitGroup
	loops.Go(func() { e.poll(ctx) })
	loops.Go(func() { e.sweep(ctx) })
	calls, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	ledger, give := context.WithCancel(context.WithoutCancel(ctx))
	defer give()
	for _, l := range e.lanes {
		for _, w := range l.workers {
			workers.Go(func() { w.loop(ctx, calls, ledger) })
		}
	}
	<-ctx.Done()
	close(e.stopping)
	cutoff := time.AfterFunc(e.opt.StopWithin, cut)
	defer cutoff.Stop()
	giveUp := time.AfterFunc(e.opt.StopWithin+ledgerGrace, give)
	defer giveUp.Stop()
	workers.Wait()
	loops.Wait()
	return nil
}

func (e *Engine) isStopping() bool {
	select {
	case <-e.stopping:
		return true
	default:
		return false
	}
}

// StopAlert raises the alert's stop flag at once, after its stop was
// committed: calls already marked are not started. The polled ledger says the
// same a moment later if this is never called.
func (e *Engine) StopAlert(id alert.ID) {
	if !e.flags.stop(id) {
		return
	}
	for _, l := range e.lanes {
		l.wake()
	}
}

// Ref is the reference of one delivery, as a message carries it.
func (e *Engine) Ref(b BatchID, index int, attempt uint8) string {
	s := e.macs.Get().(*signer)
	defer e.macs.Put(s)
	return string(s.append(nil, b, index, attempt))
}

// Mode is where workers find their work.
type Mode string

// The modes. Direct is Queue with the queue away; Ledger has none by choice.
const (
	ModeQueue  Mode = "queue"
	ModeDirect Mode = "direct"
	ModeLedger Mode = "ledger"
)

// Health is the state of the engine for people and probes.
type Health struct {
	Mode  Mode
	Since time.Time // of the mode
	Down  []Down    // providers nothing may be called on
}

// Down is a provider behind an open breaker. Fault and Code are those of the
// call that opened it, or of its latest probe.
type Down struct {
	Kind     channels.Kind
	Provider string
	Fault    channels.Fault
	Code     string
}

// Health tells the mode and the providers that are down.
func (e *Engine) Health() Health {
	mode, since := e.belt.mode()
	h := Health{Mode: mode, Since: since}
	for _, l := range e.lanes {
		for _, p := range l.providers {
			if p.breaker.open.Load() {
				fault, code := p.why()
				h.Down = append(h.Down, Down{Kind: l.Kind, Provider: p.name, Fault: fault, Code: code})
			}
		}
	}
	return h
}

// Progress counts recipients since the engine was made.
type Progress struct {
	Started uint64 // marked as sending
	Settled uint64 // whose outcome is durable
	Open    int64  // calls open now
}

type tally struct {
	started, settled atomic.Uint64
	open             atomic.Int64
}

// Progress is a snapshot of the live counters.
func (e *Engine) Progress() Progress {
	return Progress{Started: e.tally.started.Load(), Settled: e.tally.settled.Load(), Open: e.tally.open.Load()}
}

// mono is the clock of leases, pauses and breakers: steps of the wall clock
// must not move it, so it is not the injected one.
func mono() time.Time { return time.Now() }
