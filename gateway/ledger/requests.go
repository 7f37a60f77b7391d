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
	_, err = t.exec("INSERT INTO request (key, alert, priority, due, done, cursor, body) VALUES (?, ?, ?, 0, 0, ?, ?) ON CONFLICT (key) DO NOTHING",
		r.Key, string(r.Alert), int64(r.Priority), string(cursor), body)
	return err
}

// Jobs lists requests that are not done and due. One that cannot be read is
// listed as such, so that it holds up no other.
func (l dispatchStore) Jobs(ctx context.Context, now time.Time, limit int) ([]dispatch.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	var jobs []dispatch.Job
	err := l.db.read(ctx, func(t tx) error {
		jobs = nil
		return t.each("SELECT key, alert, priority, body, cursor, due FROM request WHERE done = 0 AND due <= ? ORDER BY priority, seq LIMIT ?", []any{ns(now), int64(limit)},
			func(scan func(...any) error) error {
				var named dispatch.Request
				var body []byte
				var cursor string
				var due int64
				if err := scan(&named.Key, &named.Alert, &named.Priority, &body, &cursor, &due); err != nil {
					return err
				}
				j := dispatch.Job{Due: fromNS(due)}
				if err := readJob(&j, body, cursor, named.Key); err != nil {
					j = dispatch.Job{Request: named, Due: j.Due, Err: err}
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

func readJob(j *dispatch.Job, body []byte, cursor, key string) error {
	if err := json.Unmarshal(body, &j.Request); err != nil {
		return fmt.Errorf("ledger: a stored request cannot be read: %w", err)
	}
	if err := json.Unmarshal([]byte(cursor), &j.Cursor); err != nil {
		return fmt.Errorf("ledger: the cursor of a stored request cannot be read: %w", err)
	}
	if j.Key != key {
		return errors.New("ledger: a stored request does not bear its own key")
	}
	return nil
}

// quarantined is request.done of one that was set aside.
const quarantined = 2

// Quarantine sets a request aside.
func (l dispatchStore) Quarantine(ctx context.Context, key string) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		_, err := t.exec("UPDATE request SET done = ? WHERE key = ? AND done = 0", int64(quarantined), key)
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: quarantine: %w", err)
	}
	return nil
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

// heard is the condition for batches of a story, as story lists it; of the
// alert that was named, later revisions are left out.
func heard(t tx, r dispatch.Reached) (string, []any, error) {
	ids, err := story(t, r)
	d := t.dialect()
	return " b.alert" + d.inStrs + " AND (b.alert <> ? OR b.revision <= ?)", []any{d.strs(ids), string(r.Alert), int64(r.Revision)}, err
}

// ReachedCells lists where somebody may have got any of it.
func (l dispatchStore) ReachedCells(ctx context.Context, r dispatch.Reached) ([]dispatch.Cell, error) {
	var cells []dispatch.Cell
	err := l.db.read(ctx, func(t tx) error {
		cells = nil
		condition, args, err := heard(t, r)
		if err != nil {
			return err
		}
		return t.each(`SELECT b.kind, b.commune, b.language FROM batch b JOIN progress p ON p.batch = b.id
 WHERE`+condition+` AND p.c1 * ? + p.c2 + p.c3 + p.c4 + p.c6 > 0 GROUP BY b.kind, b.commune, b.language ORDER BY b.kind, b.commune, b.language`,
			append(args, flag(!r.Settled)), func(scan func(...any) error) error {
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

// ReachedIDs lists who may have got any of it in a cell. Settled leaves out
// whoever has any call of the story in flight.
func (l dispatchStore) ReachedIDs(ctx context.Context, r dispatch.Reached, c dispatch.Cell, after int64, limit int) ([]int64, error) {
	var ids, sending []int64
	code, err := kindCode(c.Kind)
	if err != nil {
		return nil, err
	}
	err = l.db.read(ctx, func(t tx) error {
		ids, sending = nil, nil
		clock, err := t.clock()
		if err != nil {
			return err
		}
		condition, args, err := heard(t, r)
		if err != nil {
			return err
		}
		return t.each(`SELECT b.count, b.ids, p.marks, CASE WHEN p.until > ? AND p.boot = ? THEN 1 ELSE 0 END FROM batch b JOIN progress p ON p.batch = b.id
 WHERE`+condition+` AND b.kind = ? AND b.commune = ? AND b.language = ? AND b.last_id > ?`,
			append([]any{clock, t.boot()}, append(args, code, string(c.Commune), c.Language, after)...), func(scan func(...any) error) error {
				var n int
				var leased int64
				var packed, marks []byte
				if err := scan(&n, &packed, &marks, &leased); err != nil {
					return err
				}
				all, err := unpackIDs(packed, n)
				for i, id := range all {
					m := delivery.Mark(marks[i])
					switch o := m.Outcome(); {
					case id <= after:
					case r.Settled && (o == channels.Sending || leased == 1 && m.Open()):
						sending = append(sending, id)
					case o.Reached():
						ids = append(ids, id)
					}
				}
				return err
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: reached ids: %w", err)
	}
	slices.Sort(ids)
	slices.Sort(sending)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id int64) bool {
		_, open := slices.BinarySearch(sending, id)
		return open
	})
	return ids[:min(max(limit, 0), len(ids))], nil
}

// InFlight counts recipients who may have a call open under a lease that stands:
// a call of a holder that has died has ended, whatever its mark says.
func (l dispatchStore) InFlight(ctx context.Context, r dispatch.Reached) (n int, err error) {
	err = l.db.read(ctx, func(t tx) error {
		clock, err := t.clock()
		if err != nil {
			return err
		}
		condition, args, err := heard(t, r)
		if err != nil {
			return err
		}
		n = 0
		return t.each("SELECT p.marks FROM batch b JOIN progress p ON p.batch = b.id WHERE"+condition+" AND p.until > ? AND p.boot = ? AND p.c1 + p.c3 + p.c4 > 0",
			append(args, clock, t.boot()), func(scan func(...any) error) error {
				var marks []byte
				err := scan(&marks)
				for _, m := range marks {
					if delivery.Mark(m).Open() {
						n++
					}
				}
				return err
			})
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: in flight: %w", err)
	}
	return n, nil
}
