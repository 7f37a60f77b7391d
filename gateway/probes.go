package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"loa/channels"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
	"loa/gateway/watch"
)

const (
	ledgerEvery = 5 * time.Second // a probe of the ledger is a commit
	stuckAfter  = 45 * time.Second
	dueAtOnce   = 64
	jobsLooked  = 64
)

// probeProviders tells of every provider whether it may be called.
func (g *Gateway) probeProviders(context.Context) []watch.Part {
	down := g.Engine.Health().Down
	var parts []watch.Part
	for _, o := range g.drivers {
		p, ok := o.value.(interface{ Provider() string })
		if !ok {
			continue
		}
		name := providerPart(o.kind, p.Provider())
		i := slices.IndexFunc(down, func(d delivery.Down) bool { return d.Kind == o.kind && d.Provider == p.Provider() })
		if i < 0 {
			parts = append(parts, watch.Fine(name))
			continue
		}
		parts = append(parts, providerDown(name, down[i]))
	}
	return parts
}

// providerPart names a provider on the board.
func providerPart(k channels.Kind, provider string) string {
	return fmt.Sprintf("provider/%s/%s", k, provider)
}

func providerDown(name string, d delivery.Down) watch.Part {
	code := watch.Coded(d.Code)
	if d.Fault == channels.FaultProvider {
		return watch.Fault(name, watch.ProviderDown, fmt.Sprintf("%s refuses our account or is closed to us%s: nothing goes out through it.", d.Provider, code))
	}
	return watch.Fault(name, watch.BreakerOpen, fmt.Sprintf("%s does not take messages%s: nothing goes out through it until a probe is taken.", d.Provider, code))
}

// probeQueue tells whether work is found the way that was configured.
func (g *Gateway) probeQueue(context.Context) []watch.Part {
	if g.queue == nil {
		return nil
	}
	h := g.Engine.Health()
	if h.Mode != delivery.ModeDirect {
		return []watch.Part{watch.Fine("redis")}
	}
	x := watch.Fault("redis", watch.DirectMode, "Redis does not answer or does not take writes: workers ask the ledger directly.")
	x.Since = h.Since
	return []watch.Part{x}
}

// probeLedger makes a commit.
func (g *Gateway) probeLedger(ctx context.Context) []watch.Part {
	x := watch.Fine("ledger")
	if err := g.probed(ctx); err != nil {
		x = watch.Fault("ledger", watch.LedgerReadOnly, "The ledger takes no commit: "+sentence(err))
	}
	x.Vital = true
	return []watch.Part{x}
}

// probeBacklog tells when what is due does not move: batches of channels whose
// providers are up, and requests that are not cut.
func (g *Gateway) probeBacklog() watch.Probe {
	var mu sync.Mutex
	var settled uint64
	var moved time.Time
	cuts := map[string]cutting{}
	return func(ctx context.Context) []watch.Part {
		mu.Lock()
		defer mu.Unlock()
		now := g.now()
		if n := g.Engine.Progress().Settled; moved.IsZero() || n != settled {
			settled, moved = n, now
		}
		sends, err := g.stuckSends(ctx, now, moved)
		if err != nil {
			return nil // the ledger's own probe tells
		}
		jobs, err := g.ledger.Dispatch().Jobs(ctx, now, jobsLooked)
		if err != nil {
			return nil
		}
		requests := watch.Fine("requests")
		next := make(map[string]cutting, len(jobs))
		for _, j := range jobs {
			c, ok := cuts[j.Key]
			if !ok || c.cursor != j.Cursor {
				c = cutting{j.Cursor, now}
			}
			next[j.Key] = c
			if now.Sub(c.since) >= stuckAfter {
				requests = watch.Fault("requests", watch.BacklogStuck, fmt.Sprintf("A request of alert %s is not made into batches.", j.Alert))
			}
		}
		cuts = next
		sends.Vital, requests.Vital = true, true
		return []watch.Part{sends, requests}
	}
}

// cutting is how far a request was, and since when.
type cutting struct {
	cursor dispatch.Cursor
	since  time.Time
}

// stuckSends looks at batches that have been due for a while when nothing was
// settled since.
func (g *Gateway) stuckSends(ctx context.Context, now, moved time.Time) (watch.Part, error) {
	fine := watch.Fine("backlog")
	if now.Sub(moved) < stuckAfter {
		return fine, nil
	}
	due, err := g.ledger.Delivery().Due(ctx, now.Add(-stuckAfter), delivery.Hint{}, dueAtOnce)
	if err != nil {
		return fine, err
	}
	down := g.Engine.Health().Down
	due = slices.DeleteFunc(due, func(h delivery.Hint) bool {
		served := slices.ContainsFunc(g.drivers, func(o opened) bool { return o.kind == h.Kind })
		return !served || slices.ContainsFunc(down, func(d delivery.Down) bool { return d.Kind == h.Kind })
	})
	if len(due) == 0 {
		return fine, nil
	}
	return watch.Fault("backlog", watch.BacklogStuck, fmt.Sprintf("At least %d batches have been due for longer than %s and nothing is sent.", len(due), stuckAfter)), nil
}
