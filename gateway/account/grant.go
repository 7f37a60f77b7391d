package account

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"loa/gateway/area"
)

// GrantDelay is how long a weighty grant waits after its second administrator,
// unless a third confirms it. CoSignDelay is how long who invited and who was
// invited cannot sign the same thing.
const (
	GrantDelay  = 24 * time.Hour
	CoSignDelay = 7 * 24 * time.Hour
)

// Refusals of grants.
var (
	ErrRole       = errors.New("account: no such role")
	ErrClerk      = errors.New("account: a clerk's territory is a commune")
	ErrSamePerson = errors.New("account: one person cannot stand for two")
	ErrInviter    = fmt.Errorf("account: who invited and who was invited cannot sign together for %d days", int(CoSignDelay.Hours()/24))
	ErrOwnGrant   = errors.New("account: nobody grants or confirms a role of their own")
	ErrSettled    = errors.New("account: the grant needs no confirmation any more")
	ErrNotFound   = errors.New("account: not found")
)

// Grant is a role given to a person for a territory, with everybody who gave it.
type Grant struct {
	ID        string
	Person    string
	Role      Role
	Territory area.Code
	AskedBy   string
	AskedAt   time.Time
	SecondBy  string
	SecondAt  time.Time
	ThirdBy   string
	ThirdAt   time.Time
	Setup     bool // given in the set-up phase, by one person, at once
	RevokedBy string
	RevokedAt time.Time
}

// EffectiveAt is when the grant takes effect, false while that is not known
// because a second administrator is missing.
func (g Grant) EffectiveAt() (time.Time, bool) {
	switch {
	case g.AskedAt.IsZero():
		return time.Time{}, false
	case g.Setup || !g.Role.Weighty():
		return g.AskedAt, true
	case g.SecondAt.IsZero():
		return time.Time{}, false
	case !g.ThirdAt.IsZero() && g.ThirdAt.Before(g.SecondAt.Add(GrantDelay)):
		return g.ThirdAt, true
	}
	return g.SecondAt.Add(GrantDelay), true
}

// Active tells whether the grant is in force.
func (g Grant) Active(now time.Time) bool {
	at, known := g.EffectiveAt()
	return known && !now.Before(at) && g.RevokedAt.IsZero()
}

// Confirm returns the grant with the word of one more administrator. asker and
// second are who has spoken before; second may be nobody. Authority over the
// territory is not asked here.
func (g Grant) Confirm(by, asker, second Person, now time.Time) (Grant, error) {
	if by.ID == g.Person {
		return Grant{}, ErrOwnGrant
	}
	if !g.RevokedAt.IsZero() || g.Setup || !g.Role.Weighty() || !g.ThirdAt.IsZero() {
		return Grant{}, ErrSettled
	}
	if at, known := g.EffectiveAt(); known && !now.Before(at) {
		return Grant{}, ErrSettled
	}
	if err := MayCoSign(by, asker, now); err != nil {
		return Grant{}, err
	}
	if g.SecondAt.IsZero() {
		g.SecondBy, g.SecondAt = by.ID, now
		return g, nil
	}
	if err := MayCoSign(by, second, now); err != nil {
		return Grant{}, err
	}
	g.ThirdBy, g.ThirdAt = by.ID, now
	return g, nil
}

// MayCoSign tells whether two people may sign the same thing: they are two, and
// neither invited the other in the last CoSignDelay, the set-up phase apart.
// They share no passkey, since a ledger has each once.
func MayCoSign(a, b Person, now time.Time) error {
	if a.ID == b.ID || a.ID == "" || b.ID == "" {
		return ErrSamePerson
	}
	invited := func(p, by Person) bool {
		return p.InvitedBy == by.ID && !p.Setup && now.Before(p.CreatedAt.Add(CoSignDelay))
	}
	if invited(a, b) || invited(b, a) {
		return ErrInviter
	}
	return nil
}

func checkRole(r Role, t area.Code) error {
	if !slices.Contains(Roles(), r) {
		return fmt.Errorf("role %q: %w", string(r), ErrRole)
	}
	if r == Clerk && !t.IsCommune() {
		return fmt.Errorf("territory %q: %w", t, ErrClerk)
	}
	return nil
}

// LogValue shows what is granted to whom.
func (g Grant) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", g.ID), slog.String("person", g.Person), slog.String("role", string(g.Role)), slog.String("territory", string(g.Territory)))
}
