package ledger

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"loa/gateway/account"
	"loa/gateway/audit"
)

const personColumns = "id, name, territory, token, created, revoked"

func scanPerson(scan func(...any) error) (p account.Person, err error) {
	var token []byte
	var created, revoked int64
	err = scan(&p.ID, &p.Name, &p.Territory, &token, &created, &revoked)
	copy(p.TokenHash[:], token)
	p.CreatedAt, p.RevokedAt = fromNS(created), fromNS(revoked)
	return p, err
}

// AddPerson stores a new person. It fails if the id or the token is taken.
func (l accountStore) AddPerson(ctx context.Context, p account.Person, rec audit.Record) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		_, err := t.exec("INSERT INTO person (id, name, territory, token, created, revoked) VALUES (?, ?, ?, ?, ?, ?)",
			p.ID, p.Name, string(p.Territory), bytes.Clone(p.TokenHash[:]), ns(p.CreatedAt), ns(p.RevokedAt))
		if err != nil {
			return err
		}
		return seal(t, rec)
	})
	if err != nil {
		return fmt.Errorf("ledger: add person: %w", err)
	}
	return nil
}

// PersonByToken finds whose token it is, account.ErrNobody if nobody's. A
// person whose token is revoked is found, with RevokedAt set.
func (l accountStore) PersonByToken(ctx context.Context, hash [32]byte) (p account.Person, err error) {
	err = l.db.read(ctx, func(t tx) error {
		found := false
		err := t.each("SELECT "+personColumns+" FROM person WHERE token = ?", []any{hash[:]}, func(scan func(...any) error) (err error) {
			found = true
			p, err = scanPerson(scan)
			return err
		})
		if err == nil && !found {
			err = account.ErrNobody
		}
		return err
	})
	if err != nil {
		return account.Person{}, fmt.Errorf("ledger: person: %w", err)
	}
	return p, nil
}

// People lists all, revoked ones too, by name.
func (l accountStore) People(ctx context.Context) (ps []account.Person, err error) {
	err = l.db.read(ctx, func(t tx) error {
		ps = nil
		return t.each("SELECT "+personColumns+" FROM person ORDER BY name, id", nil, func(scan func(...any) error) error {
			p, err := scanPerson(scan)
			ps = append(ps, p)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: people: %w", err)
	}
	return ps, nil
}

// RevokePerson ends a person's token. The first revocation stays.
func (l accountStore) RevokePerson(ctx context.Context, id string, at time.Time, rec audit.Record) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		n, err := t.exec("UPDATE person SET revoked = CASE WHEN revoked = 0 THEN ? ELSE revoked END WHERE id = ?", ns(at), id)
		if err != nil {
			return err
		}
		if n == 0 {
			return account.ErrNobody
		}
		return seal(t, rec)
	})
	if err != nil {
		return fmt.Errorf("ledger: revoke: %w", err)
	}
	return nil
}
