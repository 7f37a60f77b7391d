package account

import (
	"context"
	"fmt"
	"time"

	"loa/gateway/area"
	"loa/gateway/audit"
)

// Ask is a role that somebody shall have.
type Ask struct {
	Role      Role
	Territory area.Code
}

// Ask gives a person a role: at once if the role is not weighty or the set-up
// phase lasts, else when others have confirmed it. Holders says who is to be
// told of it.
func (a *Account) Ask(ctx context.Context, p Principal, person string, ask Ask) (Grant, error) {
	setup, err := a.inSetup(ctx)
	if err != nil {
		return Grant{}, err
	}
	if person == p.person.ID && !setup {
		return Grant{}, ErrOwnGrant
	}
	whom, err := a.Store.Person(ctx, person)
	if err != nil {
		return Grant{}, err
	}
	if !whom.RevokedAt.IsZero() {
		return Grant{}, ErrNotFound
	}
	g, rec, err := a.newGrant(p, person, ask, setup)
	if err != nil {
		return Grant{}, err
	}
	if err := a.Store.AddGrants(ctx, []Grant{g}, rec); err != nil {
		return Grant{}, fmt.Errorf("account: grant: %w", err)
	}
	return g, nil
}

// newGrant makes a grant that the principal may ask for.
func (a *Account) newGrant(p Principal, person string, ask Ask, setup bool) (Grant, audit.Record, error) {
	if err := a.checkTerritory(ask.Territory); err != nil {
		return Grant{}, audit.Record{}, err
	}
	if err := checkRole(ask.Role, ask.Territory); err != nil {
		return Grant{}, audit.Record{}, err
	}
	if err := a.over(p, ActGrant, ask.Territory); err != nil {
		return Grant{}, audit.Record{}, err
	}
	if ask.Role.Weighty() && !setup {
		if err := a.fresh(p); err != nil {
			return Grant{}, audit.Record{}, err
		}
	}
	return a.makeGrant(p.person.ID, person, ask, setup)
}

func (a *Account) makeGrant(by, person string, ask Ask, setup bool) (Grant, audit.Record, error) {
	id, err := a.id("r_")
	if err != nil {
		return Grant{}, audit.Record{}, err
	}
	g := Grant{ID: id, Person: person, Role: ask.Role, Territory: ask.Territory, AskedBy: by, AskedAt: a.Now(), Setup: setup}
	return g, grantRecord(g.AskedAt, by, "grant.ask", g), nil
}

// ConfirmGrant is the word of a second or third administrator.
func (a *Account) ConfirmGrant(ctx context.Context, p Principal, id string) (Grant, error) {
	prev, err := a.Store.Grant(ctx, id)
	if err != nil {
		return Grant{}, err
	}
	if err := a.over(p, ActGrant, prev.Territory); err != nil {
		return Grant{}, err
	}
	if err := a.fresh(p); err != nil {
		return Grant{}, err
	}
	asker, err := a.Store.Person(ctx, prev.AskedBy)
	if err != nil {
		return Grant{}, fmt.Errorf("account: who asked: %w", err)
	}
	var second Person
	if prev.SecondBy != "" {
		if second, err = a.Store.Person(ctx, prev.SecondBy); err != nil {
			return Grant{}, fmt.Errorf("account: who confirmed: %w", err)
		}
	}
	next, err := prev.Confirm(p.person, asker, second, a.Now())
	if err != nil {
		return Grant{}, err
	}
	return next, a.updateGrant(ctx, prev, next, grantRecord(a.Now(), p.person.ID, "grant.confirm", next))
}

// RevokeGrant ends a grant at once, or before it took effect.
func (a *Account) RevokeGrant(ctx context.Context, p Principal, id string) error {
	prev, err := a.Store.Grant(ctx, id)
	if err != nil {
		return err
	}
	if err := a.over(p, ActRevoke, prev.Territory); err != nil {
		return err
	}
	if !prev.RevokedAt.IsZero() {
		return ErrSettled
	}
	next := prev
	next.RevokedBy, next.RevokedAt = p.person.ID, a.Now()
	return a.updateGrant(ctx, prev, next, grantRecord(next.RevokedAt, p.person.ID, "grant.revoke", next))
}

func (a *Account) updateGrant(ctx context.Context, prev, next Grant, rec audit.Record) error {
	if err := a.Store.UpdateGrant(ctx, prev, next, rec); err != nil {
		return fmt.Errorf("account: grant: %w", err)
	}
	return nil
}

// Grants lists a person's grants, those that wait and have ended too.
func (a *Account) Grants(ctx context.Context, person string) ([]Grant, error) {
	return a.Store.Grants(ctx, person)
}

// inSetup tells whether the set-up phase lasts.
func (a *Account) inSetup(ctx context.Context) (bool, error) {
	ended, err := a.Store.SetupEnded(ctx)
	if err != nil {
		return false, fmt.Errorf("account: set-up phase: %w", err)
	}
	return ended.IsZero(), nil
}

func grantRecord(at time.Time, by, act string, g Grant) audit.Record {
	detail := map[string]string{"grant": g.ID, "role": string(g.Role), "territory": string(g.Territory)}
	if g.Setup {
		detail["setup"] = "true"
	}
	return recordBy(at, by, act, g.Person, detail)
}
