package ledger

import (
	"context"
	"fmt"
)

// TakeKey notes the id of the master key of a ledger that has none yet.
func (l *Ledger) TakeKey(ctx context.Context, id string) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		_, err := t.exec("UPDATE guard SET key_id = ? WHERE id = 1 AND key_id = ''", id)
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: key: %w", err)
	}
	return nil
}
