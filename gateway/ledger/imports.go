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
// has a seq, so showing a million rows writes one row. No two live rows have
// the same lookup hash, staged or not: a row that is known when it is staged
// is only noted, to be moved to its new cell after the flip; a staged row
// whose address is added singly before the flip is taken out of the import.
// For that, one import is open at a time.

// Import states.
const (
	importOpen    = "open"
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
	var id int64
	err := l.db.write(ctx, acts, func(t tx) error {
		before, err := take(t, "import", 1)
		if err != nil {
			return err
		}
		id = before + 1
		if _, err := t.exec("UPDATE import SET state = ? WHERE state = ? AND touched <= ?", importDropped, importOpen, ns(now.Add(-staleImport))); err != nil {
			return err
		}
		var open int
		if _, err := one(t, "SELECT COUNT(*) FROM import WHERE state = ?", []any{importOpen}, &open); err != nil {
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

func openImport(t tx, id audience.ImportID) error {
	var state string
	if _, err := one(t, "SELECT state FROM import WHERE id = ?"+t.dialect().lock, []any{int64(id)}, &state); err != nil {
		return err
	}
	if state != importOpen {
		return errImportClosed
	}
	return nil
}

// maxStage is the largest Stage.
const maxStage = 1000

// stagePart is how many rows of a Stage share a transaction. Lookup hashes are
// random, so each row dirties a page of its own, and an act that arrives
// meanwhile waits for them to be written.
const stagePart = 250

// Stage stores rows that nobody sees yet. After an error some of them may be
// staged; to stage them again is harmless, and so is to abort.
func (l audienceStore) Stage(ctx context.Context, id audience.ImportID, es []audience.Sealed) error {
	if err := check(es); err != nil {
		return err
	}
	if len(es) > maxStage {
		return fmt.Errorf("ledger: stage: %d rows, at most %d at once", len(es), maxStage)
	}
	touched := ns(l.now())
	for part := range slices.Chunk(es, stagePart) {
		err := l.db.write(ctx, bulk, func(t tx) error { return stage(t, id, part, touched) })
		if err != nil {
			return fmt.Errorf("ledger: stage: %w", err)
		}
	}
	return nil
}

func stage(t tx, id audience.ImportID, es []audience.Sealed, touched int64) error {
	last, err := take(t, "endpoint", len(es))
	if err != nil {
		return err
	}
	if err := openImport(t, id); err != nil {
		return err
	}
	s := staging{t: t, imp: int64(id), next: last, cells: tallies{}}
	if err := s.rows(es); err != nil {
		return err
	}
	if err := s.cells.write(t); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE import SET touched = ?, added = added + ?, known = known + ?,
 first_id = CASE WHEN first_id = 0 THEN ? ELSE first_id END, last_id = ? WHERE id = ?`,
		touched, int64(s.added), int64(s.known), last+1, last+int64(len(es)), int64(id))
	return err
}

type staging struct {
	t            tx
	imp          int64
	next         int64
	cells        tallies
	added, known int
}

func (s *staging) rows(es []audience.Sealed) error {
	known := make(map[int64]map[[16]byte]*endpointRow)
	fresh := make([][]any, 0, len(es))
	for i := range es {
		e := &es[i]
		kind := kindCodes[e.Kind]
		if known[kind] == nil {
			m, err := live(s.t, kind, es)
			if err != nil {
				return err
			}
			known[kind] = m
		}
		old := known[kind][e.Lookup]
		if old != nil && old.cell.imp != s.imp {
			state, err := importState(s.t, old.cell.imp)
			if err != nil {
				return err
			}
			if state == importDropped {
				if err := unstage(s.t, old, state); err != nil {
					return err
				}
				old = nil
			}
		}
		if old != nil {
			if old.cell.imp != s.imp {
				s.known++
			}
			if err := s.note(e, old); err != nil {
				return err
			}
			continue
		}
		s.next++
		s.added++
		cell := cellOf(e, s.imp)
		s.cells[cell]++
		fresh = append(fresh, insertRow(e, s.next, s.imp))
		known[kind][e.Lookup] = &endpointRow{id: s.next, cell: cell, basis: string(e.Basis), text: e.ConsentText, at: ns(e.ConsentAt)}
	}
	return s.t.insert("endpoint", insertColumns, fresh)
}

// note keeps what the import says anew of a known endpoint. The last word
// counts.
func (s *staging) note(e *audience.Sealed, old *endpointRow) error {
	if cellOf(e, old.cell.imp) == old.cell && string(e.Basis) == old.basis && e.ConsentText == old.text && ns(e.ConsentAt) == old.at {
		_, err := s.t.exec("DELETE FROM import_known WHERE import = ? AND endpoint = ?", s.imp, old.id)
		return err
	}
	_, err := s.t.exec(`INSERT INTO import_known (import, endpoint, commune, language, roster, basis, consent_text, consent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
 ON CONFLICT (import, endpoint) DO UPDATE SET commune = excluded.commune, language = excluded.language, roster = excluded.roster,
 basis = excluded.basis, consent_text = excluded.consent_text, consent_at = excluded.consent_at`,
		s.imp, old.id, string(e.Commune), e.Language, flag(e.Roster), string(e.Basis), e.ConsentText, ns(e.ConsentAt))
	return err
}

// Flip shows an import in one small commit. Endpoints that were known then
// move to their new cells in commits of their own, which are taken up again
// after a crash; Flip returns when all have moved.
func (l audienceStore) Flip(ctx context.Context, id audience.ImportID, _ time.Time) (added, known int, err error) {
	err = l.db.write(ctx, acts, func(t tx) error {
		seq, err := take(t, "endpoint", 1)
		if err != nil {
			return err
		}
		if err := openImport(t, id); err != nil {
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
	if err := l.moveKnown(ctx, int64(id)); err != nil {
		return added, known, fmt.Errorf("ledger: flip: the import is visible, but not all known endpoints have moved yet: %w", err)
	}
	return added, known, nil
}

// Abort gives an import up. Its rows are deleted in the background.
func (l audienceStore) Abort(ctx context.Context, id audience.ImportID) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		if err := openImport(t, id); err != nil {
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
