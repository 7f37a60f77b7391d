package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
	"loa/gateway/ledger"
	"loa/gateway/queue"
)

// checkBound is how long one peer may take to answer an online check.
const checkBound = 10 * time.Second

// Check reads what New reads and opens every driver, without dialling, and
// returns every fault with its place in the configuration. It takes no lock
// and keeps nothing: a gateway may be running. Online it also asks the peers:
// drivers that can prove their credentials, Redis and PostgreSQL. Nothing is
// ever sent.
func Check(ctx context.Context, opt Options, online bool) []error {
	g := &Gateway{cfg: opt.Config, opt: opt, log: slog.New(slog.DiscardHandler), now: time.Now, Metrics: prometheus.NewRegistry()}
	g.live.g = g
	var faults []error
	fault := func(key string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s%w", g.cfg.Where(key), err))
		}
	}
	fault("boundaries", g.openAreas(ctx))
	fault("sms", g.openRenderer(ctx))
	for i, c := range g.cfg.Channels {
		key := fmt.Sprintf("channels[%d]", i)
		o, err := g.openDriver(c)
		if err != nil {
			fault(key+".settings", fmt.Errorf("%s: driver %q: %w", key, c.Driver, err))
			continue
		}
		if c, ok := o.value.(channels.Checker); ok && online {
			fault(key+".settings", named(key, bounded(ctx, c.Check)))
		}
	}
	if online {
		fault("redis", named("redis", bounded(ctx, g.pingRedis)))
		fault("ledger.postgres", named("ledger.postgres", bounded(ctx, g.pingLedger)))
	}
	if err := g.Close(); err != nil {
		faults = append(faults, err)
	}
	return faults
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
