package ledger

import (
	"bytes"
	"context"

	"loa/gateway/account"
	"loa/gateway/audit"
)

const enrolmentColumns = "hash, person, by_whom, setup, created, expires, used"

func scanEnrolment(scan func(...any) error) (e account.Enrolment, err error) {
	var hash []byte
	var setup, created, expires, used int64
	err = scan(&hash, &e.Person, &e.By, &setup, &created, &expires, &used)
	copy(e.Hash[:], hash)
	e.Setup, e.CreatedAt, e.ExpiresAt, e.UsedAt = setup != 0, fromNS(created), fromNS(expires), fromNS(used)
	return e, err
}

// AddEnrolment stores a link in the place of earlier ones.
func (l accountStore) AddEnrolment(ctx context.Context, e account.Enrolment, ps []account.Person, gs []account.Grant, recs ...audit.Record) error {
	return l.act(ctx, "enrolment", func(t tx) error {
		marked := e.Setup
		for _, p := range ps {
			marked = marked || p.Setup
		}
		if err := stillSetup(t, gs, marked); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE enrolment SET used = ? WHERE used = 0 AND (person = ? OR setup = 1 AND ? = 1)", ns(e.CreatedAt), e.Person, bit(e.Setup)); err != nil {
			return err
		}
		if err := insertPeople(t, ps, gs); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO enrolment ("+enrolmentColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)",
			bytes.Clone(e.Hash[:]), e.Person, e.By, bit(e.Setup), ns(e.CreatedAt), ns(e.ExpiresAt), ns(e.UsedAt))
		return err
	}, recs...)
}

func insertPeople(t tx, ps []account.Person, gs []account.Grant) error {
	for _, p := range ps {
		if err := insertPerson(t, p); err != nil {
			return err
		}
	}
	return insertGrants(t, gs)
}

// Enrolment finds a link, a used or expired one too.
func (l accountStore) Enrolment(ctx context.Context, hash [32]byte) (account.Enrolment, error) {
	return only(ctx, l, "enrolment", account.ErrLink, scanEnrolment, "SELECT "+enrolmentColumns+" FROM enrolment WHERE hash = ?", hash[:])
}

// Enrol uses a link up.
func (l accountStore) Enrol(ctx context.Context, link [32]byte, k account.Passkey, s account.Session, ps []account.Person, gs []account.Grant, recs ...audit.Record) error {
	return l.act(ctx, "enrol", func(t tx) error {
		n, err := t.exec("UPDATE enrolment SET used = ? WHERE hash = ? AND used = 0 AND expires > ?", ns(k.CreatedAt), link[:], ns(k.CreatedAt))
		if err != nil {
			return err
		}
		if n == 0 {
			return account.ErrLink
		}
		if err := stillSetup(t, gs, false); err != nil {
			return err
		}
		if err := insertPeople(t, ps, gs); err != nil {
			return err
		}
		if err := insertPasskey(t, k); err != nil {
			return err
		}
		if err := insertSession(t, s); err != nil {
			return err
		}
		return endSetup(t, recs)
	})
}
