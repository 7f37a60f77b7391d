// Package bench measures whole runs of the product: a gateway with everything
// real but the provider. It is handed its driver and the alert, and must never
// name a driver or import the demo.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"runtime"
	"time"

	"loa/channels"
	"loa/gateway"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/config"
	"loa/gateway/queue"
	"loa/gateway/render"
)

// MaxRecipients bounds Options.Recipients: so many numbers are made.
const MaxRecipients = 10_000_000

// Options is what a run of Fanout needs.
type Options struct {
	Recipients int
	Window     int    // calls in flight per worker
	Workers    int    // on the one channel
	Redis      string // host:port of a server of which everything under "loa" may be used; empty: one is started

	Driver channels.Driver // of SMS; its sender answers at once and reaches nobody
	// First is when the driver's first send began.
	First func() (time.Time, bool)

	Parts     func(text string) (parts int, encoding string)
	Sender    render.Sender
	Provinces []area.Code // whose communes the recipients live in
	Bulletin  func(now time.Time, communes []area.Unit) []alert.Info
	Templates fs.FS
	Facts     fs.FS
	Dir       string // a folder of its own is made in it; empty: the system's for temporary files
	Keep      string // subscribers are kept in this folder for the next run; empty: they are not
	Log       *slog.Logger
	Say       func(format string, args ...any) // tells of progress
	// Measured is called right before the measured part with true and right
	// after it with false; nil: nothing is.
	Measured func(begins bool)
}

// Fan is what a run of Fanout measured. Seconds begin when the approval is
// about to be committed and end when the last outcome is durable; CPU counts
// the same span.
type Fan struct {
	Recipients    int     `json:"recipients"`
	Seconds       float64 `json:"seconds"`
	PerSecond     float64 `json:"recipients_per_s"`
	FirstMS       float64 `json:"first_ms"` // to the first send
	RedisBytes    float64 `json:"redis_bytes_per_recipient"`
	LedgerBytes   float64 `json:"ledger_bytes_per_recipient"` // growth of the ledger after a checkpoint, without the subscribers
	PeakRSS       int64   `json:"peak_rss_bytes"`
	CPUMicros     float64 `json:"cpu_us_per_recipient"` // of this process
	RedisMicros   float64 `json:"redis_cpu_us_per_recipient"`
	Window        int     `json:"window"`
	Workers       int     `json:"workers"`
	ForeignCores  float64 `json:"foreign_cores"` // that other processes used meanwhile
	PrepareSecond float64 `json:"prepare_seconds"`
}

// run is one run of Fanout.
type run struct {
	Options
	dir    string
	redis  string
	cfg    *config.Config
	result Fan
}

// Fanout subscribes the recipients, has one alert approved for all of them and
// measures until the last outcome is durable. Nothing but Options.Keep is kept.
func Fanout(ctx context.Context, o Options) (Fan, error) {
	switch {
	case o.Recipients < 1000 || o.Recipients > MaxRecipients:
		return Fan{}, fmt.Errorf("recipients: 1000 to %d", MaxRecipients)
	case o.Window < 1 || o.Window > 256:
		return Fan{}, errors.New("window: 1 to 256")
	case o.Workers < 1 || o.Workers > 64:
		return Fan{}, errors.New("workers: 1 to 64")
	}
	dir, err := os.MkdirTemp(o.Dir, "loa-bench-")
	if err != nil {
		return Fan{}, err
	}
	r := &run{Options: o, dir: dir, redis: o.Redis}
	r.result = Fan{Recipients: o.Recipients, Window: o.Window, Workers: o.Workers}
	err = r.run(ctx)
	return r.result, errors.Join(err, os.RemoveAll(dir))
}

func (r *run) run(ctx context.Context) (err error) {
	if r.redis == "" {
		server, err := startRedis(ctx, r.dir)
		if err != nil {
			return fmt.Errorf("redis-server: %w", err)
		}
		defer server.stop()
		r.redis = server.addr
	}
	if err := r.configure(); err != nil {
		return err
	}
	if err := r.subscribers(ctx); err != nil {
		return fmt.Errorf("subscribers: %w", err)
	}
	before, err := ledgerBytes(r.dir)
	if err != nil {
		return err
	}
	if err := r.fan(ctx); err != nil {
		return err
	}
	after, err := ledgerBytes(r.dir)
	if err != nil {
		return err
	}
	r.result.LedgerBytes = float64(after-before) / float64(r.Recipients)
	return nil
}

func (r *run) configure() error {
	cfg := config.Default()
	cfg.Deployment, cfg.Data = config.Demo, r.dir
	cfg.Redis = config.Redis{Addr: r.redis}
	cfg.Channels = []config.Channel{{Driver: r.Driver.Name, Workers: r.Workers, Window: r.Window}}
	r.cfg = cfg
	_, err := gateway.RegisterAll(cfg, r.Templates, r.Parts, r.Sender)
	return err
}

// open makes a gateway over the run's folder. Nothing runs yet.
func (r *run) open(ctx context.Context) (*gateway.Gateway, net.Listener, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	g, err := gateway.New(ctx, gateway.Options{
		Config: r.cfg, Drivers: []channels.Driver{r.Driver}, Parts: r.Parts, Templates: r.Templates, Facts: r.Facts,
		Listener: listener, Log: r.Log,
	})
	if err != nil {
		return nil, nil, errors.Join(err, listener.Close())
	}
	return g, listener, nil
}

// fan is the measured part, in a gateway that was started for it.
func (r *run) fan(ctx context.Context) error {
	g, listener, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	working, stop := context.WithCancel(ctx)
	defer stop()
	end := make(chan error, 1)
	go func() { end <- g.Run(working) }()
	select {
	case <-g.Started():
	case err := <-end:
		return errors.Join(err, g.Close())
	}
	err = r.measure(ctx, g)
	stop()
	return errors.Join(err, <-end, g.Close())
}

func (r *run) measure(ctx context.Context, g *gateway.Gateway) error {
	approve, err := r.draft(ctx, g)
	if err != nil {
		return fmt.Errorf("the alert: %w", err)
	}
	watch, err := queue.Open(ctx, queue.Options{Addrs: []string{r.redis}})
	if err != nil {
		return err
	}
	defer func() { _ = watch.Close() }()
	runtime.GC()
	resetPeak()
	meter, err := startMeter(ctx, watch)
	if err != nil {
		return err
	}
	if r.Measured != nil {
		r.Measured(true)
	}
	id, began, err := approve()
	if err != nil {
		return err
	}
	ended, err := r.wait(ctx, g, meter)
	if r.Measured != nil {
		r.Measured(false)
	}
	if err != nil {
		return err
	}
	if err := meter.end(ctx, &r.result); err != nil {
		return err
	}
	first, ok := r.First()
	if !ok {
		return errors.New("nothing was sent")
	}
	r.result.Seconds = ended.Sub(began).Seconds()
	r.result.PerSecond = float64(r.Recipients) / r.result.Seconds
	r.result.FirstMS = float64(first.Sub(began).Microseconds()) / 1000
	return r.verify(ctx, g, id)
}

// wait returns when the outcome of every recipient is durable.
func (r *run) wait(ctx context.Context, g *gateway.Gateway, m *meter) (time.Time, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	said := time.Now()
	for n := 0; ; n++ {
		p := g.Engine.Progress()
		if p.Settled >= uint64(r.Recipients) { //nolint:gosec // at most ten million
			return time.Now(), nil
		}
		if n%50 == 49 {
			m.sample(ctx)
		}
		if time.Since(said) > time.Second {
			said = time.Now()
			r.Say("%d of %d", p.Settled, r.Recipients)
		}
		select {
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// verify counts in the ledger: everybody, once, accepted.
func (r *run) verify(ctx context.Context, g *gateway.Gateway, id alert.ID) error {
	cells, err := g.Coverage.Cells(ctx, id, 1)
	if err != nil {
		return err
	}
	eligible, accepted := 0, 0
	for _, c := range cells {
		eligible += c.Eligible()
		accepted += c.Count(channels.Accepted)
	}
	if eligible != r.Recipients || accepted != r.Recipients {
		return fmt.Errorf("the ledger has %d recipients and %d accepted, not %d", eligible, accepted, r.Recipients)
	}
	return nil
}
