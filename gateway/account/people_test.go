package account

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audit"
)

type memory struct {
	Store

	people  []Person
	records []audit.Record
}

func (m *memory) AddPerson(_ context.Context, p Person, rec audit.Record) error {
	m.people, m.records = append(m.people, p), append(m.records, rec)
	return nil
}

func (m *memory) PersonByToken(_ context.Context, hash [32]byte) (Person, error) {
	i := slices.IndexFunc(m.people, func(p Person) bool { return p.TokenHash == hash })
	if i < 0 {
		return Person{}, ErrNobody
	}
	return m.people[i], nil
}

func (m *memory) People(context.Context) ([]Person, error) { return slices.Clone(m.people), nil }

func (m *memory) RevokePerson(_ context.Context, id string, at time.Time, rec audit.Record) error {
	i := slices.IndexFunc(m.people, func(p Person) bool { return p.ID == id })
	if i < 0 {
		return ErrNobody
	}
	m.people[i].RevokedAt, m.records = at, append(m.records, rec)
	return nil
}

func account(m *memory) *Account {
	now := time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)
	return &Account{Store: m, Now: func() time.Time { return now }, Rand: rand.Reader, Valid: func(c area.Code) error {
		if c == "99" {
			return errors.New("no such province")
		}
		return nil
	}}
}

func TestTokenIsItsPersonsUntilRevoked(t *testing.T) {
	t.Parallel()
	m := &memory{}
	a := account(m)
	p, token, err := a.Add(t.Context(), " Nguyễn Thị Bình ", "22")
	if err != nil {
		t.Fatal(err)
	}
	other, second, err := a.Add(t.Context(), "Trần Văn An", Nation)
	if err != nil || other.ID == p.ID || second == token {
		t.Fatalf("second person: %v", err)
	}
	if !strings.HasPrefix(token.Reveal(), "loa_") || len(token.Reveal()) != 4+43 {
		t.Errorf("a token of %d characters", len(token.Reveal()))
	}
	id, name, territory, err := a.Person(t.Context(), token)
	if err != nil || id != p.ID || name != "Nguyễn Thị Bình" || territory != "22" {
		t.Errorf("%q %q %q %v", id, name, territory, err)
	}
	for _, wrong := range []channels.Secret{"", "loa_", token + "A", channels.Secret(strings.ToUpper(token.Reveal())), token[:len(token)-1], channels.Secret(strings.TrimPrefix(token.Reveal(), "loa_"))} {
		if _, _, _, err := a.Person(t.Context(), wrong); !errors.Is(err, ErrNobody) {
			t.Errorf("a wrong token: %v", err)
		}
	}
	if err := a.Revoke(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := a.Person(t.Context(), token); !errors.Is(err, ErrNobody) {
		t.Errorf("after revoking: %v", err)
	}
	if _, _, _, err := a.Person(t.Context(), second); err != nil {
		t.Errorf("the other person was revoked too: %v", err)
	}
	if err := a.Revoke(t.Context(), "p_nobody"); !errors.Is(err, ErrNobody) {
		t.Errorf("revoking nobody: %v", err)
	}
}

func TestTokenIsNowhereButInTheAnswer(t *testing.T) {
	t.Parallel()
	m := &memory{}
	a := account(m)
	p, token, err := a.Add(t.Context(), "Trần Văn An", "22279")
	if err != nil {
		t.Fatal(err)
	}
	people, err := a.People(t.Context())
	if err != nil || len(people) != 1 || people[0].TokenHash != [32]byte{} {
		t.Errorf("People shows token hashes: %v", err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "person", p, "token", token)
	shown := fmt.Sprintf("%v %+v %s %v", m.records, token, token, log.String())
	if strings.Contains(shown, token.Reveal()) || strings.Contains(shown, fmt.Sprintf("%x", p.TokenHash)) {
		t.Error("the token or its hash is shown")
	}
	if r := m.records[0]; r.Act != "person.add" || r.Object != "person/"+p.ID || !strings.Contains(r.Detail, "22279") {
		t.Errorf("audit: %+v", r)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		territory area.Code
		want      error
	}{
		{"", "22", ErrName},
		{"   ", "22", ErrName},
		{"An\nadmin", "22", ErrName},
		{"An\u202e", "22", ErrName},
		{"\xff", "22", ErrName},
		{strings.Repeat("a", 101), "22", ErrName},
		{"An", "", ErrTerritory},
		{"An", "vn", ErrTerritory},
		{"An", "222", ErrTerritory},
		{"An", "2x", ErrTerritory},
		{"An", "99", ErrTerritory},
	} {
		m := &memory{}
		if _, token, err := account(m).Add(t.Context(), tc.name, tc.territory); !errors.Is(err, tc.want) || token != "" || len(m.people) != 0 {
			t.Errorf("%q in %q: %v, want %v", tc.name, tc.territory, err, tc.want)
		}
	}
	a := account(&memory{})
	a.Rand = bytes.NewReader([]byte("too few"))
	if _, _, err := a.Add(t.Context(), "An", "22"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("no randomness: %v", err)
	}
}
