package ledger

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"loa/gateway/account"
	"loa/gateway/audit"
)

const personColumns = "id, name, territory, token, created, revoked, invited_by, setup"

func scanPerson(scan func(...any) error) (p account.Person, err error) {
	var token []byte
	var created, revoked, setup int64
	err = scan(&p.ID, &p.Name, &p.Territory, &token, &created, &revoked, &p.InvitedBy, &setup)
	copy(p.TokenHash[:], token)
	p.CreatedAt, p.RevokedAt, p.Setup = fromNS(created), fromNS(revoked), setup != 0
	return p, err
}

func insertPerson(t tx, p account.Person) error {
	var token any
	if p.TokenHash != ([32]byte{}) {
		token = bytes.Clone(p.TokenHash[:])
	}
	_, err := t.exec("INSERT INTO person ("+personColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		p.ID, p.Name, string(p.Territory), token, ns(p.CreatedAt), ns(p.RevokedAt), p.InvitedBy, bit(p.Setup))
	return err
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// act runs an act of account in a transaction with its records.
func (l accountStore) act(ctx context.Context, what string, do func(tx) error, recs ...audit.Record) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		if err := do(t); err != nil {
			return err
		}
		return seal(t, recs...)
	})
	if err != nil {
		return fmt.Errorf("ledger: %s: %w", what, err)
	}
	return nil
}

// only is the one row of an answer, or none.
func only[T any](ctx context.Context, l accountStore, what string, none error, scanRow func(func(...any) error) (T, error), query string, args ...any) (T, error) {
	all, err := list(ctx, l, what, scanRow, query, args...)
	var zero T
	if err != nil {
		return zero, err
	}
	if len(all) == 0 {
		return zero, fmt.Errorf("ledger: %s: %w", what, none)
	}
	return all[0], nil
}

// list is every row of an answer.
func list[T any](ctx context.Context, l accountStore, what string, scanRow func(func(...any) error) (T, error), query string, args ...any) (all []T, err error) {
	err = l.db.read(ctx, func(t tx) error {
		all = nil
		return t.each(query, args, func(scan func(...any) error) error {
			v, err := scanRow(scan)
			all = append(all, v)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: %s: %w", what, err)
	}
	return all, nil
}

// AddPerson stores a new person. It fails if the id or the token is taken.
func (l accountStore) AddPerson(ctx context.Context, p account.Person, rec audit.Record) error {
	return l.act(ctx, "add person", func(t tx) error { return insertPerson(t, p) }, rec)
}

// PersonByToken finds whose token it is, account.ErrNobody if nobody's. A
// person whose token is revoked is found, with RevokedAt set.
func (l accountStore) PersonByToken(ctx context.Context, hash [32]byte) (account.Person, error) {
	return only(ctx, l, "person", account.ErrNobody, scanPerson, "SELECT "+personColumns+" FROM person WHERE token = ?", hash[:])
}

// Person finds a person, revoked ones too.
func (l accountStore) Person(ctx context.Context, id string) (account.Person, error) {
	return only(ctx, l, "person", account.ErrNotFound, scanPerson, "SELECT "+personColumns+" FROM person WHERE id = ?", id)
}

// People lists all, revoked ones too, by name.
func (l accountStore) People(ctx context.Context) ([]account.Person, error) {
	return list(ctx, l, "people", scanPerson, "SELECT "+personColumns+" FROM person ORDER BY name, id")
}

// RevokePerson ends whatever a person could prove themselves with. The first
// revocation stays.
func (l accountStore) RevokePerson(ctx context.Context, id string, at time.Time, rec audit.Record) error {
	return l.act(ctx, "revoke", func(t tx) error {
		n, err := t.exec("UPDATE person SET revoked = CASE WHEN revoked = 0 THEN ? ELSE revoked END WHERE id = ?", ns(at), id)
		if err != nil {
			return err
		}
		if n == 0 {
			return account.ErrNobody
		}
		for _, q := range []string{
			"UPDATE session SET ended = ? WHERE person = ? AND ended = 0",
			"UPDATE api_token SET revoked = ? WHERE person = ? AND revoked = 0",
			"UPDATE passkey SET revoked = ? WHERE person = ? AND revoked = 0",
			"UPDATE enrolment SET used = ? WHERE person = ? AND used = 0",
		} {
			if _, err := t.exec(q, ns(at), id); err != nil {
				return err
			}
		}
		return nil
	}, rec)
}

// Note records what changes nothing.
func (l accountStore) Note(ctx context.Context, rec audit.Record) error {
	return l.act(ctx, "note", func(tx) error { return nil }, rec)
}
