package api

import (
	"context"
	"net/http"
	"time"

	"loa/gateway/account"
	"loa/gateway/area"
)

// Registered is a person with their roles, those that wait and have ended too.
type Registered struct {
	Person
	CreatedAt time.Time `json:"createdAt"`
	RevokedAt time.Time `json:"revokedAt,omitzero"`
	InvitedBy string    `json:"invitedBy,omitempty"`
	Grants    []Grant   `json:"grants"`
}

// Grant is a role given to a person, with everybody who gave it.
type Grant struct {
	ID          string       `json:"id"`
	Role        account.Role `json:"role"`
	Territory   area.Code    `json:"territory"`
	AskedBy     string       `json:"askedBy"`
	AskedAt     time.Time    `json:"askedAt"`
	SecondBy    string       `json:"secondBy,omitempty"`
	SecondAt    time.Time    `json:"secondAt,omitzero"`
	ThirdBy     string       `json:"thirdBy,omitempty"`
	ThirdAt     time.Time    `json:"thirdAt,omitzero"`
	EffectiveAt time.Time    `json:"effectiveAt,omitzero"` // absent: a second administrator is missing
	Active      bool         `json:"active"`
	Setup       bool         `json:"setup,omitempty"`
	RevokedBy   string       `json:"revokedBy,omitempty"`
	RevokedAt   time.Time    `json:"revokedAt,omitzero"`
}

// Invitation asks for a person who shall have roles.
type Invitation struct {
	Name      string    `json:"name"`
	Territory area.Code `json:"territory"` // bounds all their roles
	Roles     []Role    `json:"roles"`
}

// Invited is a person and the address with which they enrol, shown this once.
type Invited struct {
	Person
	Link    string    `json:"link"`
	Expires time.Time `json:"expires"`
}

func (s *server) grantOf(g *account.Grant) Grant {
	at, _ := g.EffectiveAt()
	return Grant{
		ID: g.ID, Role: g.Role, Territory: g.Territory, AskedBy: g.AskedBy, AskedAt: local(g.AskedAt), SecondBy: g.SecondBy, SecondAt: local(g.SecondAt),
		ThirdBy: g.ThirdBy, ThirdAt: local(g.ThirdAt), EffectiveAt: local(at), Active: g.Active(s.Now()), Setup: g.Setup, RevokedBy: g.RevokedBy, RevokedAt: local(g.RevokedAt),
	}
}

// people lists those whose whole territory who asks administers.
func (s *server) people(ctx context.Context, a *act) (int, any, error) {
	if !a.who.Somewhere(account.ActInvite) {
		return 0, nil, account.ErrForbidden
	}
	all, err := s.Account.People(ctx)
	if err != nil {
		return 0, nil, err
	}
	grants, err := s.Account.Grants(ctx, "")
	if err != nil {
		return 0, nil, err
	}
	of := map[string][]Grant{}
	for i := range grants {
		of[grants[i].Person] = append(of[grants[i].Person], s.grantOf(&grants[i]))
	}
	out := struct {
		People []Registered `json:"people"`
	}{[]Registered{}}
	for _, p := range all {
		if s.Account.Over(a.who, account.ActInvite, p.Territory) != nil {
			continue
		}
		one := Registered{Person{p.ID, p.Name, p.Territory}, local(p.CreatedAt), local(p.RevokedAt), p.InvitedBy, of[p.ID]}
		if one.Grants == nil {
			one.Grants = []Grant{}
		}
		out.People = append(out.People, one)
	}
	return http.StatusOK, out, nil
}

func (s *server) invite(ctx context.Context, a *act) (int, any, error) {
	var in Invitation
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	asks := make([]account.Ask, len(in.Roles))
	for i, r := range in.Roles {
		asks[i] = account.Ask(r)
	}
	p, link, err := s.Account.Invite(ctx, a.who, in.Name, in.Territory, asks)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, Invited{Person{p.ID, p.Name, p.Territory}, s.EnrolURL(link), local(s.Now().Add(account.LinkLimit))}, nil
}

func (s *server) inviteAgain(ctx context.Context, a *act) (int, any, error) {
	if err := a.decode(&struct{}{}, true); err != nil {
		return 0, nil, err
	}
	id := a.PathValue("id")
	link, err := s.Account.InviteAgain(ctx, a.who, id)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, Invited{Person{ID: id}, s.EnrolURL(link), local(s.Now().Add(account.LinkLimit))}, nil
}

func (s *server) grant(ctx context.Context, a *act) (int, any, error) {
	var in Role
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	g, err := s.Account.Ask(ctx, a.who, a.PathValue("id"), account.Ask(in))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, s.grantOf(&g), nil
}

func (s *server) confirmGrant(ctx context.Context, a *act) (int, any, error) {
	if err := a.decode(&struct{}{}, true); err != nil {
		return 0, nil, err
	}
	g, err := s.Account.ConfirmGrant(ctx, a.who, a.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.grantOf(&g), nil
}

func (s *server) revokeGrant(ctx context.Context, a *act) (int, any, error) {
	return gone(s.Account.RevokeGrant(ctx, a.who, a.PathValue("id")))
}
