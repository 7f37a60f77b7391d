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

// Take grants up to n calls of the provider's current slot, shared by all
// nodes. Their clocks must agree to within a slot for the limit to hold
// exactly.
func (q *Queue) Take(ctx context.Context, provider string, perSecond, n int, now time.Time) (int, time.Duration, error) {
	if perSecond <= 0 || n <= 0 {
		return n, 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, rateTimeout)
	defer cancel()
	if err := q.fit(ctx); err != nil {
		return 0, 0, err
	}
	i := now.UnixNano() / int64(slotTime)
	quota := share(perSecond, i)
	if quota > 0 {
		key := q.key("rate", provider, strconv.FormatInt(i, 10))
		var used *redis.IntCmd
		_, err := q.cmd.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			used = pipe.IncrBy(ctx, key, int64(n))
			pipe.PExpire(ctx, key, 2*time.Second)
			return nil
		})
		if err != nil {
			return 0, 0, fmt.Errorf("queue: rate: %w", err)
		}
		if granted := min(n, quota-(int(used.Val())-n)); granted > 0 {
			return granted, 0, nil
		}
	}
	next := i + 1
	for share(perSecond, next) == 0 {
		next++
	}
	return 0, time.Unix(0, next*int64(slotTime)).Sub(now), nil
}
