package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// The topics of a Wake.
const (
	TopicWork  = "work"  // a request was stored
	TopicEnded = "ended" // sends of alert ID must not start any more
)

// Wake is what one node tells the others. It holds identifiers, never
// addresses or text.
type Wake struct {
	Topic string `json:"topic"`
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
