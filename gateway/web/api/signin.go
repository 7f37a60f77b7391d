package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/area"
)

// Challenge is what a browser hands to navigator.credentials; the nonce comes
// back with the answer.
type Challenge struct {
	PublicKey json.RawMessage `json:"publicKey"`
	Nonce     string          `json:"nonce"`
}

// Who is who has signed in.
type Who struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Territory   area.Code `json:"territory"`
	Roles       []Role    `json:"roles"`
	Environment string    `json:"environment"` // live, drill or demo
	Setup       bool      `json:"setup"`       // the set-up phase lasts
	Session     string    `json:"session"`     // its id
	FreshUntil  time.Time `json:"freshUntil"`  // until then passkeys, tokens and weighty roles may be given
}

// Role is a role in force for a territory.
type Role struct {
	Role      account.Role `json:"role"`
	Territory area.Code    `json:"territory"`
}

func (s *server) signInRoutes() []route {
	return []route{
		{method: "POST", path: "/api/v1/enrol/begin", serve: s.beginEnrol, door: anybody},
		{method: "POST", path: "/api/v1/enrol", serve: s.enrol, door: anybody},
		{method: "POST", path: "/api/v1/session/begin", serve: s.beginSession, door: anybody},
		{method: "POST", path: "/api/v1/session", serve: s.session, door: anybody},
		{method: "GET", path: "/api/v1/session", serve: s.whoIsIt, door: signedIn},
		{method: "DELETE", path: "/api/v1/session", serve: s.endOwnSession, door: signedIn},
	}
}

func challenge(o account.Options, err error) (int, any, error) {
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, Challenge{o.Public, o.Nonce.Reveal()}, nil
}

// nameless is a refusal of a name as a missing field, so that a page can ask the
// first administrator for theirs.
func nameless(err error) error {
	if errors.Is(err, account.ErrName) {
		return malformed("name", plain(account.ErrName))
	}
	return err
}

func (s *server) beginEnrol(ctx context.Context, a *act) (int, any, error) {
	var in struct {
		Link string `json:"link"`
		Name string `json:"name"`
	}
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	o, err := s.Account.BeginEnrol(ctx, channels.Secret(in.Link), in.Name)
	return challenge(o, nameless(err))
}

func (s *server) enrol(ctx context.Context, a *act) (int, any, error) {
	var in struct {
		Link     string          `json:"link"`
		Name     string          `json:"name"`
		Nonce    string          `json:"nonce"`
		Response json.RawMessage `json:"response"`
		Label    string          `json:"label"`
	}
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	secret, err := s.Account.FinishEnrol(ctx, channels.Secret(in.Link), in.Name, channels.Secret(in.Nonce), in.Response, in.Label)
	if err != nil {
		return 0, nil, nameless(err)
	}
	return s.signedIn(ctx, a, secret)
}

func (s *server) beginSession(ctx context.Context, a *act) (int, any, error) {
	if err := a.decode(&struct{}{}, true); err != nil {
		return 0, nil, err
	}
	return challenge(s.Account.BeginSignIn(ctx))
}

// session signs in. The session that the browser brings, if any, ends; a cookie
// that was planted there is nobody's and stays so.
func (s *server) session(ctx context.Context, a *act) (int, any, error) {
	var in struct {
		Nonce    string          `json:"nonce"`
		Response json.RawMessage `json:"response"`
		Label    string          `json:"label"`
	}
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	had, _ := cookieOf(a.Request)
	secret, err := s.Account.FinishSignIn(ctx, channels.Secret(in.Nonce), in.Response, had, in.Label)
	if err != nil {
		return 0, nil, err
	}
	return s.signedIn(ctx, a, secret)
}

func (s *server) signedIn(ctx context.Context, a *act, secret channels.Secret) (int, any, error) {
	p, err := s.Account.Authenticate(ctx, secret)
	if err != nil {
		return 0, nil, err
	}
	who, err := s.identity(ctx, p)
	if err != nil {
		return 0, nil, err
	}
	a.signIn(secret)
	return http.StatusCreated, who, nil
}

func (s *server) identity(ctx context.Context, p account.Principal) (Who, error) {
	setup, err := s.Account.InSetup(ctx)
	if err != nil {
		return Who{}, err
	}
	session, _ := p.Session()
	who := Who{
		ID: p.Person().ID, Name: p.Person().Name, Territory: p.Person().Territory, Roles: []Role{},
		Environment: s.Account.Site.Environment, Setup: setup, Session: session.ID, FreshUntil: local(session.CreatedAt.Add(account.FreshFor)),
	}
	for _, m := range p.Mandates() {
		who.Roles = append(who.Roles, Role{m.Role, m.Territory})
	}
	return who, nil
}

func (s *server) whoIsIt(ctx context.Context, a *act) (int, any, error) {
	who, err := s.identity(ctx, a.who)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, who, nil
}

func (s *server) endOwnSession(ctx context.Context, a *act) (int, any, error) {
	if err := s.Account.SignOut(ctx, a.who); err != nil {
		return 0, nil, err
	}
	a.signOut()
	return http.StatusNoContent, nil, nil
}
