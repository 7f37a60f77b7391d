package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/delivery"
)

// hidden is true of rows of imports that are not visible: an import that is
// open or was given up has no seq. The argument is a snapshot: imports made
// visible after it are hidden from it, whatever ids their rows were given.
const hidden = " IN (SELECT id FROM import WHERE seq IS NULL OR seq > ?)"

// shown is the condition that hides them, empty while there are none: asked for
// every row it is what a walk over a cell costs most.
func shown(t tx, snapshot int64) (condition string, args []any, err error) {
	some, err := one(t, "SELECT id FROM import WHERE seq IS NULL OR seq > ? LIMIT 1", []any{snapshot}, new(int64))
	if some {
		return " AND import NOT" + hidden, []any{snapshot}, nil
	}
	return "", nil, err
}

// Page lists live endpoint ids of a cell.
func (l audienceStore) Page(ctx context.Context, q audience.Query, after int64, limit int) ([]int64, error) {
	kind, err := kindCode(q.Kind)
	if err != nil || limit <= 0 {
		return nil, err
	}
	var ids []int64
	err = l.db.read(ctx, func(t tx) error {
		condition, upto, err := shown(t, q.Upto)
		if err != nil {
			return err
		}
		args := append([]any{kind, string(q.Commune), q.Language, after, q.Upto, flag(q.Roster)}, upto...)
		ids, err = column[int64](t, `SELECT id FROM endpoint WHERE kind = ? AND commune = ? AND language = ? AND id > ? AND id <= ?
 AND retired = 0 AND roster >= ?`+condition+" ORDER BY id LIMIT ?", append(args, int64(limit))...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: page: %w", err)
	}
	return ids, nil
}

// Snapshot bounds what is visible now. It rises with every endpoint added and
// with every import made visible.
func (l audienceStore) Snapshot(ctx context.Context) (id int64, err error) {
	err = l.db.read(ctx, func(t tx) error {
		_, err := one(t, "SELECT value FROM sequence WHERE name = 'visible'", nil, &id)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: snapshot: %w", err)
	}
	return id, nil
}

// Counts lists the non-empty cells of the communes.
func (l audienceStore) Counts(ctx context.Context, communes []area.Code, roster bool) ([]audience.Count, error) {
	if len(communes) == 0 {
		return nil, nil
	}
	names := make([]string, len(communes))
	for i, c := range communes {
		names[i] = string(c)
	}
	column := "total"
	if roster {
		column = "roster"
	}
	var counts []audience.Count
	err := l.db.read(ctx, func(t tx) error {
		counts = nil
		d := t.dialect()
		return t.each("SELECT kind, commune, language, CAST(SUM("+column+") AS BIGINT) FROM cell WHERE commune"+d.inStrs+" AND import NOT"+hidden+
			" GROUP BY commune, kind, language HAVING SUM("+column+") > 0 ORDER BY commune, kind, language", []any{d.strs(names), int64(never)},
			func(scan func(...any) error) error {
				var c audience.Count
				var kind int64
				if err := scan(&kind, &c.Commune, &c.Language, &c.Total); err != nil {
					return err
				}
				c.Kind = kindNames[kind]
				counts = append(counts, c)
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: counts: %w", err)
	}
	return counts, nil
}

// Ciphers scans the cell between the first and the last id, then looks for
// those that are not there by their id.
func (l audienceStore) Ciphers(ctx context.Context, kind channels.Kind, commune area.Code, language string, ids []int64) ([][]byte, error) {
	code, err := kindCode(kind)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	first, last := slices.Min(ids), slices.Max(ids)
	at := make(map[int64]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	ciphers := make([][]byte, len(ids))
	found := 0
	take := func(scan func(...any) error) error {
		var id int64
		var cipher []byte
		if err := scan(&id, &cipher); err != nil {
			return err
		}
		if i, ok := at[id]; ok && ciphers[i] == nil {
			ciphers[i] = cipher
			found++
		}
		return nil
	}
	err = l.db.read(ctx, func(t tx) error {
		clear(ciphers)
		found = 0
		condition, upto, err := shown(t, never)
		if err != nil {
			return err
		}
		err = t.each("SELECT id, cipher FROM endpoint WHERE kind = ? AND commune = ? AND language = ? AND id >= ? AND id <= ? AND retired = 0"+condition,
			append([]any{code, string(commune), language, first, last}, upto...), take)
		if err != nil || found == len(at) {
			return err
		}
		var rest []int64
		for i, id := range ids {
			if ciphers[i] == nil {
				rest = append(rest, id)
			}
		}
		d := t.dialect()
		// +kind: without it SQLite walks all endpoints of the kind.
		return t.each("SELECT id, cipher FROM endpoint WHERE id"+d.inInts+" AND +kind = ? AND retired = 0 AND import NOT"+hidden,
			[]any{d.ints(rest), code, int64(never)}, take)
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: ciphers: %w", err)
	}
	return ciphers, nil
}

// Find returns the live endpoint with the lookup hash, or 0.
func (l audienceStore) Find(ctx context.Context, kind channels.Kind, lookup [16]byte) (id int64, err error) {
	code, err := kindCode(kind)
	if err != nil {
		return 0, err
	}
	err = l.db.read(ctx, func(t tx) error {
		_, err := one(t, "SELECT e.id FROM lookup k JOIN endpoint e ON e.id = k.id WHERE k.kind = ? AND k.hash = ? AND e.import NOT"+hidden,
			[]any{code, lookup[:], int64(never)}, &id)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: find: %w", err)
	}
	return id, nil
}

// Retire stops addressing endpoints.
func (l audienceStore) Retire(ctx context.Context, ids []int64, now time.Time, why string) error {
	err := l.db.write(ctx, acts, func(t tx) error { return retire(t, ids, now, why) })
	if err != nil {
		return fmt.Errorf("ledger: retire: %w", err)
	}
	return nil
}

func retire(t tx, ids []int64, now time.Time, why string) error {
	for _, id := range slices.Sorted(slices.Values(ids)) {
		e, err := endpointByID(t, id)
		if err != nil {
			return err
		}
		if e == nil || e.retired {
			continue
		}
		if _, err := t.exec("UPDATE endpoint SET retired = ?, why = ? WHERE id = ?", max(ns(now), 1), why, id); err != nil {
			return err
		}
		if err := unlist(t, e); err != nil {
			return err
		}
		if err := count(t, e.cell, -1); err != nil {
			return err
		}
	}
	return nil
}

// Erase deletes endpoints with their ciphertexts and lookup hashes, and what
// providers called their messages. Batches keep ids that refer to nobody. Older
// copies of the rows in the database's log are overwritten soon after.
func (l audienceStore) Erase(ctx context.Context, ids []int64) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		for _, id := range slices.Sorted(slices.Values(ids)) {
			if err := erase(t, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ledger: erase: %w", err)
	}
	l.scrub()
	return nil
}

func erase(t tx, id int64) error {
	e, err := endpointByID(t, id)
	if err != nil || e == nil {
		return err
	}
	if err := unlist(t, e); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM endpoint WHERE id = ?", id); err != nil {
		return err
	}
	for _, q := range []string{"DELETE FROM import_known WHERE endpoint = ?", "DELETE FROM moved WHERE endpoint = ?"} {
		if _, err := t.exec(q, id); err != nil {
			return err
		}
	}
	if !e.retired {
		if err := count(t, e.cell, -1); err != nil {
			return err
		}
	}
	refs := make(map[int64]int64) // batch to index
	err = t.each(`SELECT b.id, b.count, b.ids FROM batch b WHERE b.first_id <= ? AND b.last_id >= ?
 AND EXISTS (SELECT 1 FROM exception x WHERE x.batch = b.id AND x.provider_ref <> '')`, []any{id, id},
		func(scan func(...any) error) error {
			var batch int64
			var n int
			var packed []byte
			if err := scan(&batch, &n, &packed); err != nil {
				return err
			}
			all, err := unpackIDs(packed, n)
			if i, ok := slices.BinarySearch(all, id); ok {
				refs[batch] = int64(i)
			}
			return err
		})
	if err != nil {
		return err
	}
	for batch, i := range refs {
		if _, err := t.exec("UPDATE exception SET provider_ref = '' WHERE batch = ? AND idx = ?", batch, i); err != nil {
			return err
		}
		t.leased().drop(delivery.BatchID(batch))
	}
	return nil
}
