package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"loa/gateway/alert"
	"loa/gateway/desk"
)

// head is what is compared before a case changes.
type head struct {
	state     alert.State
	hash      []byte
	successor alert.ID
}

func readHead(t tx, id alert.ID) (*head, error) {
	var h head
	ok, err := one(t, "SELECT state, hash, successor FROM alert_case WHERE id = ?"+t.dialect().lock, []any{string(id)}, &h.state, &h.hash, &h.successor)
	if err != nil || !ok {
		return nil, err
	}
	return &h, nil
}

// document is a case without what has columns or rows of its own.
func document(c desk.Case) ([]byte, error) {
	c.Submission.Revision = nil
	c.Signatures = nil
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("alert %s: %w", c.ID, err)
	}
	return b, nil
}

func caseColumns(c desk.Case) (revision int, expires int64, err error) {
	if c.ID == "" || c.State == "" {
		return 0, 0, errors.New("an alert needs an id and a state")
	}
	r := c.Submission.Revision
	if r == nil {
		return 0, never, nil
	}
	if r.Alert != c.ID {
		return 0, 0, fmt.Errorf("alert %s: its revision is one of %q", c.ID, r.Alert)
	}
	return r.Number, expiryNS(r.Expires()), nil
}

// replaces is what the alert updates, corrects or tells the end of.
func replaces(c desk.Case) string {
	if r := c.Submission.Replaces; r != nil {
		return string(r.Alert)
	}
	return ""
}

func insertCase(t tx, c desk.Case) error {
	revision, expires, err := caseColumns(c)
	if err != nil {
		return err
	}
	doc, err := document(c)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO alert_case (id, state, revision, hash, expires, created, ended, successor, replaces, doc) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, ?)",
		string(c.ID), string(c.State), int64(revision), bytes.Clone(c.Hash[:]), expires, ns(c.CreatedAt), ns(c.EndedAt), replaces(c), doc)
	if err != nil {
		return err
	}
	return writeParts(t, c, true)
}

func updateCase(t tx, c desk.Case, from alert.State) error {
	revision, expires, err := caseColumns(c)
	if err != nil {
		return err
	}
	doc, err := document(c)
	if err != nil {
		return err
	}
	_, err = t.exec("UPDATE alert_case SET state = ?, revision = ?, hash = ?, expires = ?, ended = ?, replaces = ?, doc = ? WHERE id = ?",
		string(c.State), int64(revision), bytes.Clone(c.Hash[:]), expires, ns(c.EndedAt), replaces(c), doc, string(c.ID))
	if err != nil {
		return err
	}
	return writeParts(t, c, from == alert.Drafted || from == alert.Returned)
}

// writeParts stores the revision and the signatures. Only what is not yet
// submitted, or was returned, may have another text under the same number.
func writeParts(t tx, c desk.Case, open bool) error {
	if r := c.Submission.Revision; r != nil {
		body, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("alert %s: %w", c.ID, err)
		}
		hash := r.Hash()
		var before []byte
		stored, err := one(t, "SELECT hash FROM revision WHERE alert = ? AND number = ?", []any{string(c.ID), int64(r.Number)}, &before)
		if err != nil {
			return err
		}
		if stored && !open && !bytes.Equal(before, hash[:]) {
			return ErrFrozen
		}
		_, err = t.exec("INSERT INTO revision (alert, number, hash, body) VALUES (?, ?, ?, ?) ON CONFLICT (alert, number) DO UPDATE SET hash = excluded.hash, body = excluded.body",
			string(c.ID), int64(r.Number), hash[:], body)
		if err != nil {
			return err
		}
	}
	if _, err := t.exec("DELETE FROM signature WHERE alert = ?", string(c.ID)); err != nil {
		return err
	}
	for i, s := range c.Signatures {
		_, err := t.exec("INSERT INTO signature (alert, n, person, name, act, hash, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			string(c.ID), int64(i), s.Person, s.Name, string(s.Act), bytes.Clone(s.Hash[:]), ns(s.At))
		if err != nil {
			return err
		}
	}
	return nil
}

func readRevision(t tx, id alert.ID, number int) (*alert.Revision, error) {
	var body []byte
	ok, err := one(t, "SELECT body FROM revision WHERE alert = ? AND number = ?", []any{string(id), int64(number)}, &body)
	if err != nil || !ok {
		return nil, err
	}
	r := &alert.Revision{}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("revision %d of %s: %w", number, id, err)
	}
	return r, nil
}

func readCase(t tx, id alert.ID) (*desk.Case, error) {
	var doc []byte
	var state alert.State
	var revision int
	var ended int64
	ok, err := one(t, "SELECT state, revision, ended, doc FROM alert_case WHERE id = ?", []any{string(id)}, &state, &revision, &ended, &doc)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, desk.ErrNotFound
	}
	c := &desk.Case{}
	if err := json.Unmarshal(doc, c); err != nil {
		return nil, err
	}
	// An alert that another took the place of has these two only here.
	c.State = state
	if c.EndedAt.IsZero() {
		c.EndedAt = fromNS(ended)
	}
	if c.Submission.Revision, err = readRevision(t, id, revision); err != nil {
		return nil, err
	}
	err = t.each("SELECT person, name, act, hash, at FROM signature WHERE alert = ? ORDER BY n", []any{string(id)}, func(scan func(...any) error) error {
		var s desk.Signature
		var hash []byte
		var at int64
		if err := scan(&s.Person, &s.Name, &s.Act, &hash, &at); err != nil {
			return err
		}
		copy(s.Hash[:], hash)
		s.At = fromNS(at)
		c.Signatures = append(c.Signatures, s)
		return nil
	})
	return c, err
}
