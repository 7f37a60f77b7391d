package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audit"
)

// Nation is the territory that holds every commune.
const Nation area.Code = "VN"

// TokenPrefix begins every token, so that a leaked one is recognised.
const TokenPrefix = "loa_"

// tokenBytes is a token's randomness: 256 bits, so that its plain hash is safe
// to store and to look up by.
const tokenBytes = 32

const maxName = 100

// Refusals of accounts.
var (
	// ErrNobody says that a token is nobody's: unknown, malformed or revoked. A
	// Store returns it for a token or a person that it does not have.
	ErrNobody    = errors.New("account: nobody has this token")
	ErrName      = fmt.Errorf("account: a name has 1 to %d printable characters", maxName)
	ErrTerritory = errors.New("account: a territory is VN, a province code of two digits or a commune code of five")
)

// Account adds and knows people. Safe for concurrent use.
type Account struct {
	Store Store
	// Valid refuses a territory that is not in force. Nil: only its form is
	// checked. It is not asked about Nation.
	Valid func(area.Code) error
	Now   func() time.Time
	Rand  io.Reader // cryptographic randomness

	// Expand turns the code of a province or a commune into communes, sorted. Nil:
	// only Nation gives anybody authority.
	Expand func([]area.Code) ([]area.Code, error)
	// Site is where passkeys are used. Without it nobody can sign in.
	Site Site
	// Keys seal passkeys: the first makes seals, any of them verifies.
	Keys [][]byte
	// Idle and Absolute limit sessions. 0: DefaultIdle, DefaultAbsolute.
	Idle, Absolute time.Duration
}

// Add makes a person and the token that proves them. The token is shown this
// once: only its hash is stored.
func (a *Account) Add(ctx context.Context, name string, territory area.Code) (Person, channels.Secret, error) {
	name = strings.TrimSpace(name)
	if err := checkName(name); err != nil {
		return Person{}, "", err
	}
	if err := a.checkTerritory(territory); err != nil {
		return Person{}, "", err
	}
	var random [tokenBytes + 8]byte
	if _, err := io.ReadFull(a.Rand, random[:]); err != nil {
		return Person{}, "", fmt.Errorf("account: random bytes: %w", err)
	}
	token := channels.Secret(TokenPrefix + base64.RawURLEncoding.EncodeToString(random[:tokenBytes]))
	p := Person{
		ID: "p_" + hex.EncodeToString(random[tokenBytes:]), Name: name, Territory: territory,
		TokenHash: sha256.Sum256([]byte(token.Reveal())), CreatedAt: a.Now(),
	}
	rec := record(p.CreatedAt, "person.add", p.ID, map[string]string{"name": name, "territory": string(territory)})
	if err := a.Store.AddPerson(ctx, p, rec); err != nil {
		return Person{}, "", fmt.Errorf("account: add person: %w", err)
	}
	return p, token, nil
}

// Person says whose a token is. It is found by its hash, so the time that
// takes tells nothing of other tokens.
func (a *Account) Person(ctx context.Context, token channels.Secret) (id, name string, territory area.Code, err error) {
	text := token.Reveal()
	if !strings.HasPrefix(text, TokenPrefix) || len(text) != len(TokenPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return "", "", "", ErrNobody
	}
	p, err := a.Store.PersonByToken(ctx, sha256.Sum256([]byte(text)))
	if err != nil {
		return "", "", "", err
	}
	if p.ID == "" || !p.RevokedAt.IsZero() {
		return "", "", "", ErrNobody
	}
	return p.ID, p.Name, p.Territory, nil
}

// Revoke ends a person's token for good.
func (a *Account) Revoke(ctx context.Context, id string) error {
	now := a.Now()
	if err := a.Store.RevokePerson(ctx, id, now, record(now, "person.revoke", id, nil)); err != nil {
		return fmt.Errorf("account: revoke person: %w", err)
	}
	return nil
}

// People lists everybody, revoked ones too, without their token hashes.
func (a *Account) People(ctx context.Context) ([]Person, error) {
	people, err := a.Store.People(ctx)
	for i := range people {
		people[i].TokenHash = [32]byte{}
	}
	return people, err
}

// LogValue keeps the token's hash out of logs.
func (p Person) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", p.ID), slog.String("territory", string(p.Territory)))
}

func checkName(name string) error {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.Map(printable, name) != name {
		return ErrName
	}
	return nil
}

// printable drops what cannot be seen.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

func (a *Account) checkTerritory(t area.Code) error {
	if t == Nation {
		return nil
	}
	const province, commune = 2, 5
	if len(t) != province && len(t) != commune || strings.Trim(string(t), "0123456789") != "" {
		return fmt.Errorf("territory %q: %w", t, ErrTerritory)
	}
	if a.Valid == nil {
		return nil
	}
	if err := a.Valid(t); err != nil {
		return fmt.Errorf("territory %q: %w: %w", t, ErrTerritory, err)
	}
	return nil
}

func record(at time.Time, act, id string, detail map[string]string) audit.Record {
	return recordBy(at, "system", act, id, detail)
}

func recordBy(at time.Time, actor, act, id string, detail map[string]string) audit.Record {
	rec := audit.Record{At: at, Actor: actor, Act: act, Object: "person/" + id}
	if b, err := json.Marshal(detail); err == nil && detail != nil {
		rec.Detail = string(b)
	}
	return rec
}
