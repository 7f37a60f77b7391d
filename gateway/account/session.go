package account

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"crypto/sha256"

	"loa/channels"
)

// Limits of a session (ASVS 5.0, 7.3): since it was last used, and in all.
const (
	DefaultIdle     = 30 * time.Minute
	DefaultAbsolute = 12 * time.Hour
)

// FreshFor is how long after sign-in a session may add a passkey or a token.
const FreshFor = 5 * time.Minute

// seenEvery is how often a use of a session is stored.
const seenEvery = time.Minute

const maxLabel = 100

// Refusals of sessions.
var (
	// ErrNoSession says that nobody is signed in with this: unknown, expired or
	// ended.
	ErrNoSession = errors.New("account: not signed in")
	ErrNotFresh  = fmt.Errorf("account: sign in again: this is allowed for %d minutes after it", int(FreshFor.Minutes()))
)

// Session is a browser in which a person has signed in. Hash is of its secret,
// which only the browser has.
type Session struct {
	ID        string
	Hash      [32]byte
	Person    string
	Label     string // what browser, in words
	CreatedAt time.Time
	SeenAt    time.Time
	EndedAt   time.Time
}

// LogValue keeps the hash out of logs.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", s.ID), slog.String("person", s.Person))
}

// alive tells whether the session may be used now.
func (s Session) alive(now time.Time, idle, absolute time.Duration) bool {
	return s.EndedAt.IsZero() && !now.Before(s.CreatedAt) && now.Before(s.CreatedAt.Add(absolute)) && now.Before(s.SeenAt.Add(idle))
}

func (a *Account) limits() (idle, absolute time.Duration) {
	idle, absolute = a.Idle, a.Absolute
	if idle <= 0 {
		idle = DefaultIdle
	}
	if absolute <= 0 {
		absolute = DefaultAbsolute
	}
	return idle, absolute
}

// newSession makes a session with a secret of its own: what a browser brings is
// never taken over.
func (a *Account) newSession(person, label string) (Session, channels.Secret, error) {
	secret, err := a.secret()
	if err != nil {
		return Session{}, "", err
	}
	id, err := a.id("s_")
	now := a.Now()
	return Session{ID: id, Hash: hashOf(secret), Person: person, Label: cleanLabel(label), CreatedAt: now, SeenAt: now}, secret, err
}

// Authenticate says who is signed in with a session's secret, ErrNoSession if
// nobody is. It counts as a use.
func (a *Account) Authenticate(ctx context.Context, secret channels.Secret) (Principal, error) {
	if len(secret.Reveal()) != secretLength {
		return Principal{}, ErrNoSession
	}
	hash := hashOf(secret)
	s, err := a.Store.Session(ctx, hash)
	if err != nil {
		return Principal{}, err
	}
	now := a.Now()
	idle, absolute := a.limits()
	if s.Hash != hash || !s.alive(now, idle, absolute) {
		return Principal{}, ErrNoSession
	}
	p, err := a.principal(ctx, s.Person)
	if errors.Is(err, ErrNobody) {
		return Principal{}, ErrNoSession
	}
	if err != nil {
		return Principal{}, err
	}
	if now.Sub(s.SeenAt) >= min(seenEvery, idle/2) {
		if err := a.Store.Seen(ctx, hash, now); err != nil {
			return Principal{}, fmt.Errorf("account: session: %w", err)
		}
		s.SeenAt = now
	}
	s.Hash = [32]byte{}
	p.session = &s
	return p, nil
}

// fresh refuses who did not come with a session or signed in too long ago.
func (a *Account) fresh(p Principal) error {
	s, ok := p.Session()
	if !ok {
		return ErrForbidden
	}
	if a.Now().After(s.CreatedAt.Add(FreshFor)) {
		return ErrNotFresh
	}
	return nil
}

// SignOut ends the session that the principal came with.
func (a *Account) SignOut(ctx context.Context, p Principal) error {
	s, ok := p.Session()
	if !ok {
		return ErrNoSession
	}
	return a.endSession(ctx, p, s.Person, s.ID)
}

// Sessions lists a person's open sessions: one's own, or another's for who may
// revoke in their whole territory.
func (a *Account) Sessions(ctx context.Context, p Principal, person string) ([]Session, error) {
	if err := a.ownOrRevoke(ctx, p, person); err != nil {
		return nil, err
	}
	all, err := a.Store.Sessions(ctx, person)
	if err != nil {
		return nil, fmt.Errorf("account: sessions: %w", err)
	}
	now := a.Now()
	idle, absolute := a.limits()
	open := all[:0]
	for _, s := range all {
		if s.alive(now, idle, absolute) {
			s.Hash = [32]byte{}
			open = append(open, s)
		}
	}
	return open, nil
}

// EndSession ends one of a person's sessions: one's own, or another's for who
// may revoke in their whole territory.
func (a *Account) EndSession(ctx context.Context, p Principal, person, id string) error {
	if err := a.ownOrRevoke(ctx, p, person); err != nil {
		return err
	}
	return a.endSession(ctx, p, person, id)
}

func (a *Account) endSession(ctx context.Context, p Principal, person, id string) error {
	now := a.Now()
	if err := a.Store.EndSession(ctx, person, id, now, recordBy(now, p.person.ID, "session.end", person, map[string]string{"session": id})); err != nil {
		return fmt.Errorf("account: end session: %w", err)
	}
	return nil
}

// ownOrRevoke lets people with a session at what is theirs, and administrators
// of the person's territory.
func (a *Account) ownOrRevoke(ctx context.Context, p Principal, person string) error {
	if _, ok := p.Session(); !ok {
		return ErrForbidden
	}
	if person == p.person.ID {
		return nil
	}
	other, err := a.Store.Person(ctx, person)
	if err != nil {
		return err
	}
	return a.over(p, ActRevoke, other.Territory)
}

const secretBytes = 32

var secretLength = base64.RawURLEncoding.EncodedLen(secretBytes)

// secret makes 256 random bits, as text.
func (a *Account) secret() (channels.Secret, error) {
	var b [secretBytes]byte
	if _, err := io.ReadFull(a.Rand, b[:]); err != nil {
		return "", fmt.Errorf("account: random bytes: %w", err)
	}
	return channels.Secret(base64.RawURLEncoding.EncodeToString(b[:])), nil
}

func (a *Account) id(prefix string) (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(a.Rand, b[:]); err != nil {
		return "", fmt.Errorf("account: random bytes: %w", err)
	}
	return prefix + hex.EncodeToString(b[:]), nil
}

func hashOf(secret channels.Secret) [32]byte { return sha256.Sum256([]byte(secret.Reveal())) }

// cleanLabel keeps a label short and printable.
func cleanLabel(label string) string {
	label = strings.Map(printable, strings.ToValidUTF8(label, ""))
	if r := []rune(label); len(r) > maxLabel {
		label = string(r[:maxLabel])
	}
	return strings.TrimSpace(label)
}
