package audience

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/area"
)

var now = time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)

func phone(n string) Endpoint {
	return Endpoint{Kind: channels.SMS, Commune: "07111", Language: "vi", Basis: Consent, ConsentText: "v1", ConsentAt: now, Address: channels.Address(n)}
}

func TestBookAddFindOpen(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	b := &Book{Store: &memory{}, Vault: vault(t, secret(1))}
	ids, err := b.Add(ctx, now, []Endpoint{phone("0912345678"), phone("0987654321")})
	if err != nil {
		t.Fatal(err)
	}
	spelled, err := b.Add(ctx, now, []Endpoint{phone("+84 912 345 678")})
	if err != nil || spelled[0] != ids[0] {
		t.Errorf("one number in two spellings became two endpoints: %v, %v", spelled, err)
	}
	for i, n := range []channels.Address{"０９１２３４５６７８", "0987654321"} {
		if id, err := b.Find(ctx, channels.SMS, n); err != nil || id != ids[i] {
			t.Errorf("Find: %d, %v; want %d", id, err, ids[i])
		}
	}
	for _, nobody := range []channels.Address{"0911111111", "nonsense", ""} {
		if id, err := b.Find(ctx, channels.SMS, nobody); err != nil || id != 0 {
			t.Errorf("Find of nobody's address: %d, %v", id, err)
		}
	}
	got, err := b.Open(ctx, channels.SMS, "07111", "vi", []int64{ids[1], 99, ids[0]})
	if err != nil || len(got) != 3 || got[0].Reveal() != "+84987654321" || got[1] != "" || got[2].Reveal() != "+84912345678" {
		t.Errorf("Open: %d addresses, %v", len(got), err)
	}
	heads, err := b.HeadCount(ctx, []area.Code{"07111"}, false)
	if err != nil || heads[channels.SMS] != 2 {
		t.Errorf("HeadCount: %v, %v", heads, err)
	}
	if heads, err := b.HeadCount(ctx, nil, false); err != nil || len(heads) != 0 {
		t.Errorf("no communes must count nobody: %v, %v", heads, err)
	}
}

func TestBookOpenDamaged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := &memory{}
	b := &Book{Store: m, Vault: vault(t, secret(1)), Log: slog.New(slog.NewTextHandler(&log, nil))}
	ids, err := b.Add(t.Context(), now, []Endpoint{phone("0912345678"), phone("0987654321")})
	if err != nil {
		t.Fatal(err)
	}
	m.live[0].Cipher[20] ^= 1
	got, err := b.Open(t.Context(), channels.SMS, "07111", "vi", ids)
	if err != nil || got[0] != "" || got[1] == "" {
		t.Errorf("one damaged record: %v", err)
	}
	if !strings.Contains(log.String(), "endpoint=1") || strings.Contains(log.String(), "912345678") {
		t.Errorf("log: %s", log.String())
	}
	got, err = b.Open(t.Context(), channels.SMS, "07111", "vi", ids[:1])
	if err != nil || got[0] != "" {
		t.Errorf("a damaged record alone holds its batch back for ever: %v", err)
	}
	b.Vault = vault(t, secret(2))
	if _, err := b.Open(t.Context(), channels.SMS, "07111", "vi", ids); !errors.Is(err, ErrUnknown) {
		t.Errorf("wrong secret: %v, want ErrUnknown and not two people given up", err)
	}
}

func TestBookAddRefuses(t *testing.T) {
	t.Parallel()
	m := &memory{}
	b := &Book{Store: m, Vault: vault(t, secret(1))}
	for field, change := range map[string]func(*Endpoint){
		"kind":         func(e *Endpoint) { e.Kind = channels.Loudspeaker },
		"address":      func(e *Endpoint) { e.Address = "02438255555" },
		"commune":      func(e *Endpoint) { e.Commune = "" },
		"language":     func(e *Endpoint) { e.Language = "vi-VN" },
		"basis":        func(e *Endpoint) { e.Basis = "" },
		"consent_text": func(e *Endpoint) { e.ConsentText = "" },
		"consent_at":   func(e *Endpoint) { e.ConsentAt = time.Time{} },
	} {
		e := phone("0912345678")
		change(&e)
		_, err := b.Add(t.Context(), now, []Endpoint{phone("0987654321"), e})
		var bad *FieldError
		if !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if len(m.live) != 0 {
		t.Error("a refused call stored endpoints")
	}
}
