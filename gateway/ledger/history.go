//go:build history

package ledger

import (
	"context"
	"fmt"

	"loa/gateway/delivery"
)

// Batches walks over every batch with what became of its recipients, in order;
// for tests that judge a run when it is over.
func (l *Ledger) Batches(ctx context.Context, yield func(delivery.Batch) error) error {
	err := l.db.read(ctx, func(t tx) error {
		ids, err := column[delivery.BatchID](t, "SELECT id FROM batch ORDER BY id")
		if err != nil {
			return err
		}
		for _, id := range ids {
			b, err := readBatch(t, id)
			if err != nil {
				return err
			}
			var marks []byte
			if _, err := one(t, "SELECT marks FROM progress WHERE batch = ?", []any{int64(id)}, &marks); err != nil {
				return err
			}
			for _, m := range marks {
				b.Marks = append(b.Marks, delivery.Mark(m))
			}
			if err := exceptions(t, id, func(x delivery.Exception) { b.Exceptions = append(b.Exceptions, x) }); err != nil {
				return err
			}
			if err := yield(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ledger: batches: %w", err)
	}
	return nil
}
