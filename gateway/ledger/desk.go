package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"loa/gateway/alert"
	"loa/gateway/audit"
	"loa/gateway/desk"
)

// ErrFrozen refuses to change a revision that has been submitted.
var ErrFrozen = errors.New("ledger: a submitted revision cannot change")

// Create stores a new draft.
func (l deskStore) Create(ctx context.Context, c desk.Case, rec audit.Record) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		var n int
		if _, err := one(t, "SELECT COUNT(*) FROM alert_case WHERE id = ?", []any{string(c.ID)}, &n); err != nil {
			return err
		}
		if n > 0 {
			return desk.ErrConflict
		}
		if err := insertCase(t, c); err != nil {
			return err
		}
		return seal(t, rec)
	})
	if err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	return nil
}

// Apply makes a change durable. Of a case that is submitted or later, the
// stored hash must be the change's; only a return may leave its hash out.
func (l deskStore) Apply(ctx context.Context, c desk.Change) error {
	err := l.db.write(ctx, acts, func(t tx) error { return apply(t, c) })
	if err != nil {
		return fmt.Errorf("ledger: apply: %w", err)
	}
	if dead(c.Case.State) || len(c.Supersede) > 0 {
		l.clean()
	}
	return nil
}

func dead(s alert.State) bool {
	return s == alert.Stopped || s == alert.Superseded || s == alert.Ended
}

func apply(t tx, c desk.Change) error {
	if done, err := once(t, c); err != nil || done {
		return err
	}
	old, err := readHead(t, c.Case.ID)
	if err != nil {
		return err
	}
	if old == nil {
		return desk.ErrNotFound
	}
	if old.state != c.From || !sameHash(old, c) {
		return desk.ErrConflict
	}
	if err := updateCase(t, c.Case, old.state); err != nil {
		return err
	}
	for _, id := range c.Supersede {
		if err := supersede(t, id, c.Case); err != nil {
			return fmt.Errorf("supersede %s: %w", id, err)
		}
	}
	for _, r := range c.Requests {
		if err := request(t, r); err != nil {
			return err
		}
	}
	return seal(t, c.Records...)
}

// sameHash compares what the person saw with what is stored.
func sameHash(old *head, c desk.Change) bool {
	if c.From == alert.Drafted || c.From == alert.Returned {
		return true
	}
	if c.Case.State == alert.Returned && c.Case.Hash == (desk.SubmissionHash{}) {
		return true
	}
	return bytes.Equal(old.hash, c.Case.Hash[:])
}

// once remembers the caller's key with what it was used for. It returns true
// if the same act was done before, and ErrConflict if another was.
func once(t tx, c desk.Change) (bool, error) {
	if c.Key == "" {
		return false, nil
	}
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%q %q %x", c.Case.ID, c.Case.State, c.Case.Hash)
	sum := h.Sum(nil)
	n, err := t.exec("INSERT INTO act_key (key, hash) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", c.Key, sum)
	if err != nil || n == 1 {
		return false, err
	}
	var before []byte
	if _, err := one(t, "SELECT hash FROM act_key WHERE key = ?", []any{c.Key}, &before); err != nil {
		return false, err
	}
	if !bytes.Equal(before, sum) {
		return false, desk.ErrConflict
	}
	return true, nil
}

// supersede moves another alert aside; its row is held until the transaction
// ends, so of two nodes one comes second. One that has ended stays as it is; one
// that another has taken the place of is a *desk.SupersededError.
func supersede(t tx, id alert.ID, by desk.Case) error {
	old, err := readHead(t, id)
	if err != nil {
		return err
	}
	if old == nil {
		return desk.ErrNotFound
	}
	if old.state == alert.Ended || old.successor == by.ID {
		return nil
	}
	if old.successor != "" {
		return &desk.SupersededError{Alert: id, By: old.successor}
	}
	next, err := old.state.Move(alert.ActSupersede)
	if err != nil {
		return errors.Join(desk.ErrConflict, err)
	}
	at := by.ApprovedAt
	if at.IsZero() {
		at = by.CreatedAt
	}
	_, err = t.exec("UPDATE alert_case SET state = ?, successor = ?, ended = CASE WHEN ended = 0 THEN ? ELSE ended END WHERE id = ?",
		string(next), string(by.ID), ns(at), string(id))
	return err
}

// Case loads an alert, nil and ErrNotFound if there is none.
func (l deskStore) Case(ctx context.Context, id alert.ID) (c *desk.Case, err error) {
	err = l.db.read(ctx, func(t tx) error {
		c, err = readCase(t, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: alert %s: %w", id, err)
	}
	return c, nil
}

// Cases lists alerts in the states, the newest first; no states: all. A limit
// of 0 or less is none.
func (l deskStore) Cases(ctx context.Context, states []alert.State, limit int) ([]desk.Case, error) {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = string(s)
	}
	if limit <= 0 {
		limit = never
	}
	var cases []desk.Case
	err := l.db.read(ctx, func(t tx) error {
		cases = nil
		d := t.dialect()
		query, args := "SELECT id FROM alert_case", []any{}
		if len(states) > 0 {
			query, args = query+" WHERE state"+d.inStrs, []any{d.strs(names)}
		}
		ids, err := column[alert.ID](t, query+" ORDER BY created DESC, id LIMIT ?", append(args, int64(limit))...)
		if err != nil {
			return err
		}
		for _, id := range ids {
			c, err := readCase(t, id)
			if err != nil {
				return err
			}
			cases = append(cases, *c)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: alerts: %w", err)
	}
	return cases, nil
}

// Expired lists live alerts whose expiry has passed, the longest past first.
func (l deskStore) Expired(ctx context.Context, now time.Time, limit int) (ids []alert.ID, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = l.db.read(ctx, func(t tx) error {
		ids, err = column[alert.ID](t, "SELECT id FROM alert_case WHERE state = ? AND expires <= ? ORDER BY expires, id LIMIT ?", string(alert.Approved), ns(now), int64(limit))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: expired: %w", err)
	}
	return ids, nil
}
