package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"loa/gateway/ledger"
	"loa/gateway/queue"
	"loa/gateway/watch"
)

const (
	guardEvery  = 2 * time.Second // the mirrors are compared so often
	bumpEvery   = time.Minute
	mirrorBound = 2 * time.Second
	ledgerBound = 5 * time.Second
)

// guard keeps a ledger that is an older copy of itself from sending: a later
// generation in one of its mirrors, which are Redis and the witness file, puts
// it on hold.
type guard struct {
	g       *Gateway
	redis   *queue.Queue // nil: none, or one that ends with this process
	witness witnessFile  // empty: none
	key     string       // id of the master key
	held    atomic.Bool
	heldAt  atomic.Int64 // since when, in nanoseconds since 1970
	absent  atomic.Bool  // the witness was not there at the start
	unnoted atomic.Bool  // the witness cannot be written
	unknown atomic.Bool  // no mirror knew the ledger at the start, though it had run before
	mu      sync.Mutex   // of warned
	warned  map[string]bool
	bumped  time.Time
	noted   map[string]int64 // by mirror
	last    atomic.Int64     // generation
}

// openGuard makes the guard. It compares nothing before Run.
func (g *Gateway) openGuard(ctx context.Context) error {
	w := &guard{g: g, witness: witnessFile(g.cfg.Witness), warned: map[string]bool{}, noted: map[string]int64{}}
	if !g.cfg.Redis.Embedded {
		w.redis = g.queue
	}
	g.guard = w
	state, err := g.ledger.Guard(ctx)
	if err != nil {
		return err
	}
	w.heldAt.Store(state.Held.UnixNano())
	w.held.Store(!state.Held.IsZero())
	w.last.Store(state.Generation)
	g.probes = append(g.probes, g.probeHold)
	f := promauto.With(g.Metrics)
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "loa_hold", Help: "1 while the ledger is on hold and nothing is sent."}, func() float64 {
		if w.held.Load() {
			return 1
		}
		return 0
	})
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "loa_ledger_generation", Help: "Generation of the ledger, which rises at each start and every minute."}, func() float64 {
		return float64(w.last.Load())
	})
	if w.witness == "" {
		return nil
	}
	// A witness of another ledger is a fault of the configuration.
	if _, err := w.witness.seen(state.Ledger); err != nil && !errors.Is(err, errAbsent) {
		return err
	}
	return nil
}

// begin compares and bumps before anything is sent.
func (w *guard) begin(ctx context.Context) error {
	if err := w.round(ctx); err != nil {
		return fmt.Errorf("ledger's generation: %w", err)
	}
	return nil
}

// run goes on comparing and bumping. It ends with an error when the ledger's key
// is changed: nothing may be sealed or opened with the old one from then on.
func (w *guard) run(ctx context.Context) error {
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			err := w.round(ctx)
			if errors.Is(err, ErrRotating) || errors.Is(err, ErrOtherKey) || errors.Is(err, ledger.ErrInUse) {
				return fmt.Errorf("the ledger was taken away: %w", err)
			}
			if err != nil && ctx.Err() == nil {
				w.warn(ctx, "ledger", "the ledger's generation cannot be read or raised", err)
			}
		}
	}
}

// round reads the mirrors, then the ledger, and then raises the ledger and the
// mirrors. In this order no mirror that is read can be ahead of the ledger that
// wrote it, however many nodes do the same.
func (w *guard) round(ctx context.Context) error {
	bound, cancel := context.WithTimeout(ctx, ledgerBound)
	defer cancel()
	if err := w.g.ledger.Confirm(bound); err != nil {
		return err
	}
	before, err := w.g.ledger.Guard(ctx)
	if err != nil {
		return err
	}
	switch {
	case before.Rotating != "":
		return ErrRotating
	case before.Key != w.key:
		return ErrOtherKey
	}
	seen := w.seen(ctx, before)
	if w.bumped.IsZero() && seen == 0 && before.Generation > 0 && (w.redis != nil || w.witness != "") {
		w.unknown.Store(true)
		w.warn(ctx, "mirrors", "neither Redis nor a witness file knew how far the ledger had come: an old copy of it would not have been noticed", nil)
	}
	if seen > 0 {
		if _, err := w.g.ledger.Hold(ctx, seen); err != nil {
			return err
		}
	}
	state, err := w.g.ledger.Guard(ctx)
	if err != nil {
		return err
	}
	w.last.Store(state.Generation)
	w.heldAt.Store(state.Held.UnixNano())
	if held := !state.Held.IsZero(); held != w.held.Swap(held) || held && w.bumped.IsZero() {
		w.tell(ctx, state)
	}
	if !state.Held.IsZero() {
		w.bumped = w.g.now()
		return nil
	}
	if now := w.g.now(); w.bumped.IsZero() || now.Sub(w.bumped) >= bumpEvery || now.Before(w.bumped) {
		if state.Generation, err = w.g.ledger.Bump(ctx); err != nil {
			return err
		}
		w.bumped = now
		w.last.Store(state.Generation)
	}
	w.mirror(ctx, state)
	return nil
}

// seen is the highest generation of the ledger in any mirror, 0 if none has one.
// A ledger of generation 0 has never been served: nobody can know it.
func (w *guard) seen(ctx context.Context, of ledger.Guard) (highest int64) {
	if w.witness != "" {
		n, err := w.witness.seen(of.Ledger)
		switch {
		case errors.Is(err, errAbsent) && of.Generation == 0:
			if w.first("new") {
				w.g.log.InfoContext(ctx, "a new ledger begins, and its witness file with it")
			}
		case errors.Is(err, errAbsent):
			w.absent.Store(true)
			w.warn(ctx, "witness", "the witness file is not there and is made anew: an old copy of the ledger would not have been noticed by it", err)
		case err != nil:
			w.warn(ctx, "witness", "the witness file cannot be read", err)
		}
		highest = n
	}
	if w.redis != nil {
		ask, cancel := context.WithTimeout(ctx, mirrorBound)
		n, err := w.redis.Seen(ask, of.Ledger)
		cancel()
		if err != nil {
			w.warn(ctx, "redis", "the ledger's generation cannot be compared with Redis", err)
		} else {
			w.works("redis")
		}
		highest = max(highest, n)
	}
	return highest
}

// since is since when nothing is sent; zero: it is.
func (w *guard) since() time.Time {
	if !w.held.Load() {
		return time.Time{}
	}
	return time.Unix(0, w.heldAt.Load())
}

// mirror notes a committed generation where it is not noted yet.
func (w *guard) mirror(ctx context.Context, state ledger.Guard) {
	note := func(name string, f func() error) {
		if w.noted[name] == state.Generation {
			return
		}
		if err := f(); err != nil {
			w.warn(ctx, name, "the ledger's generation cannot be noted outside the ledger", err)
			return
		}
		w.noted[name] = state.Generation
		w.works(name)
	}
	if w.witness != "" {
		note("witness", func() error {
			err := w.witness.note(state.Ledger, state.Generation)
			w.unnoted.Store(err != nil)
			return err
		})
	}
	if w.redis != nil {
		note("redis", func() error {
			ask, cancel := context.WithTimeout(ctx, mirrorBound)
			defer cancel()
			return w.redis.Mirror(ask, state.Ledger, state.Generation)
		})
	}
}

// warn says a thing once until it is well again.
func (w *guard) warn(ctx context.Context, about, text string, err error) {
	if ctx.Err() != nil || !w.first(about) {
		return
	}
	w.g.log.WarnContext(ctx, "the guard against an old ledger is weakened", "why", text, "err", err)
}

// first reports whether nothing has been said about it since it last worked.
func (w *guard) first(about string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	said := w.warned[about]
	w.warned[about] = true
	return !said
}

func (w *guard) works(about string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warned[about] = false
}

func (w *guard) tell(ctx context.Context, s ledger.Guard) {
	if s.Held.IsZero() {
		w.g.log.WarnContext(ctx, "the hold is released, sending begins", "generation", s.Generation)
		return
	}
	w.g.log.ErrorContext(ctx, "ON HOLD: the ledger is an older copy, nothing is sent until two people release it (loa hold status)",
		"why", s.Why, "generation", s.Generation, "seen", s.Seen)
}

// probeHold tells of a hold, and of a ledger without a mirror.
func (g *Gateway) probeHold(ctx context.Context) []watch.Part {
	s, err := g.ledger.Guard(ctx)
	if err != nil {
		return nil // the ledger's own probe tells
	}
	parts := []watch.Part{watch.Fine("hold")}
	if !s.Held.IsZero() {
		parts[0] = watch.Fault("hold", watch.Hold, holdText(s))
		parts[0].Since = s.Held
	}
	advice := watch.Part{Part: "witness", State: watch.Warn}
	switch {
	case g.guard.unnoted.Load():
		advice.Text = "The witness file cannot be written: an old copy of the ledger would not be noticed by it."
		advice.Remedy = "Make the folder of the witness file one that loa can write to, with room on its disk."
	case g.guard.absent.Load():
		advice.Text = "The witness file was not there: whether the ledger is an old copy could not be compared with it."
		advice.Remedy = "If you did not move it away, find out who did, and compare the alerts in force with the providers' lists."
	case g.guard.unknown.Load():
		advice.Text = "When this gateway started, neither Redis nor a witness file knew how far the ledger had come: an old copy of it would not have been noticed."
		advice.Remedy = "Unless you emptied Redis yourself, make sure that the ledger is the newest one, and compare the alerts in force with the providers' lists."
	case g.cfg.Redis.None && g.guard.witness == "":
		advice.Text = "Nothing outside the ledger knows how far it has come: an old copy of it would not be noticed."
		advice.Remedy = "Set the key witness to a file outside the data folder."
	default:
		advice.State = watch.OK
	}
	return append(parts, advice)
}

// holdText says in a sentence why nothing is sent.
func holdText(s ledger.Guard) string {
	if s.Why == ledger.HoldCopy {
		return fmt.Sprintf("The ledger is a copy, restored or moved here (generation %d): nothing is sent until two people release it.", s.Generation)
	}
	return fmt.Sprintf("The ledger is older (generation %d) than was seen of it (%d), as if a backup was restored: nothing is sent until two people release it.", s.Generation, s.Seen)
}
