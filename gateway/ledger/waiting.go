package ledger

import (
	"context"
	"fmt"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
)

// Waiting is what would be sent of one alert on one channel.
type Waiting struct {
	Alert     alert.ID
	Kind      channels.Kind
	Pending   int // never sent to, as far as the ledger knows
	Sending   int // marked when the process ended: in doubt
	Ambiguous int // in doubt already; some are sent to once more
}

// ofOpen is the batches of live alerts that are not done.
const ofOpen = ` FROM progress p JOIN alert_case a ON a.id = p.alert
 WHERE p.due_at IS NOT NULL AND p.expires > ? AND a.state = 'approved' AND a.expires > ?`

// Waiting lists what would be sent if nothing held it back.
func (l *Ledger) Waiting(ctx context.Context, now time.Time) ([]Waiting, error) {
	var all []Waiting
	err := l.db.read(ctx, func(t tx) error {
		all = nil
		q := fmt.Sprintf("SELECT p.alert, p.kind, CAST(SUM(p.c%d) AS BIGINT), CAST(SUM(p.c%d) AS BIGINT), CAST(SUM(p.c%d) AS BIGINT)", channels.Pending, channels.Sending, channels.Ambiguous)
		return t.each(q+ofOpen+" GROUP BY p.alert, p.kind ORDER BY p.alert, p.kind", []any{ns(now), ns(now)}, func(scan func(...any) error) error {
			var w Waiting
			var kind int64
			if err := scan(&w.Alert, &kind, &w.Pending, &w.Sending, &w.Ambiguous); err != nil {
				return err
			}
			w.Kind = kindNames[kind]
			all = append(all, w)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: waiting: %w", err)
	}
	return all, nil
}

// Unsent reads the first batch of a channel after the given one that holds
// anybody who is pending, sending or in doubt, with its marks. It returns nil if there is none.
func (l *Ledger) Unsent(ctx context.Context, now time.Time, kind channels.Kind, after delivery.BatchID) (*delivery.Batch, error) {
	code, err := kindCode(kind)
	if err != nil {
		return nil, err
	}
	var found *delivery.Batch
	err = l.db.read(ctx, func(t tx) error {
		found = nil
		q := fmt.Sprintf("SELECT p.batch, p.marks%s AND p.kind = ? AND p.batch > ? AND p.c%d + p.c%d + p.c%d > 0 ORDER BY p.batch LIMIT 1", ofOpen, channels.Pending, channels.Sending, channels.Ambiguous)
		var id delivery.BatchID
		var marks []byte
		ok, err := one(t, q, []any{ns(now), ns(now), code, int64(after)}, &id, &marks)
		if err != nil || !ok {
			return err
		}
		b, err := readBatch(t, id)
		if err != nil {
			return err
		}
		b.Marks = make([]delivery.Mark, len(marks))
		for i, m := range marks {
			b.Marks[i] = delivery.Mark(m)
		}
		found = &b
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: unsent: %w", err)
	}
	return found, nil
}
