package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"loa/gateway/account"
	"loa/gateway/area"
)

// Member is a person as their register shows them. Token is set once, in the
// answer to the request that added them.
type Member struct {
	Person
	Token     string    `json:"token,omitempty"`
	Roles     []Role    `json:"roles,omitempty"` // in force
	CreatedAt time.Time `json:"createdAt"`
	RevokedAt time.Time `json:"revokedAt,omitzero"`
}

// NewMember asks for a person and a token.
type NewMember struct {
	Name      string    `json:"name"`
	Territory area.Code `json:"territory"` // VN, a province or a commune
}

func (s *server) ownersPeople(ctx context.Context, _ *act) (int, any, error) {
	all, err := s.Account.People(ctx)
	if err != nil {
		return 0, nil, err
	}
	grants, err := s.Account.Grants(ctx, "")
	if err != nil {
		return 0, nil, err
	}
	out := struct {
		People []Member `json:"people"`
	}{make([]Member, 0, len(all))}
	for _, p := range all {
		m := Member{Person: Person{p.ID, p.Name, p.Territory}, CreatedAt: local(p.CreatedAt), RevokedAt: local(p.RevokedAt)}
		for i := range grants {
			if grants[i].Person == p.ID && grants[i].Active(s.Now()) {
				m.Roles = append(m.Roles, Role{grants[i].Role, grants[i].Territory})
			}
		}
		out.People = append(out.People, m)
	}
	return http.StatusOK, out, nil
}

func (s *server) addPerson(ctx context.Context, a *act) (int, any, error) {
	var in NewMember
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	p, token, err := s.Account.Add(ctx, in.Name, in.Territory)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, Member{Person: Person{p.ID, p.Name, p.Territory}, Token: token.Reveal(), CreatedAt: local(p.CreatedAt)}, nil
}

func (s *server) revokePerson(ctx context.Context, a *act) (int, any, error) {
	err := s.Account.Revoke(ctx, a.PathValue("id"))
	if errors.Is(err, account.ErrNobody) {
		err = &bodyError{status: http.StatusNotFound, kind: "not-found", detail: "there is no such person"}
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

// FirstLink is the address with which the first administrator enrols, once.
type FirstLink struct {
	Link    string    `json:"link"`
	Expires time.Time `json:"expires"`
}

// firstLink makes a new link for the first administrator; the one before is
// void.
func (s *server) firstLink(ctx context.Context, a *act) (int, any, error) {
	if err := a.decode(&struct{}{}, true); err != nil {
		return 0, nil, err
	}
	link, given, err := s.Account.FirstLink(ctx)
	if err != nil {
		return 0, nil, err
	}
	if !given {
		return 0, nil, &bodyError{status: http.StatusConflict, kind: "enrolled", detail: "somebody has enrolled already: an administrator invites the others"}
	}
	return http.StatusCreated, FirstLink{s.EnrolURL(link), local(s.Now().Add(account.LinkLimit))}, nil
}
