package ledger

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"loa/gateway/alert"
	"loa/gateway/delivery"
)

// resume takes up what an earlier process left: known endpoints that have not
// moved, imports given up, batches of dead alerts, copies of erased rows. Alone
// in the database, an import that is still open has nobody who would end it.
func (l *Ledger) resume(ctx context.Context, alone bool) error {
	var shown []int64
	err := l.db.write(ctx, acts, func(t tx) (err error) {
		if alone {
			if _, err := t.exec("UPDATE import SET state = ? WHERE state IN (?, ?)", importDropped, importOpen, importSorting); err != nil {
				return err
			}
		}
		shown, err = column[int64](t, "SELECT DISTINCT k.import FROM import_known k JOIN import i ON i.id = k.import WHERE i.state = ?", importShown)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range shown {
		if err := l.moveKnown(ctx, id); err != nil {
			return err
		}
	}
	l.clean()
	if alone {
		l.scrub()
	}
	return nil
}

// clean starts the background work that is due. It only saves space and time:
// nothing is wrong while it has not run.
func (l *Ledger) clean() {
	l.work.Go(func() {
		err := errors.Join(l.sweep(l.ctx, dropRows), l.sweep(l.ctx, closeDead), l.sweep(l.ctx, forgetMoves))
		if err != nil && l.ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			l.log.Error("ledger: background work failed, it is taken up at the next start", slog.Any("error", err))
		}
	})
}

// scrubEvery is how long an erasure waits for readers before it tries again.
const scrubEvery = 100 * time.Millisecond

// scrub overwrites older copies of what was erased, as soon as nobody reads.
func (l *Ledger) scrub() {
	l.work.Go(func() {
		err := l.db.scrub(l.ctx)
		for errors.Is(err, errBusy) {
			select {
			case <-l.ctx.Done():
				return
			case <-time.After(scrubEvery):
			}
			err = l.db.scrub(l.ctx)
		}
		if err != nil && l.ctx.Err() == nil {
			l.log.Error("ledger: erased rows are gone, but older copies of them could not be overwritten", slog.Any("error", err))
		}
	})
}

// sweep repeats a step in small transactions until it finds nothing to do.
func (l *Ledger) sweep(ctx context.Context, step func(tx) (int, error)) error {
	for {
		var n int
		err := l.db.write(ctx, bulk, func(t tx) (err error) {
			n, err = step(t)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// moveKnown moves endpoints that an import found to the cells it named.
func (l *Ledger) moveKnown(ctx context.Context, id int64) error {
	return l.sweep(ctx, func(t tx) (int, error) {
		// Whoever writes endpoints holds this row, and takes it first.
		if _, err := take(t, "endpoint", 0); err != nil {
			return 0, err
		}
		type noted struct {
			endpoint, roster, at           int64
			commune, language, basis, text string
		}
		var rows []noted
		err := t.each(`SELECT endpoint, commune, language, roster, basis, consent_text, consent_at FROM import_known WHERE import = ? ORDER BY endpoint LIMIT ?`,
			[]any{id, int64(sweepRows)}, func(scan func(...any) error) error {
				var k noted
				if err := scan(&k.endpoint, &k.commune, &k.language, &k.roster, &k.basis, &k.text, &k.at); err != nil {
					return err
				}
				rows = append(rows, k)
				return nil
			})
		if err != nil {
			return 0, err
		}
		for i, k := range rows {
			if i > 0 && t.pressed() {
				break
			}
			e, err := endpointByID(t, k.endpoint)
			if err != nil {
				return 0, err
			}
			if e != nil && !e.retired {
				to := e.cell
				to.commune, to.language, to.roster = k.commune, k.language, k.roster != 0
				if err := move(t, e, to, k.basis, k.text, k.at, nil); err != nil {
					return 0, err
				}
			}
			if _, err := t.exec("DELETE FROM import_known WHERE import = ? AND endpoint = ?", id, k.endpoint); err != nil {
				return 0, err
			}
		}
		return len(rows), nil
	})
}

// dropRows deletes some rows of an import that was given up, and the import
// when none is left.
func dropRows(t tx) (int, error) {
	var id, first, last int64
	if ok, err := one(t, "SELECT id, first_id, last_id FROM import WHERE state = ? ORDER BY id LIMIT 1"+t.dialect().lock, []any{importDropped}, &id, &first, &last); err != nil || !ok {
		return 0, err
	}
	upto, end := first-1, min(first+sweepRows-1, last)
	for upto < end && (upto < first || !t.pressed()) {
		from := upto + 1
		upto = min(upto+int64(t.dialect().stride), end)
		if err := unlistRange(t, id, from, upto); err != nil {
			return 0, err
		}
		if _, err := t.exec("DELETE FROM endpoint WHERE id >= ? AND id <= ? AND import = ?", from, upto, id); err != nil {
			return 0, err
		}
	}
	if _, err := t.exec("UPDATE import SET first_id = ? WHERE id = ?", upto+1, id); err != nil {
		return 0, err
	}
	if upto < last {
		return 1, nil
	}
	for _, q := range []string{"DELETE FROM cell WHERE import = ?", "DELETE FROM import_known WHERE import = ?", "DELETE FROM import WHERE id = ?"} {
		if _, err := t.exec(q, id); err != nil {
			return 0, err
		}
	}
	return 1, nil
}

// unlistRange forgets the hashes of some rows of an import.
func unlistRange(t tx, id, first, upto int64) error {
	var rows []*endpointRow
	err := t.each("SELECT "+endpointColumns+" FROM endpoint e WHERE e.id >= ? AND e.id <= ? AND e.import = ?", []any{first, upto, id},
		func(scan func(...any) error) error {
			rows = append(rows, &endpointRow{})
			return rows[len(rows)-1].scan(scan)
		})
	for _, e := range rows {
		if err == nil {
			err = unlist(t, e)
		}
	}
	return err
}

// closeDead takes batches of dead alerts out of the index of open ones, so
// that claims need not pass over them for ever. Their marks stay.
func closeDead(t tx) (int, error) {
	ids, err := column[int64](t, `SELECT p.batch FROM progress p JOIN alert_case a ON a.id = p.alert
 WHERE p.due_at IS NOT NULL AND a.state IN (?, ?, ?) ORDER BY p.kind, p.priority, p.batch LIMIT ?`,
		string(alert.Stopped), string(alert.Superseded), string(alert.Ended), int64(sweepRows/2))
	if err != nil {
		return 0, err
	}
	for i, id := range ids {
		if i > 0 && t.pressed() {
			break
		}
		if _, err := t.exec("UPDATE progress SET due_at = NULL WHERE batch = ?", id); err != nil {
			return 0, err
		}
		t.leased().drop(delivery.BatchID(id))
	}
	return len(ids), nil
}
