package gateway

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// unheardKeep is how long a count is kept: subscribers come and go slowly.
const unheardKeep = 30 * time.Second

// unheard counts, for alerts in force, who is subscribed on channels that are
// not configured.
type unheard struct {
	mu     sync.Mutex
	counts map[alert.ID]unheardCount
}

type unheardCount struct {
	at time.Time
	n  map[channels.Kind]int
}

// unheard is how many of the people in an alert's area are subscribed on each
// channel that is not configured here; nil if there are none. What goes to
// those who were reached before concerns nobody else.
func (g *Gateway) unheard(ctx context.Context, c *desk.Case) (map[channels.Kind]int, error) {
	if c.Submission.Cause == dispatch.Correction || c.Submission.Cause == dispatch.Stopped || c.Submission.Revision.Status != alert.Actual {
		return nil, nil
	}
	u, now := &g.deaf, g.now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if last, ok := u.counts[c.ID]; ok && now.Sub(last.at) >= 0 && now.Sub(last.at) < unheardKeep {
		return last.n, nil
	}
	heads, err := g.Audience.HeadCount(ctx, c.Submission.Communes, false)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(heads, func(k channels.Kind, n int) bool { return n == 0 || slices.Contains(g.kinds, k) })
	if len(heads) == 0 {
		heads = nil
	}
	maps.DeleteFunc(u.counts, func(_ alert.ID, c unheardCount) bool { return now.Sub(c.at) >= unheardKeep })
	if u.counts == nil {
		u.counts = map[alert.ID]unheardCount{}
	}
	u.counts[c.ID] = unheardCount{now, heads}
	return heads, nil
}

// unheardNow is the greatest such number among the alerts in force.
func (g *Gateway) unheardNow(ctx context.Context) (map[channels.Kind]int, error) {
	cases, err := g.live.inForce(ctx)
	if err != nil {
		return nil, err
	}
	most := map[channels.Kind]int{}
	for _, c := range cases {
		n, err := g.unheard(ctx, c)
		if err != nil {
			return nil, err
		}
		for k, v := range n {
			most[k] = max(most[k], v)
		}
	}
	return most, nil
}
