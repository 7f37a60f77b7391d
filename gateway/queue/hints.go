package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"loa/channels"
	"loa/gateway/delivery"
)

const (
	pushChunk = 1000
	field     = "b" // an entry is one field: the batch's number
	ownDone   = "done"
	lookEvery = 5 * time.Second
	aliveFor  = time.Minute
)

// Push lays hints on the belt, pipelined. After an error any of them may lie
// there: pushing them again is harmless.
func (q *Queue) Push(ctx context.Context, hs ...delivery.Hint) error {
	if err := q.fit(ctx); err != nil {
		return err
	}
	for len(hs) > 0 {
		chunk := hs[:min(pushChunk, len(hs))]
		hs = hs[len(chunk):]
		pipe := q.cmd.Pipeline()
		for _, h := range chunk {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: q.stream(h.Kind, h.Priority), Values: []string{field, strconv.FormatInt(int64(h.Batch), 10)}})
		}
		if _, err := pipe.Exec(ctx); err != nil {
			q.heal(ctx, err, chunk[0].Kind)
			return fmt.Errorf("queue: push: %w", err)
		}
	}
	return nil
}

// Pop gives the consumer's own entries first, from before a restart; then new
// ones of the highest priority that has any; then those of consumers that are
// gone; and waits if there are none.
func (q *Queue) Pop(ctx context.Context, kind channels.Kind, lowest delivery.Priority, consumer string, limit int, block time.Duration) ([]delivery.Entry, error) {
	if err := q.fit(ctx); err != nil {
		return nil, err
	}
	block = min(block, maxBlock)
	ctx, cancel := context.WithTimeout(ctx, block+callTimeout)
	defer cancel()
	es, err := q.pop(ctx, kind, lowest, consumer, limit, block)
	if q.heal(ctx, err, kind) {
		es, err = q.pop(ctx, kind, lowest, consumer, limit, block)
	}
	if err != nil {
		return nil, fmt.Errorf("queue: pop: %w", err)
	}
	return es, nil
}

func (q *Queue) pop(ctx context.Context, kind channels.Kind, lowest delivery.Priority, consumer string, limit int, block time.Duration) ([]delivery.Entry, error) {
	for p := delivery.P0; p <= lowest; p++ {
		if es, err := q.popOwn(ctx, kind, p, consumer, limit); err != nil || len(es) > 0 {
			return es, err
		}
		if es, err := q.group(ctx, kind, consumer, limit, -1, ">", p); err != nil || len(es) > 0 {
			return es, err
		}
	}
	if q.time(kind) {
		if es, err := q.takeOver(ctx, kind, lowest, consumer, limit); err != nil || len(es) > 0 {
			return es, err
		}
	}
	if block <= 0 {
		return nil, nil
	}
	ps := make([]delivery.Priority, 0, 4)
	for p := delivery.P0; p <= lowest; p++ {
		ps = append(ps, p)
	}
	return q.group(ctx, kind, consumer, 1, max(block, time.Millisecond), ">", ps...)
}

// group reads from the streams of the given priorities, from id on.
func (q *Queue) group(ctx context.Context, kind channels.Kind, consumer string, limit int, block time.Duration, id string, ps ...delivery.Priority) ([]delivery.Entry, error) {
	streams := make([]string, 0, 2*len(ps))
	for _, p := range ps {
		streams = append(streams, q.stream(kind, p))
	}
	for range ps {
		streams = append(streams, id)
	}
	client := q.cmd
	if block > 0 {
		client = q.read
	}
	got, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: group, Consumer: consumer, Streams: streams, Count: int64(limit), Block: block}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []delivery.Entry
	for _, s := range got {
		for _, p := range ps {
			if s.Stream == q.stream(kind, p) {
				es, err := q.entries(ctx, kind, p, s.Messages)
				if err != nil {
					return nil, err
				}
				out = append(out, es...)
			}
		}
	}
	return out, nil
}

// popOwn reads what this consumer was given and did not acknowledge before
// this process began.
func (q *Queue) popOwn(ctx context.Context, kind channels.Kind, p delivery.Priority, consumer string, limit int) ([]delivery.Entry, error) {
	mark := q.stream(kind, p) + "/" + consumer
	for {
		q.mu.Lock()
		after := q.own[mark]
		q.mu.Unlock()
		if after == ownDone {
			return nil, nil
		}
		if after == "" {
			after = "0"
		}
		got, err := q.cmd.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: group, Consumer: consumer, Streams: []string{q.stream(kind, p), after}, Count: int64(limit), Block: -1,
		}).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		next := ownDone
		var msgs []redis.XMessage
		if len(got) > 0 && len(got[0].Messages) > 0 {
			msgs = got[0].Messages
			next = msgs[len(msgs)-1].ID
		}
		q.mu.Lock()
		q.own[mark] = next
		q.mu.Unlock()
		if es, err := q.entries(ctx, kind, p, msgs); err != nil || len(es) > 0 {
			return es, err
		}
	}
}

// time says whether it is time to look for entries of consumers that are gone.
func (q *Queue) time(kind channels.Kind) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); now.Sub(q.looked[kind]) > min(lookEvery, q.opt.Idle) {
		q.looked[kind] = now
		return true
	}
	return false
}

func (q *Queue) takeOver(ctx context.Context, kind channels.Kind, lowest delivery.Priority, consumer string, limit int) ([]delivery.Entry, error) {
	for p := delivery.P0; p <= lowest; p++ {
		// Entries that somebody deleted are only dropped from the pending list:
		// the sweeper finds their batches.
		msgs, _, err := q.cmd.XAutoClaim(ctx, &redis.XAutoClaimArgs{
			Stream: q.stream(kind, p), Group: group, Consumer: consumer, MinIdle: q.opt.Idle, Start: "0", Count: int64(limit),
		}).Result()
		if err != nil {
			return nil, err
		}
		if es, err := q.entries(ctx, kind, p, msgs); err != nil || len(es) > 0 {
			return es, err
		}
	}
	return nil, nil
}

// entries reads hints. What is not one, or was deleted, is taken off.
func (q *Queue) entries(ctx context.Context, kind channels.Kind, p delivery.Priority, msgs []redis.XMessage) ([]delivery.Entry, error) {
	var out, bad []delivery.Entry
	for _, m := range msgs {
		en := delivery.Entry{Hint: delivery.Hint{Kind: kind, Priority: p}, Ref: m.ID}
		text, _ := m.Values[field].(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 || len(m.Values) != 1 {
			bad = append(bad, en)
			continue
		}
		en.Batch = delivery.BatchID(n)
		out = append(out, en)
	}
	if len(bad) > 0 {
		q.opt.Log.Warn("entries that are no hints were dropped", "lane", kind, "count", len(bad))
		if err := q.Done(ctx, bad...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Done takes entries off the belt: acknowledged and deleted in one transaction.
func (q *Queue) Done(ctx context.Context, es ...delivery.Entry) error {
	if err := q.fit(ctx); err != nil {
		return err
	}
	ids := make(map[string][]string)
	for _, en := range es {
		s := q.stream(en.Kind, en.Priority)
		ids[s] = append(ids[s], en.Ref)
	}
	_, err := q.cmd.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		for s, refs := range ids {
			pipe.XAck(ctx, s, group, refs...)
			pipe.XDel(ctx, s, refs...)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("queue: done: %w", err)
	}
	return nil
}

// Waiting counts entries that are not done, per priority. It fails if the
// server does not take writes, for then no hint can be laid there.
func (q *Queue) Waiting(ctx context.Context, kind channels.Kind) ([4]int64, error) {
	var n [4]int64
	if err := q.fit(ctx); err != nil {
		return n, err
	}
	var cmds [4]*redis.IntCmd
	_, err := q.cmd.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for p := range cmds {
			cmds[p] = pipe.XLen(ctx, q.stream(kind, delivery.Priority(p)))
		}
		pipe.Set(ctx, q.key("alive"), "1", aliveFor)
		return nil
	})
	if err != nil {
		q.heal(ctx, err, kind)
		return n, fmt.Errorf("queue: waiting: %w", err)
	}
	for p := range cmds {
		n[p] = cmds[p].Val()
	}
	return n, nil
}

// Epoch reads the random epoch key, or makes it anew.
func (q *Queue) Epoch(ctx context.Context) (string, bool, error) {
	if err := q.fit(ctx); err != nil {
		return "", false, err
	}
	got, err := q.cmd.Get(ctx, q.key("epoch")).Result()
	if err == nil && got != "" {
		return got, true, nil
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", false, fmt.Errorf("queue: epoch: %w", err)
	}
	q.unchecked() // it may be another server
	fresh := rand.Text()
	if err := q.cmd.SetNX(ctx, q.key("epoch"), fresh, 0).Err(); err != nil {
		return "", false, fmt.Errorf("queue: epoch: %w", err)
	}
	if got, err = q.cmd.Get(ctx, q.key("epoch")).Result(); err != nil {
		return "", false, fmt.Errorf("queue: epoch: %w", err)
	}
	return got, false, nil
}

// heal repairs what a wiped or misused Redis lacks, and says whether to try
// again: a missing group is made anew from the beginning of its stream, a key
// that is no stream is moved aside.
func (q *Queue) heal(ctx context.Context, err error, kind channels.Kind) bool {
	switch {
	case hasPrefix(err, "NOGROUP"), hasPrefix(err, "UNBLOCKED"):
	case hasPrefix(err, "WRONGTYPE"):
		q.moveAside(ctx, kind)
	default:
		return false
	}
	q.mu.Lock()
	clear(q.own)
	q.mu.Unlock()
	for _, p := range delivery.Priorities() {
		err := q.cmd.XGroupCreateMkStream(ctx, q.stream(kind, p), group, "0").Err()
		if err != nil && !hasPrefix(err, "BUSYGROUP") {
			return false
		}
	}
	return true
}

func (q *Queue) moveAside(ctx context.Context, kind channels.Kind) {
	for _, p := range delivery.Priorities() {
		s := q.stream(kind, p)
		if t, err := q.cmd.Type(ctx, s).Result(); err == nil && t != "stream" && t != "none" {
			q.opt.Log.Warn("a key that is no stream was moved aside", "key", s)
			_ = q.cmd.Rename(ctx, s, s+":foreign").Err() // tried again at the next call
		}
	}
}
