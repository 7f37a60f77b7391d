package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
)

// request stores queue intent. The same key is stored once.
func request(t tx, r dispatch.Request) error {
	if r.Key == "" {
		return errors.New("a request has no key")
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("request %s: %w", r.Key, err)
	}
	cursor, err := json.Marshal(dispatch.Cursor{})
	if err != nil {
		return fmt.Errorf("request %s: %w", r.Key, err)
	}
	_, err = t.exec("INSERT INTO request (key, priority, due, done, cursor, body) VALUES (?, ?, 0, 0, ?, ?) ON CONFLICT (key) DO NOTHING",
		r.Key, int64(r.Priority), string(cursor), body)
	return err
}

// Jobs lists requests that are not done and due.
func (l dispatchStore) Jobs(ctx context.Context, now time.Time, limit int) ([]dispatch.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	var jobs []dispatch.Job
	err := l.db.read(ctx, func(t tx) error {
		jobs = nil
		return t.each("SELECT body, cursor, due FROM request WHERE done = 0 AND due <= ? ORDER BY priority, seq LIMIT ?", []any{ns(now), int64(limit)},
			func(scan func(...any) error) error {
				var body []byte
				var cursor string
				var due int64
				if err := scan(&body, &cursor, &due); err != nil {
					return err
				}
				j := dispatch.Job{Due: fromNS(due)}
				if err := json.Unmarshal(body, &j.Request); err != nil {
					return err
				}
				if err := json.Unmarshal([]byte(cursor), &j.Cursor); err != nil {
					return err
				}
				jobs = append(jobs, j)
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: jobs: %w", err)
	}
	return jobs, nil
}

// Revision loads what is to be sent and the state of its alert. It fails with
// ErrNoRevision if there is none.
func (l dispatchStore) Revision(ctx context.Context, id alert.ID, number int) (*alert.Revision, alert.State, error) {
	var r *alert.Revision
	var state alert.State
	err := l.db.read(ctx, func(t tx) error {
		ok, err := one(t, "SELECT state FROM alert_case WHERE id = ?", []any{string(id)}, &state)
		if err != nil {
			return err
		}
		if r, err = readRevision(t, id, number); err == nil && (!ok || r == nil) {
			err = ErrNoRevision
		}
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("ledger: revision %d of %s: %w", number, id, err)
	}
	return r, state, nil
}

// ErrNoRevision is returned for a revision that was never stored.
var ErrNoRevision = errors.New("ledger: no such revision")

// cellBatches calls take for each batch of a cell with its ids and marks.
func cellBatches(t tx, id alert.ID, revision int, kind channels.Kind, commune area.Code, language string, after int64, take func(ids []int64, marks []byte)) error {
	code, err := kindCode(kind)
	if err != nil {
		return err
	}
	return t.each(`SELECT b.count, b.ids, p.marks FROM batch b JOIN progress p ON p.batch = b.id
 WHERE b.alert = ? AND b.revision = ? AND b.kind = ? AND b.commune = ? AND b.language = ? AND b.last_id > ?`,
		[]any{string(id), int64(revision), code, string(commune), language, after},
		func(scan func(...any) error) error {
			var n int
			var packed, marks []byte
			if err := scan(&n, &packed, &marks); err != nil {
				return err
			}
			ids, err := unpackIDs(packed, n)
			if err != nil {
				return err
			}
			take(ids, marks)
			return nil
		})
}

// Already returns the ids that were cut before.
func (l dispatchStore) Already(ctx context.Context, id alert.ID, revision int, kind channels.Kind, commune area.Code, language string) ([]int64, error) {
	var all []int64
	err := l.db.read(ctx, func(t tx) error {
		all = nil
		return cellBatches(t, id, revision, kind, commune, language, 0, func(ids []int64, _ []byte) { all = append(all, ids...) })
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: already cut: %w", err)
	}
	slices.Sort(all)
	return all, nil
}

// reached says which outcomes r counts.
func reached(r dispatch.Reached, o channels.Outcome) bool {
	return o.Reached() && (o != channels.Sending || !r.Settled)
}

// ReachedCells lists where somebody may have got the revision.
func (l dispatchStore) ReachedCells(ctx context.Context, r dispatch.Reached) ([]dispatch.Cell, error) {
	var cells []dispatch.Cell
	err := l.db.read(ctx, func(t tx) error {
		cells = nil
		return t.each(`SELECT b.kind, b.commune, b.language FROM batch b JOIN progress p ON p.batch = b.id
 WHERE b.alert = ? AND b.revision = ? AND p.c1 * ? + p.c2 + p.c3 + p.c4 + p.c6 > 0 GROUP BY b.kind, b.commune, b.language ORDER BY b.kind, b.commune, b.language`,
			[]any{string(r.Alert), int64(r.Revision), flag(!r.Settled)}, func(scan func(...any) error) error {
				var c dispatch.Cell
				var kind int64
				if err := scan(&kind, &c.Commune, &c.Language); err != nil {
					return err
				}
				c.Kind = kindNames[kind]
				cells = append(cells, c)
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: reached cells: %w", err)
	}
	return cells, nil
}

// ReachedIDs lists who may have got the revision in a cell.
func (l dispatchStore) ReachedIDs(ctx context.Context, r dispatch.Reached, c dispatch.Cell, after int64, limit int) ([]int64, error) {
	var ids []int64
	err := l.db.read(ctx, func(t tx) error {
		ids = nil
		return cellBatches(t, r.Alert, r.Revision, c.Kind, c.Commune, c.Language, after, func(all []int64, marks []byte) {
			for i, id := range all {
				if id > after && reached(r, delivery.Mark(marks[i]).Outcome()) {
					ids = append(ids, id)
				}
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: reached ids: %w", err)
	}
	slices.Sort(ids)
	return ids[:min(max(limit, 0), len(ids))], nil
}

// InFlight counts recipients who are sending under a lease that stands: a call
// of a holder that has died has ended, whatever its mark says.
func (l dispatchStore) InFlight(ctx context.Context, r dispatch.Reached) (n int, err error) {
	err = l.db.read(ctx, func(t tx) error {
		clock, err := t.clock()
		if err != nil {
			return err
		}
		_, err = one(t, `SELECT CAST(COALESCE(SUM(p.c1), 0) AS BIGINT) FROM batch b JOIN progress p ON p.batch = b.id
 WHERE b.alert = ? AND b.revision = ? AND p.until > ? AND p.boot = ?`, []any{string(r.Alert), int64(r.Revision), clock, t.boot()}, &n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: in flight: %w", err)
	}
	return n, nil
}
