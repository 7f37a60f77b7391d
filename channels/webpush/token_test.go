package webpush

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/channels/webpush/standin"
)

func TestTokenIsKeptForHalfItsLife(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)
	s, err := newSigner(testKey(t), "mailto:a@example.vn", func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	header := func(origin string) string {
		h, err := s.header(origin)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := header("https://a.example")
	if header("https://a.example") != first {
		t.Error("a fresh token was signed again")
	}
	if header("https://b.example") == first {
		t.Error("two origins share a token")
	}
	now = now.Add(tokenLife/2 - time.Second)
	if header("https://a.example") != first {
		t.Error("signed again before half life")
	}
	now = now.Add(time.Second)
	second := header("https://a.example")
	if second == first {
		t.Error("kept beyond half life")
	}
	now = now.Add(-24 * time.Hour)
	if header("https://a.example") == second {
		t.Error("a token that expires in 36 hours was kept after the clock was set back")
	}
}

func TestTokenCacheIsBounded(t *testing.T) {
	t.Parallel()
	s, err := newSigner(testKey(t), "mailto:a@example.vn", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * maxOrigins {
		s.tokens[strings.Repeat("x", i)] = token{made: time.Now().Add(-tokenLife)}
	}
	if _, err := s.header("https://a.example"); err != nil || len(s.tokens) > maxOrigins {
		t.Errorf("%d tokens kept (%v)", len(s.tokens), err)
	}
}

// The stand-in checks audience, expiry and subject; a sender whose clock is
// far off, or whose key is not the subscribers', is told so.
func TestTokenIsCheckedByTheService(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	public, err := PublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	svc, base := service(t, standin.Options{ServerKey: public})
	for name, c := range map[string]struct {
		key   channels.Secret
		shift time.Duration
		ok    bool
	}{
		"good":                {key: key, ok: true},
		"another key":         {key: testKey(t)},
		"clock a day behind":  {key: key, shift: -24 * time.Hour},
		"clock a day ahead":   {key: key, shift: 24 * time.Hour},
		"clock an hour ahead": {key: key, shift: time.Hour, ok: true},
	} {
		s, err := Open(Config{Subject: "https://example.vn/lien-he", PrivateKey: c.key}, channels.Deps{
			Origin: base, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(c.shift) }})
		if err != nil {
			t.Fatal(err)
		}
		m := message(address(t, svc, base, 0))
		m.Expires = m.Expires.Add(48 * time.Hour)
		_, e := send(t, s, m)
		if c.ok != (e == nil) || (e != nil && e.Fault != channels.FaultProvider) {
			t.Errorf("%s: %v", name, e)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := Config{Subject: "mailto:truc-ban@example.vn", PrivateKey: testKey(t)}
	for name, c := range map[string]struct {
		change func(*Config)
		origin string
		says   string
	}{
		"no subject":         {change: func(c *Config) { c.Subject = "" }, says: "subject"},
		"bare address":       {change: func(c *Config) { c.Subject = "truc-ban@example.vn" }, says: "subject"},
		"http subject":       {change: func(c *Config) { c.Subject = "http://example.vn" }, says: "subject"},
		"no key":             {change: func(c *Config) { c.PrivateKey = "" }, says: "private_key"},
		"short key":          {change: func(c *Config) { c.PrivateKey = "AAAA" }, says: "private_key"},
		"zero key":           {change: func(c *Config) { c.PrivateKey = channels.Secret(strings.Repeat("A", 43)) }, says: "private_key"},
		"host with a scheme": {change: func(c *Config) { c.Hosts = []string{"https://push.example.org"} }, says: "hosts"},
		"host is an address": {change: func(c *Config) { c.Hosts = []string{"10.0.0.1"} }, says: "hosts"},
		"every host":         {change: func(c *Config) { c.Hosts = []string{"*"} }, says: "hosts"},
		"a whole domain":     {change: func(c *Config) { c.Hosts = []string{"*.com"} }, says: "hosts"},
		"concurrency":        {change: func(c *Config) { c.Concurrency = 1000 }, says: "concurrency"},
		"timeout":            {change: func(c *Config) { c.Timeout = time.Second }, says: "timeout"},
		"origin with a path": {change: func(*Config) {}, origin: "http://127.0.0.1:1/x", says: "admitted origin"},
	} {
		cfg := good
		c.change(&cfg)
		_, err := Driver().Open(func(v any) error { *v.(*Config) = cfg; return nil }, channels.Deps{Origin: c.origin, Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one about %s", name, err, c.says)
		}
		if k := cfg.PrivateKey.Reveal(); err != nil && k != "" && strings.Contains(err.Error(), k) {
			t.Errorf("%s: error shows the key", name)
		}
	}
	if _, err := Driver().Open(func(v any) error { *v.(*Config) = good; return nil }, channels.Deps{Now: time.Now}); err != nil {
		t.Error(err)
	}
}
