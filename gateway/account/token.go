package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"loa/channels"
)

// Scope is what a token is for. Only what is in its list can be done with it.
type Scope string

// The scopes.
const (
	ScopeRead  Scope = "read"
	ScopeDraft Scope = "draft" // and read
)

// scopes are complete: a token can do nothing else. Whatever needs a person at
// hand (approve, stop, fire, break the glass, invite, grant) is in none.
var scopes = map[Scope][]Act{
	ScopeRead:  {ActRead},
	ScopeDraft: {ActRead, ActDraft, ActSubmit},
}

// ScopedPrefix begins every scoped token.
const ScopedPrefix = "loat_"

// MaxTokenLife is the longest that a scoped token may live.
const MaxTokenLife = 366 * 24 * time.Hour

// Refusals of tokens.
var (
	ErrScope  = errors.New("account: a scope is read or draft")
	ErrExpiry = fmt.Errorf("account: a token expires, at most %d days from now", int(MaxTokenLife.Hours()/24))
)

// Token lets a program act for a person within a scope until it expires.
type Token struct {
	ID        string
	Hash      [32]byte
	Person    string
	Scope     Scope
	Label     string // what it is for
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time
}

// LogValue keeps the hash out of logs.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", t.ID), slog.String("person", t.Person), slog.String("scope", string(t.Scope)))
}

// IssueToken gives who has just signed in a token of their own. It is shown
// this once.
func (a *Account) IssueToken(ctx context.Context, p Principal, scope Scope, label string, expires time.Time) (Token, channels.Secret, error) {
	if err := a.fresh(p); err != nil {
		return Token{}, "", err
	}
	if _, known := scopes[scope]; !known {
		return Token{}, "", fmt.Errorf("scope %q: %w", string(scope), ErrScope)
	}
	now := a.Now()
	if !expires.After(now) || expires.After(now.Add(MaxTokenLife)) {
		return Token{}, "", fmt.Errorf("expires: %w", ErrExpiry)
	}
	secret, err := a.secret()
	if err != nil {
		return Token{}, "", err
	}
	id, err := a.id("t_")
	if err != nil {
		return Token{}, "", err
	}
	secret = ScopedPrefix + secret
	t := Token{ID: id, Hash: hashOf(secret), Person: p.person.ID, Scope: scope, Label: cleanLabel(label), CreatedAt: now, ExpiresAt: expires}
	rec := recordBy(now, p.person.ID, "token.issue", p.person.ID, map[string]string{"token": id, "scope": string(scope), "expires": expires.UTC().Format(time.RFC3339)})
	if err := a.Store.AddToken(ctx, t, rec); err != nil {
		return Token{}, "", fmt.Errorf("account: issue token: %w", err)
	}
	t.Hash = [32]byte{}
	return t, secret, nil
}

// ByToken says who asks with a scoped token, ErrNobody if nobody does.
func (a *Account) ByToken(ctx context.Context, secret channels.Secret) (Principal, error) {
	text := secret.Reveal()
	if !strings.HasPrefix(text, ScopedPrefix) || len(text) != len(ScopedPrefix)+secretLength {
		return Principal{}, ErrNobody
	}
	hash := hashOf(secret)
	t, err := a.Store.Token(ctx, hash)
	if err != nil {
		return Principal{}, err
	}
	if t.Hash != hash || !t.RevokedAt.IsZero() || !a.Now().Before(t.ExpiresAt) {
		return Principal{}, ErrNobody
	}
	p, err := a.principal(ctx, t.Person)
	if err != nil {
		return Principal{}, err
	}
	p.scope = t.Scope
	return p, nil
}

// Tokens lists a person's tokens without their hashes: one's own, or another's
// for who may revoke in their whole territory.
func (a *Account) Tokens(ctx context.Context, p Principal, person string) ([]Token, error) {
	if err := a.ownOrRevoke(ctx, p, person); err != nil {
		return nil, err
	}
	all, err := a.Store.Tokens(ctx, person)
	for i := range all {
		all[i].Hash = [32]byte{}
	}
	return all, err
}

// RevokeToken ends a person's token for good: one's own, or another's for who
// may revoke in their whole territory.
func (a *Account) RevokeToken(ctx context.Context, p Principal, person, id string) error {
	if err := a.ownOrRevoke(ctx, p, person); err != nil {
		return err
	}
	now := a.Now()
	if err := a.Store.RevokeToken(ctx, person, id, now, recordBy(now, p.person.ID, "token.revoke", person, map[string]string{"token": id})); err != nil {
		return fmt.Errorf("account: revoke token: %w", err)
	}
	return nil
}
