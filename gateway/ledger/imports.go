package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"loa/gateway/audience"
)

// An import's rows stand in the table of endpoints from the beginning, with
// the import's number and ids of their own; a row is visible when its import
// has a seq, so showing a million rows writes one row. Before that, Flip walks
// over the staged rows in the order of their lookup hashes and lists them; a
// row whose address is known is taken out again, and what it says is noted, to
// be applied to the known endpoint after the flip. So no two listed rows have
// the same hash, visible or not. A staged row whose address is added singly
// before the flip is taken out as well. For that, one import is open at a time.

// Import states.
const (
	importOpen    = "open"
	importSorting = "sorting" // its rows are being listed; it takes no more
	importShown   = "shown"
	importDropped = "dropped" // given up; its rows are being deleted
)

// staleImport is how long an open import may rest before another may begin.
const staleImport = 10 * time.Minute

// sweepRows is how many rows background work touches in one transaction.
const sweepRows = 500

// Begin opens an import. It fails with audience.ErrImporting while another is
// open, unless that has rested for ten minutes: then it is given up.
func (l audienceStore) Begin(ctx context.Context, now time.Time, source string) (audience.ImportID, error) {
	if err := l.Room(); err != nil {
		return 0, fmt.Errorf("ledger: begin import: %w", err)
	}
	var id int64
	err := l.db.write(ctx, acts, func(t tx) error {
		before, err := take(t, "import", 1)
		if err != nil {
			return err
		}
		id = before + 1
		if _, err := t.exec("UPDATE import SET state = ? WHERE state IN (?, ?) AND touched <= ?", importDropped, importOpen, importSorting, ns(now.Add(-staleImport))); err != nil {
			return err
		}
		var open int
		if _, err := one(t, "SELECT COUNT(*) FROM import WHERE state IN (?, ?)", []any{importOpen, importSorting}, &open); err != nil {
			return err
		}
		if open > 0 {
			return audience.ErrImporting
		}
		_, err = t.exec("INSERT INTO import (id, source, state, began, touched, seq, first_id, last_id, added, known) VALUES (?, ?, ?, ?, ?, NULL, 0, 0, 0, 0)",
			id, source, importOpen, ns(now), ns(now))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: begin import: %w", err)
	}
	l.clean()
	return audience.ImportID(id), nil
}

// errImportClosed is returned when an import is not open any more.
var errImportClosed = errors.New("the import is not open: it was shown, given up, or never begun")

func importIn(t tx, id audience.ImportID, states ...string) error {
	var state string
	if _, err := one(t, "SELECT state FROM import WHERE id = ?"+t.dialect().lock, []any{int64(id)}, &state); err != nil {
		return err
	}
	if !slices.Contains(states, state) {
		return errImportClosed
	}
	return nil
}

// maxStage is the largest Stage.
const maxStage = 1000

// Stage stores rows that nobody sees yet. After an error some of them may be
// staged; to stage them again is harmless, and so is to abort.
func (l audienceStore) Stage(ctx context.Context, id audience.ImportID, es []audience.Sealed) error {
	if err := l.Room(); err != nil {
		return fmt.Errorf("ledger: stage: %w", err)
	}
	if err := check(es); err != nil {
		return err
	}
	if len(es) > maxStage {
		return fmt.Errorf("ledger: stage: %d rows, at most %d at once", len(es), maxStage)
	}
	touched := ns(l.now())
	for len(es) > 0 {
		n := 0
		err := l.db.write(ctx, bulk, func(t tx) (err error) {
			n, err = stage(t, id, es, touched)
			return err
		})
		if err != nil {
			return fmt.Errorf("ledger: stage: %w", err)
		}
		es = es[n:]
	}
	return nil
}

// stage stores the first rows of es, as many as it may, and says how many.
func stage(t tx, id audience.ImportID, es []audience.Sealed, touched int64) (n int, err error) {
	// Whoever writes endpoints holds this row.
	last, err := take(t, "endpoint", 0)
	if err != nil {
		return 0, err
	}
	if err := importIn(t, id, importOpen); err != nil {
		return 0, err
	}
	cells := tallies{}
	for part := range slices.Chunk(es, t.dialect().stride) {
		rows := make([][]any, len(part))
		for i := range part {
			n++
			rows[i] = insertRow(&part[i], last+int64(n), int64(id))
			cells[cellOf(&part[i], int64(id))]++
		}
		if err := t.insert("endpoint", insertColumns, rows); err != nil {
			return 0, err
		}
		if t.pressed() {
			break
		}
	}
	if err := cells.write(t); err != nil {
		return 0, err
	}
	if _, err := take(t, "endpoint", n); err != nil {
		return 0, err
	}
	_, err = t.exec("UPDATE import SET touched = ?, added = added + ?, first_id = CASE WHEN first_id = 0 THEN ? ELSE first_id END, last_id = ? WHERE id = ?",
		touched, int64(n), last+1, last+int64(n), int64(id))
	return n, err
}

// Flip lists an import's rows in small commits, then shows all in one more.
// Endpoints that were known move to their new cells in commits of their own,
// which are taken up again after a crash; Flip returns when all have moved.
func (l audienceStore) Flip(ctx context.Context, id audience.ImportID, _ time.Time) (added, known int, err error) {
	if err := l.list(ctx, id); err != nil {
		return 0, 0, fmt.Errorf("ledger: flip: %w", err)
	}
	err = l.db.write(ctx, acts, func(t tx) error {
		seq, err := take(t, "endpoint", 1)
		if err != nil {
			return err
		}
		if err := importIn(t, id, importSorting); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE import SET state = ?, seq = ? WHERE id = ?", importShown, seq+1, int64(id)); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE sequence SET value = ? WHERE name = 'visible'", seq+1); err != nil {
			return err
		}
		_, err = one(t, "SELECT added, known FROM import WHERE id = ?", []any{int64(id)}, &added, &known)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("ledger: flip: %w", err)
	}
	// The import is visible: that its caller goes away does not undo that.
	if err := l.moveKnown(context.WithoutCancel(ctx), int64(id)); err != nil {
		return added, known, fmt.Errorf("ledger: flip: the import is visible, but not all known endpoints have moved yet: %w", err)
	}
	return added, known, nil
}

// Abort gives an import up. Its rows are deleted in the background.
func (l audienceStore) Abort(ctx context.Context, id audience.ImportID) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		if err := importIn(t, id, importOpen, importSorting); err != nil {
			return err
		}
		_, err := t.exec("UPDATE import SET state = ? WHERE id = ?", importDropped, int64(id))
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: abort import: %w", err)
	}
	l.clean()
	return nil
}
