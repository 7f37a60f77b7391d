// Package watch is how the gateway notices that it has stopped doing its work:
// canaries that a test message goes to, pages to the people on duty and to
// webhooks, and a heartbeat that ends when the work does. Its decisions are
// pure; the world comes in as probes. It must never import a driver, the
// ledger or the queue, and never addresses the public.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
)

// Contact is a person on duty.
type Contact struct {
	Kind channels.Kind
	id   int64
}

// Options is what a Watch needs. Store, Wake, Progress, Now and Metrics must be
// set.
type Options struct {
	Store     Store
	Wake      func() // a request was stored
	Progress  func() delivery.Progress
	Probes    []Probe
	Logins    []Login
	Canaries  []Canary
	Duty      []Contact
	Webhooks  []Webhook
	Heartbeat Heartbeat
	// Enlist puts the canaries and the people on duty on the roster, and returns
	// their endpoints, parallel to Canaries and Duty. It is called when Run
	// begins, and again until it succeeds. Nil: there are none.
	Enlist func(ctx context.Context) (canaries, duty []int64, err error)

	// Origin is the one place where http is admitted, in drill and demo.
	Origin     string
	Sender     string // CAP sender
	Agency     string // in an SMS: without marks, at most 25 characters
	Instance   string // label of notifications
	Deployment string
	External   string // base URL of this gateway

	Now     func() time.Time
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

const (
	lookEvery  = 2 * time.Second
	probeBound = 5 * time.Second
)

// Watch looks at the gateway and tells people. Make it with New; one Run.
type Watch struct {
	o        Options
	log      *slog.Logger
	m        *metrics
	board    board
	pager    Pager
	canaries canaries
	hooks    []*hook
	pulse    *pulse
	logins   []*login
	unsent   []Page // to people, because the ledger did not take them
	enlisted bool
}

// New makes a Watch and registers its metrics.
func New(o Options) *Watch {
	w := &Watch{o: o, log: o.Log, m: newMetrics(o.Metrics)}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	for _, l := range o.Logins {
		w.logins = append(w.logins, &login{Login: l})
	}
	client := newClient(o.Origin)
	for i, to := range o.Webhooks {
		w.hooks = append(w.hooks, &hook{name: fmt.Sprintf("webhook/%d", i), to: to, client: client, log: w.log, m: w.m, ring: make(chan struct{}, 1)})
	}
	w.pulse = &pulse{Heartbeat: o.Heartbeat, client: client, log: w.log, m: w.m, well: w.Well}
	w.canaries = canaries{store: o.Store, sender: o.Sender, wake: o.Wake, progress: o.Progress, m: w.m}
	w.o.Duty = slices.Clone(o.Duty)
	for _, c := range o.Canaries {
		w.m.watched(c.Kind, o.Now())
		w.canaries.add(c)
	}
	return w
}

// Note tells of something that happened once: a refused text, a recipient put
// aside. It counts as bad for ten minutes after the last time. It never blocks.
func (w *Watch) Note(x Part) { w.board.note(w.o.Now(), x) }

// Parts is how everything was at the last look, sorted by name.
func (w *Watch) Parts() []Part {
	parts, _ := w.board.now()
	return parts
}

// Well reports whether the gateway does its work: everything vital was seen to
// be well a moment ago.
func (w *Watch) Well(now time.Time) bool {
	parts, at := w.board.now()
	if at.IsZero() || now.Sub(at) > stale || now.Before(at.Add(-stale)) {
		return false
	}
	return !slices.ContainsFunc(parts, func(x Part) bool { return x.Vital && x.State == Bad })
}

// Run looks, pages and beats until the context ends.
func (w *Watch) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	for _, h := range w.hooks {
		work.Go(func() { h.run(ctx, w.o.Now) })
	}
	if w.pulse.URL != "" {
		work.Go(func() { w.pulse.run(ctx, w.o.Now) })
	}
	for _, l := range w.logins {
		work.Go(func() { l.run(ctx) })
	}
	work.Go(func() { w.prune(ctx) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		w.step(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// step is one look and what follows from it.
func (w *Watch) step(ctx context.Context) {
	w.enlist(ctx)
	parts := w.look(ctx, func(ctx context.Context) []Part {
		if !w.enlisted {
			return nil
		}
		parts := w.canaries.step(ctx, w.o.Now())
		if w.canaries.lost {
			// The provider may have had the address retired: it is put on the
			// roster anew.
			w.canaries.lost, w.enlisted = false, false
		}
		return parts
	})
	if ctx.Err() != nil {
		return
	}
	for _, p := range w.pager.Step(w.o.Now(), parts) {
		w.page(ctx, p)
	}
	if w.enlisted {
		w.tellAgain(ctx)
	}
}

// enlist learns the endpoints of canaries and people on duty.
func (w *Watch) enlist(ctx context.Context) {
	if w.enlisted || w.o.Enlist == nil {
		w.enlisted = true
		return
	}
	bound, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	canaries, duty, err := w.o.Enlist(bound)
	if err == nil && (len(canaries) != len(w.canaries.all) || len(duty) != len(w.o.Duty)) {
		err = errors.New("watch: endpoints are not parallel to canaries and people on duty")
	}
	if err != nil {
		if ctx.Err() == nil {
			w.log.ErrorContext(ctx, "canaries and people on duty cannot be enlisted", "err", err)
		}
		return
	}
	for i, id := range canaries {
		w.canaries.all[i].id = id
	}
	for i, id := range duty {
		w.o.Duty[i].id = id
	}
	w.enlisted = true
}

// Look asks every probe and returns all parts. It starts no round of a canary.
func (w *Watch) Look(ctx context.Context) []Part {
	return w.look(ctx, func(context.Context) []Part { return nil })
}

func (w *Watch) look(ctx context.Context, canaries Probe) []Part {
	seen := make([][]Part, len(w.o.Probes))
	var looking sync.WaitGroup
	bound, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	for i, probe := range w.o.Probes {
		looking.Go(func() { seen[i] = probe(bound) })
	}
	looking.Wait()
	all := slices.Concat(seen...)
	all = append(all, canaries(bound)...)
	for _, l := range w.logins {
		all = append(all, l.part()...)
	}
	for _, h := range w.hooks {
		all = append(all, h.part())
	}
	all = append(all, w.pulse.part())
	parts := w.board.look(w.o.Now(), all)
	w.m.looked(parts)
	return parts
}

// page hands a page to everybody. One way that fails holds back no other.
func (w *Watch) page(ctx context.Context, p Page) {
	status, level := firing, slog.LevelError
	if p.Resolved {
		status, level = resolved, slog.LevelInfo
	}
	w.m.pages.WithLabelValues(string(p.Cause), status).Inc()
	for _, x := range p.Parts {
		w.log.Log(ctx, level, "the people on duty are told", "cause", string(p.Cause), "status", status, "part", x.Part, "text", x.Text, "since", x.Since)
	}
	for _, h := range w.hooks {
		h.push(notification(p, w.o.Instance, w.o.Deployment, w.o.External))
	}
	if len(w.o.Duty) > 0 {
		w.unsent = slices.DeleteFunc(w.unsent, func(old Page) bool { return old.Cause == p.Cause })
		w.unsent = append(w.unsent, p)
	}
}

// tellAgain sends pages to the people on duty. What the ledger does not take
// waits for it, while it is worth sending.
func (w *Watch) tellAgain(ctx context.Context) {
	now, failed := w.o.Now(), false
	w.unsent = slices.DeleteFunc(w.unsent, func(p Page) bool {
		if now.Sub(p.At) >= dutyExpiry {
			return true
		}
		if failed {
			return false
		}
		err := w.tell(ctx, p)
		if failed = err != nil; failed && ctx.Err() == nil {
			w.log.ErrorContext(ctx, "a page to the people on duty cannot be stored", "cause", string(p.Cause), "err", err)
		}
		return err == nil
	})
}

// tell sends a page to the people on duty, through the channels themselves.
func (w *Watch) tell(ctx context.Context, p Page) error {
	var kinds []channels.Kind
	var ids []int64
	for _, c := range w.o.Duty {
		if !slices.Contains(kinds, c.Kind) {
			kinds = append(kinds, c.Kind)
		}
		ids = append(ids, c.id)
	}
	rev := dutyRevision(w.o.Sender, w.o.Agency, p)
	r, err := roster(rev, dispatch.Approved, delivery.P0, kinds, ids)
	if err != nil {
		return err
	}
	bound, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	first, err := w.o.Store.Issue(bound, rev, r)
	if err != nil {
		return err
	}
	if first {
		w.o.Wake()
	}
	return nil
}
