package ledger

import (
	"bytes"
	"context"
	"time"

	"loa/gateway/account"
	"loa/gateway/audit"
)

const sessionColumns = "id, hash, person, label, created, seen, ended"

func scanSession(scan func(...any) error) (s account.Session, err error) {
	var hash []byte
	var created, seen, ended int64
	err = scan(&s.ID, &hash, &s.Person, &s.Label, &created, &seen, &ended)
	copy(s.Hash[:], hash)
	s.CreatedAt, s.SeenAt, s.EndedAt = fromNS(created), fromNS(seen), fromNS(ended)
	return s, err
}

func insertSession(t tx, s account.Session) error {
	_, err := t.exec("INSERT INTO session ("+sessionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)",
		s.ID, bytes.Clone(s.Hash[:]), s.Person, s.Label, ns(s.CreatedAt), ns(s.SeenAt), ns(s.EndedAt))
	return err
}

// Session finds a session by its hash, an ended one too.
func (l accountStore) Session(ctx context.Context, hash [32]byte) (account.Session, error) {
	return only(ctx, l, "session", account.ErrNoSession, scanSession, "SELECT "+sessionColumns+" FROM session WHERE hash = ?", hash[:])
}

// Sessions lists a person's, the newest first.
func (l accountStore) Sessions(ctx context.Context, person string) ([]account.Session, error) {
	return list(ctx, l, "sessions", scanSession, "SELECT "+sessionColumns+" FROM session WHERE person = ? ORDER BY created DESC, id", person)
}

// Seen moves a session that is open forward.
func (l accountStore) Seen(ctx context.Context, hash [32]byte, at time.Time) error {
	return l.act(ctx, "session", func(t tx) error {
		_, err := t.exec("UPDATE session SET seen = ? WHERE hash = ? AND ended = 0 AND seen < ?", ns(at), hash[:], ns(at))
		return err
	})
}

// EndSession ends a session of the person. The first end stays.
func (l accountStore) EndSession(ctx context.Context, person, id string, at time.Time, rec audit.Record) error {
	return l.act(ctx, "end session", func(t tx) error {
		return found(t.exec("UPDATE session SET ended = CASE WHEN ended = 0 THEN ? ELSE ended END WHERE id = ? AND person = ?", ns(at), id, person))
	}, rec)
}

// found is account.ErrNotFound for a statement that changed no row.
func found(n int64, err error) error {
	if err == nil && n == 0 {
		err = account.ErrNotFound
	}
	return err
}

const tokenColumns = "id, hash, person, scope, label, created, expires, revoked" // #nosec G101 -- names of columns

func scanToken(scan func(...any) error) (k account.Token, err error) {
	var hash []byte
	var created, expires, revoked int64
	err = scan(&k.ID, &hash, &k.Person, &k.Scope, &k.Label, &created, &expires, &revoked)
	copy(k.Hash[:], hash)
	k.CreatedAt, k.ExpiresAt, k.RevokedAt = fromNS(created), fromNS(expires), fromNS(revoked)
	return k, err
}

// AddToken stores a new token.
func (l accountStore) AddToken(ctx context.Context, k account.Token, rec audit.Record) error {
	return l.act(ctx, "add token", func(t tx) error {
		_, err := t.exec("INSERT INTO api_token ("+tokenColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			k.ID, bytes.Clone(k.Hash[:]), k.Person, string(k.Scope), k.Label, ns(k.CreatedAt), ns(k.ExpiresAt), ns(k.RevokedAt))
		return err
	}, rec)
}

// Token finds a token by its hash, a revoked or expired one too.
func (l accountStore) Token(ctx context.Context, hash [32]byte) (account.Token, error) {
	return only(ctx, l, "token", account.ErrNobody, scanToken, "SELECT "+tokenColumns+" FROM api_token WHERE hash = ?", hash[:])
}

// Tokens lists a person's, the newest first.
func (l accountStore) Tokens(ctx context.Context, person string) ([]account.Token, error) {
	return list(ctx, l, "tokens", scanToken, "SELECT "+tokenColumns+" FROM api_token WHERE person = ? ORDER BY created DESC, id", person)
}

// RevokeToken ends a token of the person. The first revocation stays.
func (l accountStore) RevokeToken(ctx context.Context, person, id string, at time.Time, rec audit.Record) error {
	return l.act(ctx, "revoke token", func(t tx) error {
		return found(t.exec("UPDATE api_token SET revoked = CASE WHEN revoked = 0 THEN ? ELSE revoked END WHERE id = ? AND person = ?", ns(at), id, person))
	}, rec)
}
