package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// A second is cut into slots, and each slot has its share of the limit: so no
// second sees more than 21 slots' worth of calls.
const (
	slots    = 20
	slotTime = time.Second / slots

	// A grant that takes longer is for a slot long past.
	rateTimeout = 250 * time.Millisecond
)

// share is how many calls slot i has of a limit per second: the shares of any
// 20 slots in a row make the limit.
func share(perSecond int, i int64) int {
	at := func(n int64) int64 { return n % slots * int64(perSecond) / slots }
	if (i+1)%slots == 0 {
		return perSecond - int(at(i))
	}
	return int(at(i+1) - at(i))
}

// staleSlots is by how many slots a grant may miss the server's time.
const staleSlots = int64(rateTimeout / slotTime)

// Take grants up to n calls of the provider's current slot, shared by all
// nodes. The server's clock says which slot that is: theirs may differ.
func (q *Queue) Take(ctx context.Context, provider string, perSecond, n int, now time.Time) (int, time.Duration, error) {
	if perSecond <= 0 || n <= 0 {
		return n, 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, rateTimeout)
	defer cancel()
	if err := q.fit(ctx); err != nil {
		return 0, 0, err
	}
	if q.skip { // this process is the only node, and the clock of its server stands still between ticks
		granted, wait, _, err := q.take(ctx, provider, perSecond, n, now)
		return granted, wait, err
	}
	ahead := q.ahead.Load()
	if ahead == nil {
		at, err := q.cmd.Time(ctx).Result()
		if err != nil {
			return 0, 0, fmt.Errorf("queue: rate: %w", err)
		}
		ahead = q.learn(at, now)
	}
	granted, wait, served, err := q.take(ctx, provider, perSecond, n, now.Add(*ahead))
	if err != nil || served.IsZero() {
		return granted, wait, err
	}
	q.learn(served, now)
	if off := slot(served) - slot(now.Add(*ahead)); off > staleSlots || off < -staleSlots {
		return 0, time.Millisecond, nil // one of the clocks was set meanwhile
	}
	return granted, wait, nil
}

// learn remembers by how much the server's clock is ahead of this node's.
func (q *Queue) learn(server, now time.Time) *time.Duration {
	d := server.Sub(now)
	q.ahead.Store(&d)
	return &d
}

func slot(at time.Time) int64 { return at.UnixNano() / int64(slotTime) }

// take is Take by the server's clock. served is when the server has answered,
// zero if it was not asked.
func (q *Queue) take(ctx context.Context, provider string, perSecond, n int, at time.Time) (granted int, wait time.Duration, served time.Time, err error) {
	i := slot(at)
	quota := share(perSecond, i)
	if quota > 0 {
		key := q.key("rate", provider, strconv.FormatInt(i, 10))
		var used *redis.IntCmd
		var clock *redis.TimeCmd
		_, err := q.cmd.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			used = pipe.IncrBy(ctx, key, int64(n))
			pipe.PExpire(ctx, key, 2*time.Second)
			clock = pipe.Time(ctx)
			return nil
		})
		if err != nil {
			return 0, 0, served, fmt.Errorf("queue: rate: %w", err)
		}
		served = clock.Val()
		if granted := min(n, quota-(int(used.Val())-n)); granted > 0 {
			return granted, 0, served, nil
		}
	}
	next := i + 1
	for share(perSecond, next) == 0 {
		next++
	}
	return 0, time.Unix(0, next*int64(slotTime)).Sub(at), served, nil
}
