package watch

import (
	"context"
	"time"

	"loa/channels"
	"loa/gateway/alert"
)

const (
	// Kept is how long what was sent to canaries and people on duty is kept.
	Kept       = 30 * 24 * time.Hour
	pruneEvery = time.Hour
)

// prune forgets what is older than Kept, of channels and causes that are not
// configured any more too, until the context ends.
func (w *Watch) prune(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		before := w.o.Now().Add(-Kept)
		below := map[alert.ID]int{}
		for _, k := range channels.AllKinds() {
			below[canaryID(k)] = canaryNumber(before)
		}
		for _, c := range Causes() {
			below[dutyID(c)] = dutyNumber(before)
		}
		for id, number := range below {
			if err := w.o.Store.Prune(ctx, id, number); err != nil && ctx.Err() == nil {
				w.log.ErrorContext(ctx, "what was sent to canaries and people on duty long ago cannot be forgotten", "alert", string(id), "err", err)
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
