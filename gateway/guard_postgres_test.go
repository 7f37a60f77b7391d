package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/audience"
	"loa/gateway/audit"
	"loa/gateway/ledger"
	"loa/gateway/ledger/postgrestest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postgrestest.Stop()
	os.Exit(code)
}

// bothLedgers plays a story on SQLite, and on a PostgreSQL database of its own.
func bothLedgers(t *testing.T, story func(t *testing.T, postgres channels.Secret)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		story(t, "")
	})
	t.Run("postgresql", func(t *testing.T) {
		t.Parallel()
		story(t, channels.Secret(postgrestest.Shared(t).Database(t)))
	})
}

// onPostgres opens a gateway on a database, with a data folder of its own.
func onPostgres(t *testing.T, dsn string, change func(*Options)) (*Gateway, error) {
	t.Helper()
	o := muteOptions(t, filepath.Join(t.TempDir(), "data"))
	o.Config.Ledger.Postgres = channels.Secret(dsn)
	o.Config.Keys.Master = otherKey
	if change != nil {
		change(&o)
	}
	return New(t.Context(), o)
}

func got[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// A dump that is restored starts on hold whatever stands beside it: nothing, a
// witness that has seen more, a witness of the same moment. What it says does
// not depend on it; the generation after the release does.
func TestRestoredDumpStartsOnHold(t *testing.T) {
	t.Parallel()
	s := postgrestest.Shared(t)
	dsn := s.Database(t)
	now := time.Now()
	witness := filepath.Join(t.TempDir(), "witness")
	beside := func(o *Options) {
		o.Config.Witness, o.Now = witness, func() time.Time { return now }
	}
	g := got(onPostgres(t, dsn, beside))(t)
	round := func(g *Gateway) {
		t.Helper()
		if err := g.guard.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	round(g)
	inForce(t, g, "a1", nil)
	if _, err := s.Run("pg_dump", "--format=custom", "--file=gateway.dump", dsn); err != nil {
		t.Fatal(err)
	}
	now = now.Add(bumpEvery)
	round(g)
	inForce(t, g, "a2", nil) // and was sent, for all that the dump knows
	closed(t, g)

	for name, c := range map[string]struct {
		into   string
		change func(*Options)
	}{
		"alone":               {s.Database(t), nil},
		"with the witness":    {s.Database(t), beside},
		"in place, and so on": {dsn, beside},
	} {
		args := []string{"--exit-on-error", "--dbname=" + c.into, "gateway.dump"}
		if c.into == dsn {
			args = append([]string{"--clean", "--if-exists"}, args...)
		}
		if _, err := s.Run("pg_restore", args...); err != nil {
			t.Fatal(err)
		}
		g := got(onPostgres(t, c.into, c.change))(t)
		round(g)
		state := generation(t, g)
		if state.Held.IsZero() || state.Why != ledger.HoldCopy || state.Generation != 1 || !g.guard.held.Load() {
			t.Errorf("%s: %+v", name, state)
		}
		if x := holdPart(t, g); !strings.Contains(x.Text, "restored or moved") {
			t.Errorf("%s: it says %q", name, x.Text)
		}
		if _, r := askReady(t, g); len(r.Degraded) == 0 || r.Degraded[0].Part != "hold" {
			t.Errorf("%s: readiness %+v", name, r)
		}
		closed(t, g)
	}
}

// The tools of the database back it up: the gateway says so, with their names.
func TestBackupOfPostgres(t *testing.T) {
	t.Parallel()
	g := got(onPostgres(t, postgrestest.Shared(t).Database(t), nil))(t)
	defer closed(t, g)
	file := filepath.Join(t.TempDir(), "loa.db")
	if _, err := g.Backup(t.Context(), file); !errors.Is(err, ErrPostgres) {
		t.Errorf("backup: %v", err)
	}
	for name, restore := range map[string]func() error{
		"check":   func() error { _, err := CheckBackup(t.Context(), g.cfg, file); return err },
		"restore": func() error { _, err := Restore(t.Context(), g.cfg, file); return err },
	} {
		if err := restore(); !errors.Is(err, ErrPostgres) || !strings.Contains(err.Error(), "pg_restore") || !strings.Contains(err.Error(), "loa hold status") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := httptest.NewRecorder()
	g.localHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/backup", strings.NewReader(fmt.Sprintf(`{"file":%q}`, file))))
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "pg_dump") {
		t.Errorf("over the socket: %d %s", w.Code, w.Body)
	}
	if left, err := filepath.Glob(file + "*"); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// The key of a ledger in PostgreSQL is changed while no node uses it, wherever
// that runs; the nodes then start with the new key alone, and reach everybody.
func TestRotateOnPostgres(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Shared(t).Database(t)
	g := got(onPostgres(t, dsn, nil))(t)
	other := got(onPostgres(t, dsn, nil))(t)
	const people = 700
	es := make([]audience.Endpoint, people)
	number := func(i int) channels.Address { return channels.Address(fmt.Sprintf("+8491%07d", i)) }
	for i := range es {
		es[i] = audience.Endpoint{Kind: channels.SMS, Commune: "07192", Language: "vi", Basis: audience.Duty, Address: number(i)}
	}
	ids, err := g.Audience.Add(t.Context(), time.Now(), es)
	if err != nil {
		t.Fatal(err)
	}
	fresh := channels.Secret(base64.StdEncoding.EncodeToString([]byte("vutsrqponmlkjihgfedcba9876543210")))
	closed(t, g)
	if _, err := RotateKeys(t.Context(), g.cfg, fresh); !errors.Is(err, ErrLedgerInUse) {
		t.Errorf("beside another node: %v", err)
	}
	closed(t, other)
	if r, err := RotateKeys(t.Context(), g.cfg, fresh); err != nil || r.Old == "" || r != (Rotated{Resealed: people, Old: r.Old}) {
		t.Fatalf("%+v, %v", r, err)
	}
	o := other.opt
	check := func(online bool) Findings { return examined(t, o, online) }
	if _, err := New(t.Context(), o); !errors.Is(err, ErrOtherKey) {
		t.Errorf("with the old key: %v", err)
	}
	if found := check(true); len(found.Faults) != 1 || !errors.Is(found.Faults[0], ErrOtherKey) {
		t.Errorf("the check with the old key: %v", found)
	}
	o.Config.Keys.Master = fresh
	if found := check(true); len(found.Faults) > 0 {
		t.Errorf("the check with the new key: %v", found)
	}
	if found := check(false); len(found.Faults) > 0 || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "--online") {
		t.Errorf("the check that asks nobody: %v", found)
	}
	g = got(New(t.Context(), o))(t)
	defer closed(t, g)
	open, err := g.Audience.Open(t.Context(), channels.SMS, "07192", "vi", ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range open {
		if a != number(i) {
			t.Fatalf("endpoint %d opens as another address", ids[i])
		}
	}
	if id, err := g.Audience.Find(t.Context(), channels.SMS, number(people-1)); err != nil || id != ids[people-1] {
		t.Errorf("found %d, %v", id, err)
	}
}

// A gateway ends when the key of its ledger is changed under it, for whatever
// reason that was possible.
func TestKeyChangedUnderAGateway(t *testing.T) {
	t.Parallel()
	g := got(onPostgres(t, postgrestest.Shared(t).Database(t), nil))(t)
	defer closed(t, g)
	if err := g.guard.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.ledger.Rekey(t.Context(), g.guard.key, "another", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := g.guard.run(ctx); !errors.Is(err, ErrRotating) {
		t.Errorf("while it is changed: %v", err)
	}
	if err := g.ledger.FinishRekey(t.Context(), "another", []byte{1}, time.Now(), audit.Record{At: time.Now(), Actor: "system", Act: audit.ActRotate, Object: "ledger/test"}); err != nil {
		t.Fatal(err)
	}
	if err := g.guard.run(ctx); !errors.Is(err, ErrOtherKey) {
		t.Errorf("when it was changed: %v", err)
	}
}
