package ledger

import (
	"context"

	"loa/gateway/audience"
)

// listRows is how many staged rows are listed in one commit. They come in the
// order of their hashes, so they dirty few pages.
const listRows = 500

// stagedRow is a row of an import that is to be listed.
type stagedRow struct {
	kind int64
	hash []byte
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
	if err != nil {
		return err
	}
	return l.db.read(ctx, func(t tx) error {
		part := make([]stagedRow, 0, listRows)
		flush := func() error {
			if len(part) == 0 {
				return nil
			}
			err := l.db.write(ctx, bulk, func(t tx) error { return listPart(t, id, part, ns(l.now())) })
			part = part[:0]
			return err
		}
		err := t.each("SELECT kind, lookup, id FROM endpoint WHERE id >= ? AND id <= ? AND import = ? ORDER BY kind, lookup, id", []any{first, last, int64(id)},
			func(scan func(...any) error) error {
				var r stagedRow
				if err := scan(&r.kind, &r.hash, &r.id); err != nil {
					return err
				}
				if len(part) == cap(part) || (len(part) > 0 && part[0].kind != r.kind) {
					if err := flush(); err != nil {
						return err
					}
				}
				part = append(part, r)
				return nil
			})
		if err != nil {
			return err
		}
		return flush()
	})
}

// listPart lists some rows of one kind.
func listPart(t tx, id audience.ImportID, part []stagedRow, touched int64) error {
	// Whoever writes endpoints holds this row.
	if _, err := take(t, "endpoint", 0); err != nil {
		return err
	}
	if err := importIn(t, id, importSorting); err != nil {
		return err
	}
	hashes := make([][]byte, len(part))
	for i := range part {
		hashes[i] = part[i].hash
	}
	known, err := listed(t, part[0].kind, hashes)
	if err != nil {
		return err
	}
	l := listing{t: t, imp: int64(id), known: known}
	for _, r := range part {
		if err := l.row(r); err != nil {
			return err
		}
	}
	if err := t.insert("lookup", []string{"kind", "hash", "id"}, l.fresh); err != nil {
		return err
	}
	_, err = t.exec("UPDATE import SET touched = ?, known = known + ? WHERE id = ?", touched, int64(l.again), int64(id))
	return err
}

type listing struct {
	t     tx
	imp   int64
	known map[[16]byte]int64
	fresh [][]any // rows of lookup
	again int     // rows whose address was known
}

func (l *listing) row(r stagedRow) error {
	hash := [16]byte(r.hash)
	id := l.known[hash]
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
	l.fresh = append(l.fresh, []any{r.kind, r.hash, r.id})
	l.known[hash] = r.id
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
