package ledger

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"loa/gateway/audience"
)

// An import is listed in runs of rows that are sorted in memory by their
// hashes, so that few pages are dirtied, and no read stays open meanwhile: it
// would keep the log from starting anew. A run takes some 10 MB.
const (
	listRun  = 250_000
	listRows = 1000 // in one commit at most
)

// stagedRow is a row of an import that is to be listed.
type stagedRow struct {
	kind int64
	hash [16]byte
	id   int64
}

// list makes an import's rows findable by their hashes and takes out those
// whose address is known. Done twice, it changes nothing more.
func (l audienceStore) list(ctx context.Context, id audience.ImportID) error {
	var first, last int64
	err := l.db.write(ctx, acts, func(t tx) error {
		if err := importIn(t, id, importOpen, importSorting); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE import SET state = ? WHERE id = ?", importSorting, int64(id)); err != nil {
			return err
		}
		_, err := one(t, "SELECT first_id, last_id FROM import WHERE id = ?", []any{int64(id)}, &first, &last)
		return err
	})
	for ; err == nil && first <= last; first += listRun {
		err = l.listRun(ctx, id, first, min(first+listRun-1, last))
	}
	return err
}

// listRun lists the rows of some ids.
func (l audienceStore) listRun(ctx context.Context, id audience.ImportID, first, last int64) error {
	var rows []stagedRow
	err := l.db.read(ctx, func(t tx) error {
		rows = rows[:0]
		return t.each("SELECT kind, lookup, id FROM endpoint WHERE id >= ? AND id <= ? AND import = ?", []any{first, last, int64(id)},
			func(scan func(...any) error) error {
				var r stagedRow
				var hash []byte
				if err := scan(&r.kind, &hash, &r.id); err != nil {
					return err
				}
				r.hash = [16]byte(hash)
				rows = append(rows, r)
				return nil
			})
	})
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b stagedRow) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), bytes.Compare(a.hash[:], b.hash[:]), cmp.Compare(a.id, b.id))
	})
	for len(rows) > 0 {
		n := 0
		err := l.db.write(ctx, bulk, func(t tx) (err error) {
			n, err = listPart(t, id, rows[:min(len(rows), listRows)], ns(l.now()))
			return err
		})
		if err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// listPart lists the first of the rows, as many as it may, and says how many.
func listPart(t tx, id audience.ImportID, rows []stagedRow, touched int64) (n int, err error) {
	// Whoever writes endpoints holds this row.
	if _, err := take(t, "endpoint", 0); err != nil {
		return 0, err
	}
	if err := importIn(t, id, importSorting); err != nil {
		return 0, err
	}
	l := listing{t: t, imp: int64(id)}
	for part := range slices.Chunk(rows, t.dialect().stride) {
		if err := l.part(part); err != nil {
			return 0, err
		}
		n += len(part)
		if t.pressed() {
			break
		}
	}
	_, err = t.exec("UPDATE import SET touched = ?, known = known + ? WHERE id = ?", touched, int64(l.again), int64(id))
	return n, err
}

type listing struct {
	t     tx
	imp   int64
	known map[[16]byte]int64
	fresh [][]any // rows of lookup
	again int     // rows whose address was known
}

// part lists some rows, which may be of several kinds.
func (l *listing) part(rows []stagedRow) (err error) {
	for len(rows) > 0 {
		kind := rows[0].kind
		n := slices.IndexFunc(rows, func(r stagedRow) bool { return r.kind != kind })
		if n < 0 {
			n = len(rows)
		}
		hashes := make([][]byte, n)
		for i := range hashes {
			hashes[i] = rows[i].hash[:]
		}
		if l.known, err = listed(l.t, kind, hashes); err != nil {
			return err
		}
		l.fresh = nil
		for _, r := range rows[:n] {
			if err := l.row(r); err != nil {
				return err
			}
		}
		if err := l.t.insert("lookup", []string{"kind", "hash", "id"}, l.fresh); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (l *listing) row(r stagedRow) error {
	id := l.known[r.hash]
	if id == r.id {
		return nil // listed by an earlier attempt
	}
	var old *endpointRow
	if id != 0 {
		var err error
		if old, err = endpointByID(l.t, id); err != nil {
			return err
		}
	}
	if old != nil && old.cell.imp != l.imp {
		state, err := importState(l.t, old.cell.imp)
		if err != nil {
			return err
		}
		if state == importDropped {
			if err := unstage(l.t, old, state); err != nil {
				return err
			}
			old = nil
		} else {
			l.again++
		}
	}
	if old != nil {
		return fold(l.t, l.imp, r.id, old)
	}
	l.fresh = append(l.fresh, []any{r.kind, r.hash[:], r.id})
	l.known[r.hash] = r.id
	return nil
}

// fold takes a staged row out of its import and notes what it says anew of the
// endpoint that has its address already. The last word counts.
func fold(t tx, imp, staged int64, old *endpointRow) error {
	e, err := endpointByID(t, staged)
	if err != nil || e == nil {
		return err
	}
	if err := unstage(t, e, importSorting); err != nil {
		return err
	}
	to := e.cell
	to.imp = old.cell.imp
	if to == old.cell && e.basis == old.basis && e.text == old.text && e.at == old.at {
		_, err := t.exec("DELETE FROM import_known WHERE import = ? AND endpoint = ?", imp, old.id)
		return err
	}
	_, err = t.exec(`INSERT INTO import_known (import, endpoint, commune, language, roster, basis, consent_text, consent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
 ON CONFLICT (import, endpoint) DO UPDATE SET commune = excluded.commune, language = excluded.language, roster = excluded.roster,
 basis = excluded.basis, consent_text = excluded.consent_text, consent_at = excluded.consent_at`,
		imp, old.id, e.cell.commune, e.cell.language, flag(e.cell.roster), e.basis, e.text, e.at)
	return err
}
