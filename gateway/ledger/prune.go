package ledger

import (
	"context"
	"fmt"

	"loa/gateway/alert"
	"loa/gateway/delivery"
)

// pruneRows is how many revisions one commit forgets.
const pruneRows = 100

// Prune forgets the revisions of an alert below a number, but for the one in
// force: what was requested, cut and sent of them and what came of it. key is
// the key of a revision's request. Records of the audit stay. It is for the
// messages that the gateway sends itself day by day, and for no warning.
func (l *Ledger) Prune(ctx context.Context, id alert.ID, below int, key func(revision int) string) error {
	err := l.sweep(ctx, func(t tx) (int, error) {
		numbers, err := column[int64](t, `SELECT number FROM revision WHERE alert = ? AND number < ?
 AND number < (SELECT revision FROM alert_case WHERE id = ?) ORDER BY number LIMIT ?`, string(id), int64(below), string(id), int64(pruneRows))
		if err != nil {
			return 0, err
		}
		for i, n := range numbers {
			if i > 0 && t.pressed() {
				break
			}
			if err := forget(t, id, n, key(int(n))); err != nil {
				return 0, err
			}
		}
		return len(numbers), nil
	})
	if err != nil {
		return fmt.Errorf("ledger: prune: %w", err)
	}
	return nil
}

// forget deletes what there is of one revision.
func forget(t tx, id alert.ID, number int64, key string) error {
	if _, err := t.exec("DELETE FROM request WHERE key = ? AND alert = ?", key, string(id)); err != nil {
		return err
	}
	batches, err := column[int64](t, "SELECT id FROM batch WHERE alert = ? AND revision = ?", string(id), number)
	if err != nil {
		return err
	}
	for _, b := range batches {
		var message int64
		if _, err := one(t, "SELECT message FROM batch WHERE id = ?", []any{b}, &message); err != nil {
			return err
		}
		for _, q := range []string{"DELETE FROM exception WHERE batch = ?", "DELETE FROM progress WHERE batch = ?", "DELETE FROM batch WHERE id = ?"} {
			if _, err := t.exec(q, b); err != nil {
				return err
			}
		}
		t.leased().drop(delivery.BatchID(b))
		if _, err := t.exec("DELETE FROM message WHERE id = ? AND NOT EXISTS (SELECT 1 FROM batch WHERE message = ?)", message, message); err != nil {
			return err
		}
	}
	for _, q := range []string{"DELETE FROM notice WHERE alert = ? AND revision = ?", "DELETE FROM revision WHERE alert = ? AND number = ?"} {
		if _, err := t.exec(q, string(id), number); err != nil {
			return err
		}
	}
	return nil
}
