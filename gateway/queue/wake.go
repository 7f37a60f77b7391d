package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Wake is what one node tells the others: an alert was stopped, a
// configuration changed. It holds identifiers, never addresses or text.
type Wake struct {
	Topic string `json:"topic"` // "stop", "live", …
	ID    string `json:"id,omitempty"`
}

// Wake tells all nodes that listen now; nobody else will hear it.
func (q *Queue) Wake(ctx context.Context, w Wake) error {
	b, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("queue: wake: %w", err)
	}
	if err := q.cmd.Publish(ctx, q.key("wake"), b).Err(); err != nil {
		return fmt.Errorf("queue: wake: %w", err)
	}
	return nil
}

// Listen calls f for every Wake, also for this node's own, until ctx ends. It
// subscribes again after the connection broke; what was told meanwhile is
// lost, so f may only hasten what the ledger says anyway.
func (q *Queue) Listen(ctx context.Context, f func(Wake)) {
	sub := q.talk.Subscribe(ctx, q.key("wake"))
	defer func() { _ = sub.Close() }()
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })() // a read does not notice by itself that ctx ended
	for ctx.Err() == nil {
		m, err := sub.ReceiveMessage(ctx)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(250 * time.Millisecond):
			}
			continue
		}
		var w Wake
		if json.Unmarshal([]byte(m.Payload), &w) == nil && w.Topic != "" {
			f(w)
		}
	}
}

// reportFor is how long a node's report counts.
const reportFor = 10 * time.Second

type report struct {
	At     int64            `json:"at"` // Unix milliseconds
	Counts map[string]int64 `json:"counts"`
}

// Report publishes a node's live counters. They are for looking at: what
// counts is in the ledger.
func (q *Queue) Report(ctx context.Context, node string, now time.Time, counts map[string]int64) error {
	b, err := json.Marshal(report{At: now.UnixMilli(), Counts: counts})
	if err != nil {
		return fmt.Errorf("queue: report: %w", err)
	}
	if err := q.cmd.HSet(ctx, q.key("progress"), node, b).Err(); err != nil {
		return fmt.Errorf("queue: report: %w", err)
	}
	return nil
}

// Reports sums the counters of all nodes that reported within 10 s.
func (q *Queue) Reports(ctx context.Context, now time.Time) (map[string]int64, error) {
	all, err := q.cmd.HGetAll(ctx, q.key("progress")).Result()
	if err != nil {
		return nil, fmt.Errorf("queue: reports: %w", err)
	}
	sum := make(map[string]int64)
	for _, text := range all {
		var r report
		if json.Unmarshal([]byte(text), &r) != nil || now.Sub(time.UnixMilli(r.At)) > reportFor {
			continue
		}
		for k, v := range r.Counts {
			sum[k] += v
		}
	}
	return sum, nil
}
