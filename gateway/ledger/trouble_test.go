package ledger

import (
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Another program holds the file: whoever comes first waits, the others hear of
// it soon, nothing is written, and afterwards all is well.
func TestLockedByAnotherProgram(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	other, err := sql.Open("sqlite", dsn(l.lite.path, "busy_timeout(10000)"))
	must(t, err)
	defer func() { must(t, other.Close()) }()
	conn, err := other.Conn(t.Context())
	must(t, err)
	defer func() { must(t, conn.Close()) }()
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	must(t, l.lite.w.patience(time.Millisecond))
	for range 2 {
		if _, err := l.Audience().Add(t.Context(), noon, people(1, 1)); !errors.Is(err, ErrLocked) {
			t.Errorf("while it is locked: %v", err)
		}
	}
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)
	must(t, l.lite.w.patience(10*time.Second)) // a pass over the log may hold the file for a moment
	same(t, "written while it was locked", 0, counted(t, l, "06649"))
	must(t, l.Probe(t.Context()))
	must(t, l.Condition().Err)
}

// The reserve is given back when the disk is nearly full or was found full, and
// taken again when there is room for it and some to spare.
func TestBallast(t *testing.T) {
	t.Parallel()
	b := newBallast(t.TempDir(), slog.New(slog.DiscardHandler))
	const mb = 1 << 20
	free, total := int64(0), int64(200*mb)
	b.space = func() (int64, int64, error) { return free, total, nil }
	for i, s := range []struct {
		free      int64
		full      bool
		low, held bool
	}{
		{free: 100 * mb, held: true},
		{free: 11 * mb, held: true},
		{free: 9 * mb, low: true},
		{free: 19 * mb, low: true}, // the reserve itself
		{free: 26 * mb, held: true},
		{free: 100 * mb, full: true, low: true},
		{free: 100 * mb, held: true},
	} {
		free = s.free
		b.step(s.full)
		_, err := os.Stat(b.path)
		if b.low.Load() != s.low || (err == nil) != s.held {
			t.Errorf("step %d: low %v, the reserve: %v", i, b.low.Load(), err)
		}
	}
	info, err := os.Stat(b.path)
	must(t, err)
	same(t, "size", int64(10*mb), info.Size())
}

// A nearly full disk takes no import; what runs goes on.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	l := openAt(t, filepath.Join(t.TempDir(), "loa.db"), Options{Ballast: true})
	must(t, l.Room())
	l.ballast.mu.Lock()
	l.ballast.space = func() (int64, int64, error) { return 1, 1 << 30, nil }
	l.ballast.mu.Unlock()
	l.ballast.step(false)
	if _, err := l.Audience().Begin(t.Context(), noon, "a.csv"); !errors.Is(err, ErrFull) {
		t.Errorf("an import: %v", err)
	}
	if !l.Condition().Low || !errors.Is(l.Room(), ErrFull) {
		t.Errorf("%+v", l.Condition())
	}
	approve(t, l, "a1")
}
