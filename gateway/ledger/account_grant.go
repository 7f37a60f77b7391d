package ledger

import (
	"context"
	"time"

	"loa/gateway/account"
	"loa/gateway/audit"
)

const grantColumns = "id, person, role, territory, asked_by, asked, second_by, second, third_by, third, setup, revoked_by, revoked"

func scanGrant(scan func(...any) error) (g account.Grant, err error) {
	var asked, second, third, setup, revoked int64
	err = scan(&g.ID, &g.Person, &g.Role, &g.Territory, &g.AskedBy, &asked, &g.SecondBy, &second, &g.ThirdBy, &third, &setup, &g.RevokedBy, &revoked)
	g.AskedAt, g.SecondAt, g.ThirdAt, g.Setup, g.RevokedAt = fromNS(asked), fromNS(second), fromNS(third), setup != 0, fromNS(revoked)
	return g, err
}

func insertGrants(t tx, gs []account.Grant) error {
	for _, g := range gs {
		_, err := t.exec("INSERT INTO role_grant ("+grantColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			g.ID, g.Person, string(g.Role), string(g.Territory), g.AskedBy, ns(g.AskedAt), g.SecondBy, ns(g.SecondAt), g.ThirdBy, ns(g.ThirdAt),
			bit(g.Setup), g.RevokedBy, ns(g.RevokedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

// AddGrants stores grants of people who exist.
func (l accountStore) AddGrants(ctx context.Context, gs []account.Grant, recs ...audit.Record) error {
	return l.act(ctx, "grant", func(t tx) error {
		if err := stillSetup(t, gs, false); err != nil {
			return err
		}
		if err := insertGrants(t, gs); err != nil {
			return err
		}
		return endSetup(t, recs)
	})
}

// Grant finds a grant, a revoked one too.
func (l accountStore) Grant(ctx context.Context, id string) (account.Grant, error) {
	return only(ctx, l, "grant", account.ErrNotFound, scanGrant, "SELECT "+grantColumns+" FROM role_grant WHERE id = ?", id)
}

// Grants lists a person's or everybody's, in the order they were asked for.
func (l accountStore) Grants(ctx context.Context, person string) ([]account.Grant, error) {
	return list(ctx, l, "grants", scanGrant, "SELECT "+grantColumns+" FROM role_grant WHERE person = ? OR ? = '' ORDER BY asked, id", person, person)
}

// UpdateGrant stores next over prev, account.ErrChanged if another is stored.
func (l accountStore) UpdateGrant(ctx context.Context, prev, next account.Grant, rec audit.Record) error {
	return l.act(ctx, "grant", func(t tx) error {
		n, err := t.exec("UPDATE role_grant SET second_by = ?, second = ?, third_by = ?, third = ?, revoked_by = ?, revoked = ?"+
			" WHERE id = ? AND second_by = ? AND third_by = ? AND revoked = ?",
			next.SecondBy, ns(next.SecondAt), next.ThirdBy, ns(next.ThirdAt), next.RevokedBy, ns(next.RevokedAt),
			prev.ID, prev.SecondBy, prev.ThirdBy, ns(prev.RevokedAt))
		if err == nil && n == 0 {
			err = account.ErrChanged
		}
		return err
	}, rec)
}

// SetupEnded is when the set-up phase ended, zero while it lasts.
func (l accountStore) SetupEnded(ctx context.Context) (time.Time, error) {
	return only(ctx, l, "set-up phase", account.ErrNotFound, func(scan func(...any) error) (time.Time, error) {
		var ended int64
		err := scan(&ended)
		return fromNS(ended), err
	}, "SELECT ended FROM setup WHERE id = 1")
}

// stillSetup refuses what is marked as of the set-up phase when that has ended.
func stillSetup(t tx, gs []account.Grant, marked bool) error {
	for _, g := range gs {
		marked = marked || g.Setup
	}
	if !marked {
		return nil
	}
	var ended int64
	if _, err := one(t, "SELECT ended FROM setup WHERE id = 1"+t.dialect().lock, nil, &ended); err != nil {
		return err
	}
	if ended != 0 {
		return account.ErrSetupOver
	}
	return nil
}

// endSetup ends the set-up phase once two people who may approve have passkeys,
// and seals the records of what brought that about.
func endSetup(t tx, recs []audit.Record) error {
	if err := seal(t, recs...); err != nil || len(recs) == 0 {
		return err
	}
	now := recs[0].At
	if _, err := one(t, "SELECT ended FROM setup WHERE id = 1"+t.dialect().lock, nil, new(int64)); err != nil {
		return err
	}
	n, err := t.exec("UPDATE setup SET ended = ? WHERE id = 1 AND ended = 0 AND 2 <= (SELECT COUNT(DISTINCT g.person) FROM role_grant g"+
		" JOIN passkey k ON k.person = g.person AND k.revoked = 0 JOIN person p ON p.id = g.person AND p.revoked = 0"+
		" WHERE g.role = ? AND g.revoked = 0 AND g.setup = 1)", ns(now), string(account.Approver))
	if err != nil || n == 0 {
		return err
	}
	return seal(t, audit.Record{At: now, Actor: "system", Act: "setup.end", Object: "setup/1"})
}
