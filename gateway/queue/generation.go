package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// The mirror of ledgers' generations is a sorted set beside the epoch: a member
// for each ledger, so that two that use one Redis by mistake are told apart,
// and a score that only rises (ZADD GT, Redis 6.2).

// Seen is the highest generation of a ledger that was mirrored here, 0 if none
// was.
func (q *Queue) Seen(ctx context.Context, ledger string) (int64, error) {
	score, err := q.cmd.ZScore(ctx, q.key("generation"), ledger).Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("queue: generation: %w", err)
	}
	return int64(score), nil
}

// Mirror notes a generation that the ledger has committed. A lower one than was
// noted before changes nothing.
func (q *Queue) Mirror(ctx context.Context, ledger string, generation int64) error {
	if err := q.cmd.ZAddGT(ctx, q.key("generation"), redis.Z{Score: float64(generation), Member: ledger}).Err(); err != nil {
		return fmt.Errorf("queue: generation: %w", err)
	}
	return nil
}
