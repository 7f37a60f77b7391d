package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
	"loa/gateway/delivery"
	"loa/gateway/ledger"
	"loa/gateway/queue"
)

// checkBound is how long one peer may take to answer an online check.
const checkBound = 10 * time.Second

// Findings are what Examine finds, each with its place in the configuration.
// With a fault Run would not start; a note is for a person to judge.
type Findings struct {
	Faults []error
	Notes  []string
}

// Check is the faults of Examine.
func Check(ctx context.Context, opt Options, online bool) []error {
	return Examine(ctx, opt, online).Faults
}

// Examine reads what New reads, tries the data folder and the address, opens
// every driver without dialling, and returns every fault. It takes no lock and
// keeps nothing: a gateway may be running. Online it also asks the peers:
// drivers that can prove their credentials, Redis and PostgreSQL. Nothing is
// ever sent.
func Examine(ctx context.Context, opt Options, online bool) Findings {
	g := &Gateway{cfg: opt.Config, opt: opt, log: slog.New(slog.DiscardHandler), now: time.Now, Metrics: prometheus.NewRegistry()}
	g.live.g = g
	c := &checking{g: g}
	c.Notes = append(c.Notes, g.cfg.Warnings...)
	c.data(ctx)
	c.shared(ctx, online)
	c.witness(ctx, online)
	c.fault("boundaries", named("boundaries", g.openAreas(ctx)))
	c.fault("sms", named("sms", g.openRenderer(ctx)))
	c.channels(ctx, online)
	c.texts()
	c.address(ctx)
	if online {
		c.fault("redis", named("redis", bounded(ctx, g.pingRedis)))
		c.fault("ledger.postgres", named("ledger.postgres", bounded(ctx, g.pingLedger)))
		c.sums(ctx)
	}
	if err := g.Close(); err != nil {
		c.Faults = append(c.Faults, err)
	}
	return c.Findings
}

// checking gathers findings.
type checking struct {
	Findings
	g      *Gateway
	held   bool   // another process has the data folder
	ledger string // its own name; empty: nobody has read it
	name   string // id of the master key; empty: there is none yet
	folder error  // why the key is not the data folder's
}

func (c *checking) fault(key string, err error) {
	if err != nil {
		c.Faults = append(c.Faults, fmt.Errorf("%s%w", c.g.cfg.WhereNamed(key, err), err))
	}
}

// sums notes that PostgreSQL would not notice damage on its disk.
func (c *checking) sums(ctx context.Context) {
	dsn := c.g.cfg.Ledger.Postgres
	if dsn == "" {
		return
	}
	bound, cancel := context.WithTimeout(ctx, checkBound)
	defer cancel()
	if on, err := ledger.PostgresSums(bound, dsn.Reveal()); err == nil && !on {
		c.note("ledger.postgres", "ledger.postgres: this PostgreSQL does not sum its pages and would not notice a damaged disk; stop it and run pg_checksums --enable")
	}
}

func (c *checking) note(key, format string, args ...any) {
	c.Notes = append(c.Notes, c.g.cfg.Where(key)+fmt.Sprintf(format, args...))
}

// texts notes which SMS of the catalogue would not be sent, because nobody says
// that their carrier has registered them.
func (c *checking) texts() {
	g := c.g
	sends := slices.ContainsFunc(g.drivers, func(o opened) bool { return o.kind == channels.SMS })
	if g.Renderer == nil || !sends {
		return
	}
	if len(g.senders) == 0 {
		c.note("sms", "sms.senders: names nobody, so that no SMS would be sent")
	}
	for _, from := range g.senders {
		var names []string
		for _, missing := range g.Renderer.Unregistered(from) {
			names = append(names, missing.Template)
		}
		slices.Sort(names)
		if names = slices.Compact(names); len(names) > 0 {
			c.note("sms", "sms: %d texts of the catalogue are not registered for %s at %s and would not be sent: %s",
				len(names), from.Sender, from.Provider, strings.Join(names, ", "))
		}
	}
}

// channels opens every driver and puts it into its lane, as New does.
func (c *checking) channels(ctx context.Context, online bool) {
	g := c.g
	lanes := map[channels.Kind]*delivery.Lane{}
	for i, ch := range g.cfg.Channels {
		o, err := g.openDriver(ch)
		if err == nil {
			lanes[o.kind], err = addTo(Observer{}, lanes[o.kind], o, ch)
		}
		if err != nil {
			c.Faults = append(c.Faults, g.channelFault(i, err))
			continue
		}
		key := fmt.Sprintf("channels[%d]", i)
		if p, ok := o.value.(channels.Checker); ok && online {
			c.fault(key+".settings", named(key, loginWords(bounded(ctx, p.Check))))
		}
	}
}

// loginWords says in plain words that a provider refuses the credentials.
func loginWords(err error) error {
	var e *channels.Error
	if !errors.As(err, &e) || whyDown(delivery.Down{Fault: e.Fault, Code: e.Code}) == 0 {
		return err
	}
	return fmt.Errorf("%s: %w", downWords[whyDown(delivery.Down{Fault: e.Fault, Code: e.Code})], err)
}

// address tries to listen where Run would. An address in use is a note: it may
// be that of the gateway which is to be started anew.
func (c *checking) address(ctx context.Context) {
	if c.g.opt.Listener != nil {
		return
	}
	l, err := c.g.listenPublic(ctx)
	var busy *AddressError
	switch {
	case err == nil:
		if err := l.Close(); err != nil {
			c.fault("listen", err)
		}
	case errors.As(err, &busy) && busy.InUse():
		if c.held {
			return // by the gateway that runs on this folder, of which a note tells
		}
		c.Notes = append(c.Notes, err.Error())
	default:
		c.Faults = append(c.Faults, err)
	}
}

func named(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}

func bounded(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, checkBound)
	defer cancel()
	return f(ctx)
}

func (g *Gateway) pingRedis(ctx context.Context) error {
	r := g.cfg.Redis
	if r.None || r.Embedded {
		return nil
	}
	q, err := queue.Open(ctx, queueOptions(r, g.log))
	if err != nil {
		return err
	}
	_, err = q.Waiting(ctx, channels.SMS)
	return errors.Join(err, q.Close())
}

func (g *Gateway) pingLedger(ctx context.Context) error {
	if g.cfg.Ledger.Postgres == "" {
		return nil
	}
	return ledger.PingPostgres(ctx, g.cfg.Ledger.Postgres.Reveal())
}
