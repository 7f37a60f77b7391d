package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"loa/gateway/audience"
)

// cellKey is a cell of the counts.
type cellKey struct {
	kind              int64
	commune, language string
	imp               int64
	roster            bool
}

// endpointRow is what is needed to change an endpoint.
type endpointRow struct {
	id      int64
	cell    cellKey
	retired bool
	lookup  []byte
	basis   string
	text    string
	at      int64
}

const endpointColumns = "e.id, e.kind, e.commune, e.language, e.import, e.roster, e.retired, e.lookup, e.basis, e.consent_text, e.consent_at"

func (e *endpointRow) scan(scan func(...any) error) error {
	var roster, retired int64
	err := scan(&e.id, &e.cell.kind, &e.cell.commune, &e.cell.language, &e.cell.imp, &roster, &retired, &e.lookup, &e.basis, &e.text, &e.at)
	e.cell.roster, e.retired = roster != 0, retired != 0
	return err
}

func endpointByID(t tx, id int64) (*endpointRow, error) {
	var e *endpointRow
	err := t.each("SELECT "+endpointColumns+" FROM endpoint e WHERE e.id = ?"+t.dialect().lock, []any{id}, func(scan func(...any) error) error {
		e = &endpointRow{}
		return e.scan(scan)
	})
	return e, err
}

// listed says whose addresses have the hashes, also in imports that are not
// visible.
func listed(t tx, kind int64, hashes [][]byte) (map[[16]byte]int64, error) {
	known := make(map[[16]byte]int64)
	row := func(scan func(...any) error) error {
		var hash []byte
		var id int64
		if err := scan(&hash, &id); err != nil {
			return err
		}
		known[[16]byte(hash)] = id
		return nil
	}
	if q := t.dialect().listed; q != "" {
		return known, t.each(q, []any{hashes, kind}, row)
	}
	for _, h := range hashes {
		if err := t.each("SELECT hash, id FROM lookup WHERE hash = ? AND kind = ?", []any{h, kind}, row); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// unlist forgets whose address has the hash.
func unlist(t tx, e *endpointRow) error {
	_, err := t.exec("DELETE FROM lookup WHERE kind = ? AND hash = ? AND id = ?", e.cell.kind, e.lookup, e.id)
	return err
}

// count moves the counts of a cell.
func count(t tx, c cellKey, by int) error {
	roster := 0
	if c.roster {
		roster = by
	}
	return tally(t, c, by, roster)
}

func tally(t tx, c cellKey, total, roster int) error {
	_, err := t.exec(`INSERT INTO cell (kind, commune, language, import, total, roster) VALUES (?, ?, ?, ?, ?, ?)
 ON CONFLICT (commune, kind, language, import) DO UPDATE SET total = cell.total + excluded.total, roster = cell.roster + excluded.roster`,
		c.kind, c.commune, c.language, c.imp, int64(total), int64(roster))
	return err
}

// tallies sums changes of counts before they are written.
type tallies map[cellKey]int

func (s tallies) write(t tx) error {
	for c, n := range s {
		if err := count(t, c, n); err != nil {
			return err
		}
	}
	return nil
}

// check refuses what could not be addressed.
func check(es []audience.Sealed) error {
	for i := range es {
		e := &es[i]
		switch {
		case kindCodes[e.Kind] == 0:
			return fmt.Errorf("ledger: endpoint %d: unknown channel kind %q", i, e.Kind)
		case e.Commune == "":
			return fmt.Errorf("ledger: endpoint %d: no commune", i)
		case e.Language == "":
			return fmt.Errorf("ledger: endpoint %d: no language", i)
		case len(e.Cipher) == 0:
			return fmt.Errorf("ledger: endpoint %d: no sealed address", i)
		case e.Lookup == [16]byte{}:
			return fmt.Errorf("ledger: endpoint %d: no lookup hash", i)
		}
	}
	return nil
}

func cellOf(e *audience.Sealed, imp int64) cellKey {
	return cellKey{kindCodes[e.Kind], string(e.Commune), e.Language, imp, e.Roster}
}

var insertColumns = []string{"kind", "commune", "language", "id", "import", "retired", "roster", "cipher", "lookup", "basis", "consent_text", "consent_at", "why"}

func insertRow(e *audience.Sealed, id, imp int64) []any {
	return []any{kindCodes[e.Kind], string(e.Commune), e.Language, id, imp, int64(0), flag(e.Roster), e.Cipher, bytes.Clone(e.Lookup[:]),
		string(e.Basis), e.ConsentText, ns(e.ConsentAt), ""}
}

// Add stores endpoints at once visible.
func (l audienceStore) Add(ctx context.Context, _ time.Time, es []audience.Sealed) ([]int64, error) {
	if err := check(es); err != nil || len(es) == 0 {
		return nil, err
	}
	ids := make([]int64, len(es))
	err := l.db.write(ctx, acts, func(t tx) error {
		// Taken first: whoever writes endpoints holds this row.
		next, err := take(t, "endpoint", len(es))
		if err != nil {
			return err
		}
		for i := range es {
			next++
			if ids[i], err = add(t, &es[i], next); err != nil {
				return err
			}
		}
		return reveal(t)
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: add: %w", err)
	}
	return ids, nil
}

// add stores one endpoint under the id, unless it is there already. One that
// an import has staged and not shown is not there: it is taken out of the
// import, which will find it known.
func add(t tx, e *audience.Sealed, id int64) (int64, error) {
	known, err := listed(t, kindCodes[e.Kind], [][]byte{e.Lookup[:]})
	if err != nil {
		return 0, err
	}
	old, err := endpointByID(t, known[e.Lookup])
	if err != nil {
		return 0, err
	}
	if old != nil {
		state, err := importState(t, old.cell.imp)
		if err != nil {
			return 0, err
		}
		if state == "" || state == importShown {
			return old.id, move(t, old, cellOf(e, old.cell.imp), string(e.Basis), e.ConsentText, ns(e.ConsentAt), e.Cipher)
		}
		if err := unstage(t, old, state); err != nil {
			return 0, err
		}
	}
	if err := t.insert("endpoint", insertColumns, [][]any{insertRow(e, id, 0)}); err != nil {
		return 0, err
	}
	_, err = t.exec("INSERT INTO lookup (kind, hash, id) VALUES (?, ?, ?) ON CONFLICT (hash, kind) DO UPDATE SET id = excluded.id",
		kindCodes[e.Kind], bytes.Clone(e.Lookup[:]), id)
	if err != nil {
		return 0, err
	}
	return id, count(t, cellOf(e, 0), 1)
}

// move gives an endpoint a new cell and basis; its id stays. A nil cipher
// stays as well.
func move(t tx, e *endpointRow, to cellKey, basis, text string, at int64, cipher []byte) error {
	set, args := "", []any{to.commune, to.language, flag(to.roster), basis, text, at}
	if cipher != nil {
		set = ", cipher = ?"
		args = append(args, cipher)
	}
	n, err := t.exec("UPDATE endpoint SET commune = ?, language = ?, roster = ?, basis = ?, consent_text = ?, consent_at = ?"+set+" WHERE id = ?", append(args, e.id)...)
	if err != nil {
		return err
	}
	if n != 1 {
		return errors.New("an endpoint went away while it was moved")
	}
	if to == e.cell {
		return nil
	}
	if to.commune != e.cell.commune || to.language != e.cell.language {
		if err := moving(t, e); err != nil {
			return err
		}
	}
	if err := count(t, e.cell, -1); err != nil {
		return err
	}
	return count(t, to, 1)
}

// importState is the state of an import, empty for endpoints added singly. One
// that was given up may be gone already, with its last rows.
func importState(t tx, id int64) (state string, err error) {
	if id == 0 {
		return "", nil
	}
	ok, err := one(t, "SELECT state FROM import WHERE id = ?", []any{id}, &state)
	if err == nil && !ok {
		state = importDropped
	}
	return state, err
}

// unstage deletes a row of an import that is not visible. What an import that
// was given up counts is deleted with it.
func unstage(t tx, e *endpointRow, state string) error {
	if err := unlist(t, e); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM endpoint WHERE id = ?", e.id); err != nil || state == importDropped {
		return err
	}
	if _, err := t.exec("UPDATE import SET added = added - 1 WHERE id = ?", e.cell.imp); err != nil {
		return err
	}
	return count(t, e.cell, -1)
}
