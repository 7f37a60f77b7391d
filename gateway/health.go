package gateway

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"loa/gateway/delivery"
)

const healthEvery = time.Second

// watch says aloud when a provider goes down or answers again and when the
// engine changes between the queue and the ledger, so that the engineer on
// duty does not have to look at the metrics to find out.
func (g *Gateway) watch(ctx context.Context) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	last := g.Engine.Health()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			now := g.Engine.Health()
			tellHealth(ctx, g.log, last, now)
			last = now
		}
	}
}

func tellHealth(ctx context.Context, log *slog.Logger, last, now delivery.Health) {
	in := func(all []delivery.Down, d delivery.Down) bool {
		return slices.ContainsFunc(all, func(o delivery.Down) bool { return o.Kind == d.Kind && o.Provider == d.Provider })
	}
	for _, d := range now.Down {
		if !in(last.Down, d) {
			log.ErrorContext(ctx, "a provider is down, nothing is sent through it",
				"channel", string(d.Kind), "provider", d.Provider, "why", downWords[whyDown(d)], "code", d.Code)
		}
	}
	for _, d := range last.Down {
		if !in(now.Down, d) {
			log.InfoContext(ctx, "a provider answers again", "channel", string(d.Kind), "provider", d.Provider)
		}
	}
	if now.Mode != last.Mode {
		log.WarnContext(ctx, "work is found another way", "mode", string(now.Mode), "before", string(last.Mode))
	}
}
