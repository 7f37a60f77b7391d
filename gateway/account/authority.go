package account

import (
	"context"
	"errors"
	"fmt"

	"loa/gateway/area"
)

// principal loads a person with the mandates that are in force now, ErrNobody
// if they are gone.
func (a *Account) principal(ctx context.Context, id string) (Principal, error) {
	p, err := a.Store.Person(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return Principal{}, ErrNobody
	}
	if err != nil {
		return Principal{}, fmt.Errorf("account: person: %w", err)
	}
	if !p.RevokedAt.IsZero() {
		return Principal{}, ErrNobody
	}
	grants, err := a.Store.Grants(ctx, id)
	if err != nil {
		return Principal{}, fmt.Errorf("account: grants: %w", err)
	}
	p.TokenHash = [32]byte{}
	return Principal{person: p, mandates: a.mandates(grants)}, nil
}

// mandates are the grants in force, expanded. A territory that cannot be
// expanded, since it has ended, gives authority over nothing.
func (a *Account) mandates(grants []Grant) []Mandate {
	var ms []Mandate
	now := a.Now()
	for _, g := range grants {
		if !g.Active(now) {
			continue
		}
		m := Mandate{Role: g.Role, Territory: g.Territory}
		if g.Territory != Nation {
			communes, err := a.expand(g.Territory)
			if err != nil {
				continue
			}
			m.Communes = communes
		}
		ms = append(ms, m)
	}
	return ms
}

func (a *Account) expand(t area.Code) ([]area.Code, error) {
	if a.Expand == nil {
		return nil, fmt.Errorf("territory %q: %w", t, ErrTerritory)
	}
	return a.Expand([]area.Code{t})
}

// over refuses who may not do the act in the whole territory.
func (a *Account) over(p Principal, act Act, t area.Code) error {
	if t == Nation {
		return p.checkTerritory(act, t, nil)
	}
	communes, err := a.expand(t)
	if err != nil {
		return fmt.Errorf("territory %q: %w: %w", t, ErrTerritory, err)
	}
	return p.checkTerritory(act, t, communes)
}

// Holders lists who has a role in force in the whole of the communes: whom a
// grant there is told to, and who can be called to sign.
func (a *Account) Holders(ctx context.Context, role Role, communes []area.Code) ([]string, error) {
	grants, err := a.Store.Grants(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("account: grants: %w", err)
	}
	var ids []string
	seen := map[string][]Grant{}
	for _, g := range grants {
		if g.Role == role {
			if len(seen[g.Person]) == 0 {
				ids = append(ids, g.Person)
			}
			seen[g.Person] = append(seen[g.Person], g)
		}
	}
	out := ids[:0]
	for _, id := range ids {
		p, err := a.Store.Person(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("account: person: %w", err)
		}
		if p.RevokedAt.IsZero() && May(a.mandates(seen[id]), ActRead, communes) {
			out = append(out, id)
		}
	}
	return out, nil
}
