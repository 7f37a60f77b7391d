package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"loa/channels"
	"loa/gateway/config"
)

// TestLogTakesOut logs what must never be in a log by every way that a library
// might take.
func TestLogTakesOut(t *testing.T) {
	t.Parallel()
	endpoint := "https://push.example/wpush/v2/gAAAAABmSecretOfABrowser"
	for name, c := range map[string]struct{ said, secret string }{
		"phone number":             {"+84912345678", "912345678"},
		"without plus":             {"to 84912345678.", "912345678"},
		"national":                 {"0912345678 is no number", "912345678"},
		"with spaces":              {"091 234 5678", "234 5678"},
		"with dots":                {"0912.345.678", "345.678"},
		"landline":                 {"+842033825123", "2033825123"},
		"in a query":               {"/Messages.json?To=%2B84912345678&x=1", "912345678"},
		"in a lower-case query":    {"/Messages.json?To=%2b84912345678", "912345678"},
		"in JSON":                  {`{"to":"+84912345678"}`, "912345678"},
		"a person's token":         {"Bearer loa_AbCdEfGh-0123_xyz", "AbCdEfGh"},
		"a push endpoint":          {endpoint, "SecretOfABrowser"},
		"a push endpoint, refused": {(&url.Error{Op: "Post", URL: endpoint, Err: errors.New("refused")}).Error(), "SecretOfABrowser"},
	} {
		for way, log := range map[string]func(*slog.Logger){
			"text":           func(l *slog.Logger) { l.Info("it failed", "what", c.said) },
			"error":          func(l *slog.Logger) { l.Error("it failed", "err", fmt.Errorf("call: %w", errors.New(c.said))) },
			"group":          func(l *slog.Logger) { l.Warn("it failed", slog.Group("a", slog.Group("b", "c", c.said))) },
			"carried along":  func(l *slog.Logger) { l.With("what", c.said).WithGroup("g").Debug("it failed", "x", 1) },
			"list":           func(l *slog.Logger) { l.Info("it failed", "all", []string{"x", c.said}) },
			"struct":         func(l *slog.Logger) { l.Info("it failed", "all", struct{ To string }{c.said}) },
			"value computed": func(l *slog.Logger) { l.Info("it failed", "what", valuer(c.said)) },
		} {
			for _, format := range []string{"json", "text"} {
				var out bytes.Buffer
				log(NewLog(&out, config.Log{Level: "debug", Format: format}))
				if !strings.Contains(out.String(), "it failed") {
					t.Fatalf("%s, %s, %s: nothing was logged: %q", name, way, format, out.String())
				}
				if strings.Contains(out.String(), c.secret) {
					t.Errorf("%s, %s, %s: %s", name, way, format, out.String())
				}
			}
		}
	}
}

type valuer string

func (v valuer) LogValue() slog.Value { return slog.StringValue(string(v)) }

// TestLogMasksSecrets logs values whose own type hides them.
func TestLogMasksSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := NewLog(&out, config.Log{Level: "info", Format: "json"})
	l.Info("values", "secret", channels.Secret("shhhhhhh"), "address", channels.Address("someone"),
		"config", &config.Config{Keys: config.Keys{Master: "shhhhhhh"}, Ledger: config.Ledger{Postgres: "shhhhhhh"}})
	if s := out.String(); !strings.Contains(s, "values") || strings.Contains(s, "shhhhhhh") || strings.Contains(s, "someone") {
		t.Error(s)
	}
}

// TestLogKeepsTheRest keeps what an engineer needs.
func TestLogKeepsTheRest(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"20260907T050000Z-abc123", "06652", "2026-09-07T05:00:00+07:00", "http://127.0.0.1:8080",
		"ledger: batch 812: database is locked", "https://example.vn/short",
	} {
		if got := redact(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}
