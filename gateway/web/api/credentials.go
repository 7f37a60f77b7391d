package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"loa/channels"
	"loa/gateway/account"
)

// Session is a browser in which somebody is signed in.
type Session struct {
	ID        string    `json:"id"`
	Label     string    `json:"label,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	SeenAt    time.Time `json:"seenAt"`
	Current   bool      `json:"current,omitempty"` // the one that asks
}

// Passkey is a person's credential, without what it is verified with.
type Passkey struct {
	ID        string    `json:"id"` // base64url
	CreatedAt time.Time `json:"createdAt"`
	UsedAt    time.Time `json:"usedAt,omitzero"`
	Synced    bool      `json:"synced,omitempty"`  // its owner has copies of it on other devices
	ClonedAt  time.Time `json:"clonedAt,omitzero"` // when there first seemed to be a copy of it elsewhere
	RevokedAt time.Time `json:"revokedAt,omitzero"`
}

// Token lets a program act for a person. Token is set once, in the answer to the
// request that made it.
type Token struct {
	ID        string        `json:"id"`
	Scope     account.Scope `json:"scope"`
	Label     string        `json:"label,omitempty"`
	Token     string        `json:"token,omitempty"`
	CreatedAt time.Time     `json:"createdAt"`
	ExpiresAt time.Time     `json:"expiresAt"`
	RevokedAt time.Time     `json:"revokedAt,omitzero"`
}

func (s *server) accountRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/sessions", serve: s.sessions, door: signedIn},
		{method: "DELETE", path: "/api/v1/sessions/{id}", serve: s.endSession, door: signedIn},
		{method: "GET", path: "/api/v1/passkeys", serve: s.passkeys, door: signedIn},
		{method: "POST", path: "/api/v1/passkey/begin", serve: s.beginPasskey, door: signedIn},
		{method: "POST", path: "/api/v1/passkeys", serve: s.addPasskey, door: signedIn},
		{method: "DELETE", path: "/api/v1/passkeys/{id}", serve: s.revokePasskey, door: signedIn},
		{method: "GET", path: "/api/v1/tokens", serve: s.tokens, door: signedIn},
		{method: "POST", path: "/api/v1/tokens", serve: s.issueToken, door: signedIn, once: true},
		{method: "DELETE", path: "/api/v1/tokens/{id}", serve: s.revokeToken, door: signedIn},
		{method: "GET", path: "/api/v1/people", serve: s.people, door: signedIn},
		{method: "POST", path: "/api/v1/people", serve: s.invite, door: signedIn, once: true},
		{method: "POST", path: "/api/v1/people/{id}/link", serve: s.inviteAgain, door: signedIn, once: true},
		{method: "POST", path: "/api/v1/people/{id}/grants", serve: s.grant, door: signedIn, once: true},
		{method: "POST", path: "/api/v1/grants/{id}/confirm", serve: s.confirmGrant, door: signedIn, once: true},
		{method: "DELETE", path: "/api/v1/grants/{id}", serve: s.revokeGrant, door: signedIn},
	}
}

// whose is the person that a request is about: person=ID, else who asks.
func (a *act) whose() string {
	if id := a.URL.Query().Get("person"); id != "" {
		return id
	}
	return a.who.Person().ID
}

// gone answers what has been ended.
func gone(err error) (int, any, error) {
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (s *server) sessions(ctx context.Context, a *act) (int, any, error) {
	all, err := s.Account.Sessions(ctx, a.who, a.whose())
	if err != nil {
		return 0, nil, err
	}
	own, _ := a.who.Session()
	out := struct {
		Sessions []Session `json:"sessions"`
	}{[]Session{}}
	for _, one := range all {
		out.Sessions = append(out.Sessions, Session{one.ID, one.Label, local(one.CreatedAt), local(one.SeenAt), one.ID == own.ID})
	}
	return http.StatusOK, out, nil
}

func (s *server) endSession(ctx context.Context, a *act) (int, any, error) {
	return gone(s.Account.EndSession(ctx, a.who, a.whose(), a.PathValue("id")))
}

func (s *server) passkeys(ctx context.Context, a *act) (int, any, error) {
	all, err := s.Account.Passkeys(ctx, a.who, a.whose())
	if err != nil {
		return 0, nil, err
	}
	out := struct {
		Passkeys []Passkey `json:"passkeys"`
	}{[]Passkey{}}
	for _, k := range all {
		out.Passkeys = append(out.Passkeys, Passkey{base64.RawURLEncoding.EncodeToString(k.ID), local(k.CreatedAt), local(k.UsedAt), k.Backed, local(k.ClonedAt), local(k.RevokedAt)})
	}
	return http.StatusOK, out, nil
}

func (s *server) beginPasskey(ctx context.Context, a *act) (int, any, error) {
	if err := a.decode(&struct{}{}, true); err != nil {
		return 0, nil, err
	}
	return challenge(s.Account.BeginPasskey(ctx, a.who))
}

func (s *server) addPasskey(ctx context.Context, a *act) (int, any, error) {
	var in struct {
		Nonce    string          `json:"nonce"`
		Response json.RawMessage `json:"response"`
	}
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	return gone(s.Account.FinishPasskey(ctx, a.who, channels.Secret(in.Nonce), in.Response))
}

func (s *server) revokePasskey(ctx context.Context, a *act) (int, any, error) {
	id, err := base64.RawURLEncoding.DecodeString(a.PathValue("id"))
	if err != nil {
		return 0, nil, account.ErrUnknownPasskey
	}
	return gone(s.Account.RevokePasskey(ctx, a.who, id))
}

func tokenOf(t *account.Token) Token {
	return Token{ID: t.ID, Scope: t.Scope, Label: t.Label, CreatedAt: local(t.CreatedAt), ExpiresAt: local(t.ExpiresAt), RevokedAt: local(t.RevokedAt)}
}

func (s *server) tokens(ctx context.Context, a *act) (int, any, error) {
	all, err := s.Account.Tokens(ctx, a.who, a.whose())
	if err != nil {
		return 0, nil, err
	}
	out := struct {
		Tokens []Token `json:"tokens"`
	}{[]Token{}}
	for i := range all {
		out.Tokens = append(out.Tokens, tokenOf(&all[i]))
	}
	return http.StatusOK, out, nil
}

func (s *server) issueToken(ctx context.Context, a *act) (int, any, error) {
	var in struct {
		Scope     account.Scope `json:"scope"`
		Label     string        `json:"label"`
		ExpiresAt time.Time     `json:"expiresAt"`
	}
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	t, secret, err := s.Account.IssueToken(ctx, a.who, in.Scope, in.Label, in.ExpiresAt)
	if err != nil {
		return 0, nil, err
	}
	out := tokenOf(&t)
	out.Token = secret.Reveal()
	return http.StatusCreated, out, nil
}

func (s *server) revokeToken(ctx context.Context, a *act) (int, any, error) {
	return gone(s.Account.RevokeToken(ctx, a.who, a.whose(), a.PathValue("id")))
}
