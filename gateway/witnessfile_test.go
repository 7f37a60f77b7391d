package gateway

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/ledger"
	"loa/gateway/ledger/postgrestest"
	"loa/gateway/watch"
)

// A witness of another ledger, one whose ledger is gone, and one that cannot be
// written are faults of a check and of a start, which leaves no ledger behind.
func TestWitnessFaults(t *testing.T) {
	t.Parallel()
	const stranger = "0123456789abcdef01234567 40\n"
	for name, c := range map[string]struct {
		ran     bool // there is a ledger
		content string
		place   string
		want    string
	}{
		"of another ledger":    {true, stranger, "witness", "of another ledger"},
		"the ledger is gone":   {false, stranger, "witness", "knows a ledger (0123456789abcdef01234567, generation 40), and there is none in"},
		"no folder":            {false, "", "nope/witness", "cannot be written to"},
		"no folder any longer": {true, "", "nope/witness", "cannot be written to"},
		"a folder":             {false, "", ".", "is a directory"},
		"damaged":              {false, "x", "witness", "no witness file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := muteOptions(t, filepath.Join(dir, "data"))
			if c.ran {
				g, err := New(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				closed(t, g)
			}
			o.Config.Witness = filepath.Join(dir, c.place)
			if c.content != "" {
				if err := os.WriteFile(o.Config.Witness, []byte(c.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			faults := Check(t.Context(), o, false)
			if len(faults) != 1 || !strings.Contains(faults[0].Error(), c.want) {
				t.Errorf("check: %v, want %q", faults, c.want)
			}
			if parts := Diagnose(t.Context(), o); len(parts) != 1 || !strings.Contains(parts[0].Text, c.want) {
				t.Errorf("doctor: %+v", parts)
			}
			if _, err := New(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("serve: %v, want %q", err, c.want)
			}
			if _, err := os.Stat(ledgerFile(o.Config.Data)); !c.ran && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a ledger was left: %v", err)
			}
		})
	}
}

// The first start of a new ledger begins its witness without an alarm; a witness
// that can no longer be written is told of.
func TestFirstStartBeginsTheWitness(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log bytes.Buffer
	o := muteOptions(t, filepath.Join(dir, "data"))
	if err := os.Mkdir(filepath.Join(dir, "beside"), 0o700); err != nil {
		t.Fatal(err)
	}
	o.Config.Witness = filepath.Join(dir, "beside", "witness")
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	now := time.Now()
	o.Now = func() time.Time { return now }
	if faults := Check(t.Context(), o, false); len(faults) > 0 {
		t.Fatal(faults)
	}
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, g)
	advice := func() watch.Part {
		for _, x := range g.probeHold(t.Context()) {
			if x.Part == "witness" {
				return x
			}
		}
		t.Fatal("no part tells of the witness")
		return watch.Part{}
	}
	if err := g.guard.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := log.String(); strings.Contains(said, "weakened") || !strings.Contains(said, "a new ledger begins") {
		t.Errorf("the log: %s", said)
	}
	if x := advice(); x.State != watch.OK {
		t.Errorf("the doctor: %+v", x)
	}
	if faults := Check(t.Context(), o, false); len(faults) > 0 {
		t.Error(faults)
	}

	if err := os.RemoveAll(filepath.Join(dir, "beside")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(bumpEvery)
	if err := g.guard.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if x := advice(); x.State != watch.Warn || !strings.Contains(x.Text, "cannot be written") {
		t.Errorf("the doctor: %+v", x)
	}
}

// So is a witness whose database is empty: a start makes no tables there.
func TestWitnessOfALostDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dsn := postgrestest.Shared(t).Database(t)
	o := muteOptions(t, filepath.Join(dir, "data"))
	o.Config.Ledger.Postgres = channels.Secret(dsn)
	o.Config.Witness = filepath.Join(dir, "witness")
	if err := os.WriteFile(o.Config.Witness, []byte("0123456789abcdef01234567 40\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "generation 40), and there is none in the database"
	if _, err := New(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("serve: %v", err)
	}
	if k, err := ledger.PostgresKey(t.Context(), dsn); err != nil || k.Ledger != "" {
		t.Errorf("a ledger was left: %+v, %v", k, err)
	}
	if faults := Check(t.Context(), o, true); len(faults) != 1 || !strings.Contains(faults[0].Error(), want) {
		t.Errorf("check --online: %v", faults)
	}
	if faults := Check(t.Context(), o, false); len(faults) > 0 {
		t.Errorf("the check that asks nobody: %v", faults)
	}
	if err := os.Remove(o.Config.Witness); err != nil {
		t.Fatal(err)
	}
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.guard.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed(t, g)
	if faults := Check(t.Context(), o, true); len(faults) > 0 {
		t.Errorf("with its own witness: %v", faults)
	}
	if err := os.WriteFile(o.Config.Witness, []byte("0123456789abcdef01234567 40\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if faults := Check(t.Context(), o, true); len(faults) != 1 || !strings.Contains(faults[0].Error(), "of another ledger") {
		t.Errorf("with another's: %v", faults)
	}
}
