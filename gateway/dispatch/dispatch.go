package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/delivery"
)

// Render makes the bytes that one commune reads on one channel in one language
// ("vi"), within the channel's limits; filled by render.
type Render func(rev *alert.Revision, commune area.Code, kind channels.Kind, language string) ([]byte, error)

// Options is what a Dispatcher needs. Render, Store, Audience, Announce and Now
// must be set.
type Options struct {
	Store    Store
	Audience Audience
	Render   Render
	Kinds    []channels.Kind // the configured channels, for requests that name none
	// Announce is told of new batches after their commit.
	Announce func(ctx context.Context, hs ...delivery.Hint)
	// Refused is told of what will not be sent. Nil: it is only logged and
	// counted.
	Refused func(Refusal)
	Now     func() time.Time
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Refusal is a request, or one cell of it, that will not be sent.
type Refusal struct {
	Key        string
	Code       string // one of the codes below, for faces to translate
	Alert      alert.ID
	Revision   int
	Cell       Cell // zero: the whole request
	Recipients int  // cut as failed; 0 for a whole request
	Err        error
}

// Codes of refusals.
const (
	RefusedRender     = RenderCode   // no text could be made for the cell
	RefusedRequest    = "request"    // the request may not be sent as it is
	RefusedUnreadable = "unreadable" // the stored request cannot be read
)

var errNoText = errors.New("dispatch: no text covers the commune")

// Dispatcher turns requests into batches. One Run at a time; several nodes may
// run one each over the same ledger.
type Dispatcher struct {
	o       Options
	log     *slog.Logger
	wake    chan struct{}
	open    map[string]*expansion
	trouble map[string]trouble

	recipients *prometheus.CounterVec
	cuts       prometheus.Counter
	faults     prometheus.Counter
	refused    prometheus.Counter
}

// trouble is a request that failed and waits for its next try.
type trouble struct {
	until time.Time
	wait  time.Duration
}

// New makes a Dispatcher and registers its metrics.
func New(o Options) *Dispatcher {
	m := promauto.With(o.Metrics)
	d := &Dispatcher{
		o: o, log: o.Log, wake: make(chan struct{}, 1),
		open: make(map[string]*expansion), trouble: make(map[string]trouble),
		recipients: m.NewCounterVec(prometheus.CounterOpts{Name: "loa_dispatch_recipients_total", Help: "Recipients cut into batches."}, []string{"channel", "result"}),
		cuts:       m.NewCounter(prometheus.CounterOpts{Name: "loa_dispatch_cuts_total", Help: "Commits of batches."}),
		faults:     m.NewCounter(prometheus.CounterOpts{Name: "loa_dispatch_faults_total", Help: "Errors of the ledger while expanding; tried again."}),
		refused:    m.NewCounter(prometheus.CounterOpts{Name: "loa_dispatch_requests_refused_total", Help: "Requests that were refused whole."}),
	}
	for _, k := range o.Kinds {
		for _, result := range []string{"cut", "refused", "expired"} {
			d.recipients.WithLabelValues(string(k), result)
		}
	}
	if d.log == nil {
		d.log = slog.Default()
	}
	return d
}

// Wake says that a request was stored. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

const (
	sweepEvery  = time.Second
	jobsAtOnce  = 256
	troubleMost = 30 * time.Second
)

// Run works until the context ends. Requests are found when Wake is called and
// every second.
func (d *Dispatcher) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		d.drain(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		case <-tick.C:
		}
	}
}

// drain works until nothing is due. The highest priority goes first, and
// requests of the same priority take turns commit by commit; what comes in
// meanwhile is seen after the next commit.
func (d *Dispatcher) drain(ctx context.Context) {
	for ctx.Err() == nil {
		now := d.o.Now()
		jobs, err := d.o.Store.Jobs(ctx, now, jobsAtOnce)
		if err != nil {
			if ctx.Err() == nil {
				d.faults.Inc()
				d.log.ErrorContext(ctx, "requests cannot be listed", "error", err)
			}
			return
		}
		d.forget(jobs)
		jobs = slices.DeleteFunc(jobs, func(j Job) bool { return d.trouble[j.Key].until.After(now) })
		if len(jobs) == 0 {
			return
		}
		first := slices.MinFunc(jobs, func(a, b Job) int { return int(a.Priority) - int(b.Priority) }).Priority
		for _, j := range jobs {
			if j.Priority == first && ctx.Err() == nil {
				d.turn(ctx, j)
			}
		}
	}
}

// forget drops what is known of requests that are no longer listed.
func (d *Dispatcher) forget(jobs []Job) {
	gone := func(key string) bool { return !slices.ContainsFunc(jobs, func(j Job) bool { return j.Key == key }) }
	maps.DeleteFunc(d.open, func(key string, _ *expansion) bool { return gone(key) })
	if len(jobs) < jobsAtOnce {
		maps.DeleteFunc(d.trouble, func(key string, _ trouble) bool { return gone(key) })
	}
}

// turn makes one commit for a request and sorts out how it went.
func (d *Dispatcher) turn(ctx context.Context, j Job) {
	err := d.advance(ctx, j)
	switch {
	case err == nil:
		delete(d.trouble, j.Key)
	case errors.Is(err, ErrCursor):
		delete(d.open, j.Key) // another node was quicker
	default:
		delete(d.open, j.Key)
		t := d.trouble[j.Key]
		t.wait = min(max(2*t.wait, time.Second), troubleMost)
		t.until = d.o.Now().Add(t.wait)
		d.trouble[j.Key] = t
		if ctx.Err() == nil {
			d.faults.Inc()
			d.log.ErrorContext(ctx, "a request cannot be expanded and will be tried again", "request", j.Key, "error", err)
		}
	}
}

// advance makes one commit.
func (d *Dispatcher) advance(ctx context.Context, j Job) error {
	if j.Err != nil {
		return d.quarantine(ctx, j)
	}
	now := d.o.Now()
	rev, state, err := d.o.Store.Revision(ctx, j.Alert, j.Revision)
	if err != nil {
		return fmt.Errorf("load revision: %w", err)
	}
	if !state.Live() || !now.Before(rev.Expires()) {
		return d.finish(ctx, j)
	}
	if err := admit(&j.Request, rev); err != nil {
		return d.refuse(ctx, j, err)
	}
	x := d.open[j.Key]
	if x == nil || x.job.Cursor != j.Cursor {
		x, err = d.expansion(ctx, j, rev)
		if errors.Is(err, ErrRoster) || errors.Is(err, ErrNoTarget) {
			return d.refuse(ctx, j, err)
		}
		if err != nil {
			return err
		}
		d.open[j.Key] = x
	}
	bs, to, ended, err := x.gather(ctx, d.o.Store, now)
	if err != nil {
		return err
	}
	var due time.Time
	if ended {
		if to, due, err = d.next(ctx, x, now); err != nil {
			return err
		}
	}
	if err := d.commit(ctx, j, to, due, bs, x.refusals); err != nil {
		return err
	}
	x.job.Cursor = to
	x.limit = min(2*x.limit, maxCut)
	if ended {
		delete(d.open, j.Key)
	}
	return nil
}

// next is where a request goes on after a pass. Those who moved while the cells
// were gone through may have been in none of them: they get a pass of their
// own. Who moves later was still in his cell when it was read.
func (d *Dispatcher) next(ctx context.Context, x *expansion, now time.Time) (to Cursor, due time.Time, err error) {
	j := &x.job
	if j.Reached != nil {
		pass, wait := afterPass(j.Cursor.Pass, x.waited)
		return Cursor{Pass: pass}, now.Add(wait), nil
	}
	if j.Cursor.Pass > 0 {
		return Cursor{Done: true}, due, nil
	}
	cells, err := (&haveMoved{inAreas: *d.inAreas(*j, x.rev), store: d.o.Store}).cells(ctx)
	if err != nil {
		return to, due, fmt.Errorf("list cells that were left: %w", err)
	}
	if len(cells) == 0 {
		return Cursor{Done: true}, due, nil
	}
	return Cursor{Pass: 1}, due, nil
}

// expansion opens a request at its cursor.
func (d *Dispatcher) expansion(ctx context.Context, j Job, rev *alert.Revision) (*expansion, error) {
	status, _ := statusOf(rev.Status)
	x := &expansion{job: j, rev: rev, status: status, render: d.o.Render}
	if j.Reached != nil {
		whom := *j.Reached
		whom.Settled = j.Cursor.Pass == 0
		x.src = &whoReached{store: d.o.Store, whom: whom, kinds: j.Kinds}
		if p := j.Cursor.Pass; p > 0 && p < settlePasses {
			n, err := d.o.Store.InFlight(ctx, whom)
			if err != nil {
				return nil, fmt.Errorf("count calls in flight: %w", err)
			}
			if n > 0 {
				x.waited = true
				return x, nil
			}
		}
	} else if s := d.inAreas(j, rev); j.Cursor.Pass == 0 {
		x.src = s
	} else {
		x.src = &haveMoved{inAreas: *s, store: d.o.Store}
	}
	var err error
	if x.cells, err = x.src.cells(ctx); err != nil {
		return nil, fmt.Errorf("list cells: %w", err)
	}
	x.seek()
	return x, nil
}

func (d *Dispatcher) inAreas(j Job, rev *alert.Revision) *inAreas {
	s := &inAreas{audience: d.o.Audience, communes: j.Areas, kinds: j.Kinds, snapshot: j.Snapshot, roster: j.Roster}
	if len(s.kinds) == 0 {
		s.kinds = d.o.Kinds
	}
	if len(j.People) > 0 {
		s.communes = rev.Targets()
		s.people = slices.Sorted(slices.Values(j.People))
	}
	return s
}

// commit stores the batches, then announces them and tells of refused cells.
func (d *Dispatcher) commit(ctx context.Context, j Job, to Cursor, due time.Time, bs []delivery.Batch, refusals map[Cell]error) error {
	refused := refusedCells(j, bs, refusals)
	if err := d.note(ctx, refused...); err != nil {
		return err
	}
	ids, err := d.o.Store.Cut(ctx, j.Key, j.Cursor, to, due, bs)
	if err != nil {
		return fmt.Errorf("cut: %w", err)
	}
	if len(ids) != len(bs) {
		return fmt.Errorf("cut: stored %d batches of %d", len(ids), len(bs))
	}
	d.cuts.Inc()
	hints := make([]delivery.Hint, 0, len(bs))
	for i, b := range bs {
		result := "cut"
		switch {
		case b.Marks == nil:
			hints = append(hints, delivery.Hint{Batch: ids[i], Kind: b.Kind, Priority: b.Priority})
		case b.Exceptions != nil:
			result = "refused"
		default:
			result = "expired"
		}
		d.recipients.WithLabelValues(string(b.Kind), result).Add(float64(len(b.Recipients)))
	}
	if len(hints) > 0 {
		d.o.Announce(ctx, hints...)
	}
	for _, r := range refused {
		d.log.ErrorContext(ctx, "no text could be made; its recipients count as failed", "alert", string(r.Alert), "channel", string(r.Cell.Kind), "commune", string(r.Cell.Commune), "language", r.Cell.Language, "recipients", r.Recipients, "error", r.Err)
		d.tell(r)
	}
	return nil
}

func (d *Dispatcher) finish(ctx context.Context, j Job) error {
	delete(d.open, j.Key)
	return d.commit(ctx, j, Cursor{Done: true}, time.Time{}, nil, nil)
}

func (d *Dispatcher) tell(r Refusal) {
	if d.o.Refused != nil {
		d.o.Refused(r)
	}
}
