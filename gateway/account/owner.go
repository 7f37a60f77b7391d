package account

import (
	"context"
	"fmt"
	"strings"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audit"
)

// Furnish is Invite by the owner of the machine, who has no account of their
// own: in the set-up phase only, after it ErrSetupOver.
func (a *Account) Furnish(ctx context.Context, name string, territory area.Code, asks []Ask) (Person, channels.Secret, error) {
	name = strings.TrimSpace(name)
	if err := checkName(name); err != nil {
		return Person{}, "", err
	}
	if err := a.checkTerritory(territory); err != nil {
		return Person{}, "", err
	}
	id, err := a.id("p_")
	if err != nil {
		return Person{}, "", err
	}
	who := Person{ID: id, Name: name, Territory: territory, CreatedAt: a.Now(), Setup: true}
	recs := []audit.Record{recordBy(who.CreatedAt, "system", "person.invite", id, map[string]string{"name": name, "territory": string(territory), "setup": "true"})}
	var gs []Grant
	for _, ask := range asks {
		if err := a.checkTerritory(ask.Territory); err != nil {
			return Person{}, "", err
		}
		if err := checkRole(ask.Role, ask.Territory); err != nil {
			return Person{}, "", err
		}
		g, rec, err := a.makeGrant("system", id, ask, true)
		if err != nil {
			return Person{}, "", err
		}
		gs, recs = append(gs, g), append(recs, rec)
	}
	secret, err := a.link(ctx, "", who, false, []Person{who}, gs, recs)
	return who, secret, err
}

// InSetup tells whether the set-up phase lasts.
func (a *Account) InSetup(ctx context.Context) (bool, error) { return a.inSetup(ctx) }

// Over refuses who may not do the act in the whole territory.
func (a *Account) Over(p Principal, act Act, t area.Code) error { return a.over(p, act, t) }

// MayCoSign tells whether who asks may sign what somebody else has written.
func (a *Account) MayCoSign(ctx context.Context, p Principal, author string) error {
	other, err := a.Store.Person(ctx, author)
	if err != nil {
		return fmt.Errorf("account: the author: %w", err)
	}
	return MayCoSign(p.person, other, a.Now())
}

// Reseal is the passkey with a seal of the new key, false if neither key has
// sealed it: it stays what it is, nobody's. One that the new key has sealed
// already is returned as it is.
func (k Passkey) Reseal(from, to []byte) (Passkey, bool) {
	switch {
	case k.sealed([][]byte{to}):
		return k, true
	case !k.sealed([][]byte{from}):
		return k, false
	}
	k.Seal = k.sealOf(to)
	return k, true
}
