package ledger

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/gateway/ledger/postgrestest"
)

// dumped is a dump of a database, made with the tool of the database.
func dumped(t *testing.T, s *postgrestest.Server, dsn string) (restore func(into string, more ...string)) {
	t.Helper()
	name := url.PathEscape(t.Name()) + ".dump"
	_, err := s.Run("pg_dump", "--format=custom", "--file="+filepath.Base(name), dsn)
	must(t, err)
	return func(into string, more ...string) {
		t.Helper()
		_, err := s.Run("pg_restore", append(more, "--exit-on-error", "--dbname="+into, filepath.Base(name))...)
		must(t, err)
	}
}

// A dump that is restored, into another database or in place of what it was
// made of, is on hold, though nothing outside of it knows more; the ledger itself
// is not, and the hold ends once for all.
func TestRestoredDumpIsOnHold(t *testing.T) {
	t.Parallel()
	s := postgrestest.Shared(t)
	dsn := s.Database(t)
	opt := Options{Now: func() time.Time { return noon }}
	open := func(dsn string) *Ledger { return got(OpenPostgres(t.Context(), dsn, opt))(t) }
	held := func(l *Ledger) Guard { return got(l.Guard(t.Context()))(t) }

	l := open(dsn)
	approve(t, l, "a1")
	ids := cut(t, l, "a1", batch("a1", 10, 4))
	restore := dumped(t, s, dsn)
	claim(t, l, noon, ids[0])
	must(t, l.Close())
	l = open(dsn)
	must(t, l.Confirm(t.Context()))
	if g := held(l); !g.Held.IsZero() {
		t.Fatalf("opened again: %+v", g)
	}
	must(t, l.Close())

	elsewhere := s.Database(t)
	restore(elsewhere)
	restore(dsn, "--clean", "--if-exists")
	for name, dsn := range map[string]string{"elsewhere": elsewhere, "in place": dsn} {
		l := open(dsn)
		if g := held(l); g.Held.IsZero() || g.Why != HoldCopy {
			t.Fatalf("%s: %+v", name, g)
		}
		if leases := claim(t, l, noon); len(leases) > 0 {
			t.Errorf("%s: %d leases on hold", name, len(leases))
		}
		must(t, l.Close())
		l = open(dsn)
		same(t, name+": records of one hold", 1, count1(t, l, "SELECT COUNT(*) FROM audit WHERE act = 'ledger.hold'"))
		same(t, name+": lifted by one", false, got(l.Release(t.Context(), "p1", 0))(t))
		same(t, name+": lifted", true, got(l.Release(t.Context(), "p2", 0))(t))
		must(t, l.Confirm(t.Context()))
		must(t, l.Close())
		l = open(dsn)
		if g := held(l); !g.Held.IsZero() {
			t.Errorf("%s: after the release %+v", name, g)
		}
		same(t, name+": leases", 1, len(claim(t, l, noon)))
		must(t, l.Close())
	}
}

// What is restored under a ledger that is open is held at the next look.
func TestRestoredUnderOpenLedger(t *testing.T) {
	t.Parallel()
	s := postgrestest.Shared(t)
	dsn := s.Database(t)
	l := openPostgresAt(t, dsn, Options{})
	must(t, l.Confirm(t.Context()))
	restore := dumped(t, s, dsn)
	restore(dsn, "--clean", "--if-exists")
	must(t, l.Confirm(t.Context()))
	if g := got(l.Guard(t.Context()))(t); g.Why != HoldCopy {
		t.Errorf("%+v", g)
	}
}

// A user without privileges knows where the tables are too.
func TestPlaceIsKnownToEveryUser(t *testing.T) {
	t.Parallel()
	s := postgrestest.Shared(t)
	dsn := s.Database(t)
	s.Ask(t, dsn, "DO $$BEGIN CREATE ROLE plain LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$; GRANT ALL ON SCHEMA public TO plain")
	l := openPostgresAt(t, strings.Replace(dsn, "://loa@", "://plain@", 1), Options{})
	if place := got(l.place(t.Context()))(t); strings.Count(place, "/") != 2 {
		t.Errorf("its place is %q", place)
	}
}

// One process has a ledger for itself only while nobody else uses it, notices
// when its lock was lost, and what uses it beside others does too.
func TestAlone(t *testing.T) {
	t.Parallel()
	s := postgrestest.Shared(t)
	dsn := s.Database(t)
	open := func(alone bool) (*Ledger, error) { return OpenPostgres(t.Context(), dsn, Options{Alone: alone}) }
	one, two := got(open(false))(t), got(open(false))(t)
	if _, err := open(true); !errors.Is(err, ErrInUse) {
		t.Errorf("alone beside others: %v", err)
	}
	must(t, two.Close())
	// The connection with the lock is cut: it is taken again, unless somebody
	// was quicker.
	lose := func() {
		const holders = " FROM pg_stat_activity WHERE application_name = 'loa presence' AND datname = current_database()"
		s.Ask(t, dsn, "SELECT pg_terminate_backend(pid)"+holders)
		for end := time.Now().Add(10 * time.Second); s.Ask(t, dsn, "SELECT count(*)"+holders) != "0"; {
			if time.Now().After(end) {
				t.Fatal("the connection with the lock was not cut")
			}
		}
	}
	lose()
	must(t, one.Confirm(t.Context()))
	if _, err := open(true); !errors.Is(err, ErrInUse) {
		t.Errorf("alone beside one whose connection was cut: %v", err)
	}
	lose()
	alone := got(open(true))(t)
	if err := one.Confirm(t.Context()); !errors.Is(err, ErrInUse) {
		t.Errorf("beside one that is alone: %v", err)
	}
	if _, err := open(false); !errors.Is(err, ErrInUse) {
		t.Errorf("opened beside one that is alone: %v", err)
	}
	must(t, alone.Close())
	must(t, one.Confirm(t.Context()))
	must(t, one.Close())
}
