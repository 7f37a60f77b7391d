package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/audience"
	"loa/gateway/config"
	"loa/gateway/ledger"
)

// A backup is made while the ledger is used, is admitted for its own key alone,
// goes only where no ledger is, and starts on hold without any mirror.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := reopen(t, dir, time.Now)
	if err := g.guard.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := g.Audience.Add(t.Context(), time.Now(), []audience.Endpoint{{Kind: channels.SMS, Commune: "07192", Language: "vi", Basis: audience.Duty, Address: "+84912345678"}})
	if err != nil {
		t.Fatal(err)
	}
	inForce(t, g, "a1", nil)
	file := filepath.Join(dir, "backup.db")
	m, err := g.Backup(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if s := generation(t, g); s.Generation <= m.Generation || m.Generation < 1 || !s.Held.IsZero() {
		t.Errorf("generation %d after a backup of %d, held %v", s.Generation, m.Generation, s.Held)
	}
	if _, err := g.Backup(t.Context(), file); err == nil {
		t.Error("a backup was written over another")
	}
	if src, err := os.ReadFile(file); err != nil || strings.Contains(string(src), "912345678") {
		t.Errorf("the backup holds a number in the clear: %v", err)
	}
	cfg := g.cfg
	ctx := context.WithoutCancel(t.Context())
	if _, err := Restore(ctx, cfg, file); !errors.Is(err, ErrRunning) {
		t.Errorf("a restore beside a running gateway: %v", err)
	}
	closed(t, g)
	if _, err := Restore(ctx, cfg, file); err == nil || !strings.Contains(err.Error(), "loa.db is there") {
		t.Errorf("a restore over a ledger: %v", err)
	}
	r, err := CheckBackup(ctx, cfg, file)
	if err != nil || len(r.Facts.InForce) != 1 || r.Facts.Endpoints != 1 || r.Facts.Held.IsZero() {
		t.Errorf("%+v, %v", r.Facts, err)
	}

	// On another machine: the key is brought, no mirror is.
	other := *cfg
	other.Data, other.Witness = filepath.Join(t.TempDir(), "data"), ""
	if _, err := Restore(ctx, &other, file); err == nil {
		t.Error("restored without a key")
	}
	other.Keys.Master = channels.Secret(base64.StdEncoding.EncodeToString([]byte("vutsrqponmlkjihgfedcba9876543210")))
	if _, err := Restore(ctx, &other, file); !errors.Is(err, ErrBackupKey) || !strings.Contains(err.Error(), "keys.master_file was when the backup was made") {
		t.Errorf("with another key: %v", err)
	}
	key, err := os.ReadFile(filepath.Join(cfg.Data, masterFile))
	if err != nil {
		t.Fatal(err)
	}
	other.Keys.Master = channels.Secret(trimmed(key))
	if _, err := Restore(ctx, &other, file); err != nil {
		t.Fatal(err)
	}
	o := muteOptions(t, other.Data)
	o.Config.Keys = other.Keys
	g, err = New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, g)
	if s := generation(t, g); s.Held.IsZero() || s.Why != ledger.HoldCopy || !g.guard.held.Load() {
		t.Errorf("a restored backup: %+v", s)
	}
}

// Any change of a backup's file is found.
func TestDamagedBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := reopen(t, dir, time.Now)
	defer closed(t, g)
	file := filepath.Join(dir, "backup.db")
	if _, err := g.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := len(whole)
	for name, c := range map[string]struct {
		damage func([]byte) []byte
		want   string
	}{
		"a byte": {func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, "their contents differ (SHA-256 "},
		"cut":    {func(b []byte) []byte { return b[:len(b)-4096] }, fmt.Sprintf("it has %d bytes and not %d", n-4096, n)},
		"longer": {func(b []byte) []byte { return append(b, 0) }, fmt.Sprintf("it has %d bytes and not %d", n+1, n)},
	} {
		if err := os.WriteFile(file, c.damage(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := CheckBackup(t.Context(), g.cfg, file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := CheckBackup(t.Context(), &config.Config{Ledger: config.Ledger{Postgres: "postgres://x"}}, file); !errors.Is(err, ErrPostgres) {
		t.Errorf("PostgreSQL: %v", err)
	}
}
