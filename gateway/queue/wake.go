package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
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
	for ctx.Err() == nil {
		q.listen(ctx, f)
		select {
		case <-ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// silent is how long a subscription may say nothing before it is asked whether
// it lives, and then until it answers.
const silent = 1500 * time.Millisecond

// listen hears one subscription until it breaks. One whose other end is gone
// without a word would be waited for in vain, so it is asked now and then.
func (q *Queue) listen(ctx context.Context, f func(Wake)) {
	sub := q.talk.Subscribe(ctx, q.key("wake"))
	defer func() { _ = sub.Close() }()
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })() // a read does not notice by itself that ctx ended
	for asked := false; ; {
		got, err := sub.ReceiveTimeout(ctx, silent)
		if err != nil {
			late, ok := errors.AsType[net.Error](err)
			if !ok || !late.Timeout() || asked || sub.Ping(ctx) != nil {
				return
			}
			asked = true
			continue
		}
		asked = false
		m, ok := got.(*redis.Message)
		var w Wake
		if ok && json.Unmarshal([]byte(m.Payload), &w) == nil && w.Topic != "" {
			f(w)
		}
	}
}
