package gateway

import (
	"context"
	"time"

	"loa/gateway/ledger"
)

// spreadEvery is how often a gateway of several looks whether something came
// into force that its own listeners may not have been told. It is told at once
// when another says so; this is for what it did not hear.
const spreadEvery = time.Second

// refresher is a channel whose listeners hang on one gateway each, and hear a
// broadcast of that one only.
type refresher interface {
	Refresh(ctx context.Context) error
}

// hasten has what is in force looked at now.
func (g *Gateway) hasten() {
	select {
	case g.fresh <- struct{}{}:
	default:
	}
}

// spread shows the listeners of this gateway what any gateway has approved. The
// ledger tells: one that was frozen, or cut off from the others, finds out what
// it missed as soon as it can ask.
func (g *Gateway) spread(ctx context.Context) error {
	var hubs []refresher
	for _, o := range g.drivers {
		if r, ok := o.value.(refresher); ok {
			hubs = append(hubs, r)
		}
	}
	if len(hubs) == 0 || g.cfg.Ledger.Postgres == "" {
		return nil // a ledger in a file has one gateway, which broadcasts all itself
	}
	tick := time.NewTicker(spreadEvery)
	defer tick.Stop()
	shown := map[ledger.InForce]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-g.fresh:
		}
		if err := g.show(ctx, hubs, shown); err != nil && ctx.Err() == nil {
			g.log.WarnContext(ctx, "listeners may lack what is in force; it is tried again", "err", err)
		}
	}
}

// show refreshes the hubs if something is in force that they were not refreshed
// for. While sends are held, nothing is shown.
func (g *Gateway) show(ctx context.Context, hubs []refresher, shown map[ledger.InForce]bool) error {
	now, err := g.ledger.InForce(ctx, g.now())
	if err != nil {
		return err
	}
	later := false
	for _, f := range now {
		later = later || !shown[f]
	}
	if later {
		state, err := g.ledger.Guard(ctx)
		if err != nil || !state.Held.IsZero() {
			return err
		}
		for _, h := range hubs {
			if err := h.Refresh(ctx); err != nil {
				return err
			}
		}
	}
	clear(shown)
	for _, f := range now {
		shown[f] = true
	}
	return nil
}
