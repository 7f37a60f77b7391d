package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/delivery"
)

// Due lists batches that are due and not leased, none while the ledger is on
// hold.
func (l deliveryStore) Due(ctx context.Context, now time.Time, after delivery.Hint, limit int) ([]delivery.Hint, error) {
	var hints []delivery.Hint
	if limit <= 0 {
		return nil, nil
	}
	err := l.db.read(ctx, func(t tx) error {
		hints = nil
		if held, err := onHold(t, ""); err != nil || held {
			return err
		}
		clock, err := t.clock()
		if err != nil {
			return err
		}
		at := ns(now)
		for _, kind := range channels.AllKinds() {
			err := t.each("SELECT p.batch, p.priority"+openLive+" AND (p.priority, p.batch) > (?, ?) ORDER BY p.priority, p.batch LIMIT ?",
				[]any{kindCodes[kind], at, clock, t.boot(), at, at, int64(after.Priority), int64(after.Batch), int64(limit)},
				func(scan func(...any) error) error {
					h := delivery.Hint{Kind: kind}
					if err := scan(&h.Batch, &h.Priority); err != nil {
						return err
					}
					hints = append(hints, h)
					return nil
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: due: %w", err)
	}
	slices.SortFunc(hints, func(a, b delivery.Hint) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Batch, b.Batch))
	})
	return hints[:min(limit, len(hints))], nil
}

// Orphans lists none while the ledger is on hold.
func (l deliveryStore) Orphans(ctx context.Context, now time.Time, kind channels.Kind, limit int) ([]delivery.Hint, error) {
	var hints []delivery.Hint
	code, err := kindCode(kind)
	if err != nil || limit <= 0 {
		return nil, err
	}
	err = l.db.read(ctx, func(t tx) error {
		hints = nil
		if held, err := onHold(t, ""); err != nil || held {
			return err
		}
		clock, err := t.clock()
		if err != nil {
			return err
		}
		at := ns(now)
		return t.each("SELECT p.batch, p.priority"+openLive+" AND p.until <> 0 AND p.crashes < ? ORDER BY p.priority, p.batch LIMIT ?",
			[]any{code, at, clock, t.boot(), at, at, int64(delivery.OrphanCrashes), int64(limit)},
			func(scan func(...any) error) error {
				h := delivery.Hint{Kind: kind}
				err := scan(&h.Batch, &h.Priority)
				hints = append(hints, h)
				return err
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: orphans: %w", err)
	}
	return hints, nil
}

// Busiest looks at leased batches too, nothing while the ledger is on hold.
func (l deliveryStore) Busiest(ctx context.Context, now time.Time, kind channels.Kind) (delivery.Priority, error) {
	busiest := delivery.P3
	code, err := kindCode(kind)
	if err != nil {
		return busiest, err
	}
	err = l.db.read(ctx, func(t tx) error {
		busiest = delivery.P3
		if held, err := onHold(t, ""); err != nil || held {
			return err
		}
		clock, err := t.clock()
		if err != nil {
			return err
		}
		at := ns(now)
		_, err = one(t, `SELECT p.priority FROM progress p JOIN alert_case a ON a.id = p.alert
 WHERE p.kind = ? AND p.due_at IS NOT NULL AND (p.due_at <= ? OR p.until > ? AND p.boot = ?)
 AND p.expires > ? AND a.state = 'approved' AND a.expires > ? ORDER BY p.priority, p.batch LIMIT 1`,
			[]any{code, at, clock, t.boot(), at, at}, &busiest)
		return err
	})
	if err != nil {
		return delivery.P3, fmt.Errorf("ledger: busiest: %w", err)
	}
	return busiest, nil
}

// Locate finds a person's delivery by endpoint. It looks in the endpoint's
// cell first, then, if it has moved since, everywhere.
func (l deliveryStore) Locate(ctx context.Context, id alert.ID, revision int, kind channels.Kind, endpoint int64) (delivery.BatchID, int, uint8, error) {
	var at place
	code, err := kindCode(kind)
	if err != nil {
		return 0, 0, 0, err
	}
	err = l.db.read(ctx, func(t tx) error {
		const from = `SELECT b.id, b.count, b.ids, p.marks FROM batch b JOIN progress p ON p.batch = b.id
 WHERE b.alert = ? AND b.revision = ? AND b.kind = ?`
		const bounds = " AND b.first_id <= ? AND b.last_id >= ? ORDER BY b.id DESC"
		var commune area.Code
		var language string
		ok, err := one(t, "SELECT commune, language FROM endpoint WHERE id = ?", []any{endpoint}, &commune, &language)
		if err != nil {
			return err
		}
		if ok {
			if at, err = search(t, endpoint, from+" AND b.commune = ? AND b.language = ?"+bounds, string(id), int64(revision), code, string(commune), language, endpoint, endpoint); err != nil || at.batch != 0 {
				return err
			}
		}
		at, err = search(t, endpoint, from+bounds, string(id), int64(revision), code, endpoint, endpoint)
		return err
	})
	switch {
	case err != nil:
		return 0, 0, 0, fmt.Errorf("ledger: locate: %w", err)
	case at.batch == 0:
		return 0, 0, 0, delivery.ErrNotFound
	}
	return at.batch, at.index, at.mark.Attempt(), nil
}

// place is where a recipient stands.
type place struct {
	batch delivery.BatchID
	index int
	mark  delivery.Mark
}

func search(t tx, endpoint int64, query string, args ...any) (at place, err error) {
	err = t.each(query, args, func(scan func(...any) error) error {
		var id delivery.BatchID
		var count int
		var packed, marks []byte
		if err := scan(&id, &count, &packed, &marks); err != nil || at.batch != 0 {
			return err
		}
		ids, err := unpackIDs(packed, count)
		if err != nil {
			return err
		}
		if i, ok := slices.BinarySearch(ids, endpoint); ok {
			at = place{id, i, delivery.Mark(marks[i])}
		}
		return nil
	})
	return at, err
}

// Dead lists which of the alerts may not be sent any more. An alert that does
// not exist is dead.
func (l deliveryStore) Dead(ctx context.Context, now time.Time, ids []alert.ID) ([]alert.ID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	live := make(map[string]bool, len(ids))
	err := l.db.read(ctx, func(t tx) error {
		d := t.dialect()
		return t.each("SELECT id FROM alert_case WHERE state = 'approved' AND expires > ? AND id"+d.inStrs, []any{ns(now), d.strs(names)},
			func(scan func(...any) error) error {
				var id string
				if err := scan(&id); err != nil {
					return err
				}
				live[id] = true
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: dead: %w", err)
	}
	var dead []alert.ID
	for _, id := range ids {
		if !live[string(id)] {
			dead = append(dead, id)
		}
	}
	return dead, nil
}

// Outstanding counts batches of live alerts that are not done.
func (l deliveryStore) Outstanding(ctx context.Context, kind channels.Kind) (int, error) {
	code, err := kindCode(kind)
	if err != nil {
		return 0, err
	}
	var n int
	now := ns(l.now())
	err = l.db.read(ctx, func(t tx) error {
		_, err := one(t, `SELECT COUNT(*) FROM progress p JOIN alert_case a ON a.id = p.alert
 WHERE p.kind = ? AND p.due_at IS NOT NULL AND p.expires > ? AND a.state = 'approved' AND a.expires > ?`, []any{code, now, now}, &n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: outstanding: %w", err)
	}
	return n, nil
}
