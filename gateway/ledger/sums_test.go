package ledger

import (
	"database/sql"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// filled makes a ledger of some pages and closes it.
func filled(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "loa.db")
	l, err := OpenSQLite(t.Context(), path, Options{})
	must(t, err)
	_, err = l.Audience().Add(t.Context(), noon, people(1, n))
	must(t, err)
	must(t, l.Close())
	return path
}

// flip changes one byte of a file, and back.
func flip(t *testing.T, path string, at int64) (back func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	must(t, err)
	put := func(c byte) {
		_, err := f.WriteAt([]byte{c}, at)
		must(t, err)
	}
	put(b[0] ^ 0x40)
	return func() { put(b[0]); must(t, f.Close()) }
}

func TestOneChangedByteInAnyPageIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	path := filled(t, 2000)
	info, err := os.Stat(path)
	must(t, err)
	pages := info.Size() / 4096
	if pages < 100 {
		t.Fatalf("only %d pages", pages)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for page := range pages {
		back := flip(t, path, page*4096+random.Int64N(4096))
		if _, err := OpenSQLite(t.Context(), path, Options{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("page %d: %v", page+1, err)
		}
		back()
	}
	must(t, openAt(t, path, Options{}).Probe(t.Context()))
}

func TestAShortenedFileIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	path := filled(t, 500)
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, info.Size()-4096))
	if _, err := OpenSQLite(t.Context(), path, Options{}); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

// Sums that are missing or damaged themselves are made anew from a file whose
// structure is sound.
func TestSumsAreMadeAnew(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, sums string){
		"missing":   func(t *testing.T, sums string) { must(t, os.Remove(sums)) },
		"an entry":  func(t *testing.T, sums string) { flip(t, sums, sumsHead+3*sumsEntry+5)() },
		"the head":  func(t *testing.T, sums string) { flip(t, sums, 1) },
		"one entry": func(t *testing.T, sums string) { flip(t, sums, sumsHead+3*sumsEntry+5) },
		"cut short": func(t *testing.T, sums string) { must(t, os.Truncate(sums, sumsHead+10*sumsEntry+3)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filled(t, 500)
			harm(t, SumsPath(path))
			l, err := OpenSQLite(t.Context(), path, Options{})
			must(t, err)
			must(t, l.Close())
			back := flip(t, path, 7*4096+99)
			if _, err := OpenSQLite(t.Context(), path, Options{}); !errors.Is(err, ErrCorrupt) {
				t.Errorf("after that a changed byte: %v", err)
			}
			back()
		})
	}
}

// Another program that opens the file after a crash folds the log into it. The
// refusal says what to do, and that helps.
func TestAnotherProgramFoldedTheLog(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	d := l.db.(*lite)
	fill := fills(t, l)
	d.c.stop()
	must(t, d.c.settled(t.Context()))
	fill(20)
	crashed := t.TempDir()
	must(t, os.CopyFS(crashed, os.DirFS(filepath.Dir(d.path))))
	path := filepath.Join(crashed, filepath.Base(d.path))
	other, err := sql.Open("sqlite", path)
	must(t, err)
	var n int
	must(t, errors.Join(other.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM filler").Scan(&n), other.Close()))
	_, err = OpenSQLite(t.Context(), path, Options{})
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "delete "+SumsPath(path)) || !strings.Contains(err.Error(), "loa restore") {
		t.Fatal(err)
	}
	must(t, os.Remove(SumsPath(path)))
	must(t, openAt(t, path, Options{}).Probe(t.Context()))
}

// A file without sums whose structure is not sound is refused.
func TestDamageWithoutSums(t *testing.T) {
	t.Parallel()
	path := filled(t, 2000)
	must(t, os.Remove(SumsPath(path)))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 100*4096), 30*4096)
	must(t, errors.Join(err, f.Close()))
	if _, err := OpenSQLite(t.Context(), path, Options{}); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

// TestDamageWhileItRuns has the background find a page that changed, and then
// nothing is written any more.
func TestDamageWhileItRuns(t *testing.T) {
	t.Parallel()
	path := filled(t, 500)
	l, err := OpenSQLite(t.Context(), path, Options{ScrubEvery: time.Millisecond})
	must(t, err)
	must(t, l.Probe(t.Context()))
	d := l.db.(*lite)
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("waiting for " + what)
			}
		}
	}
	until("the file to be read", func() bool { return d.scrubbed.Load() >= 2 })
	must(t, d.latch.closed())
	back := flip(t, path, 20*4096+1)
	defer back()
	until("the damage to be found", func() bool { return d.latch.closed() != nil })
	if err := l.Probe(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a write on a damaged file: %v", err)
	}
	if l.Close() == nil {
		t.Error("a damaged file was folded")
	}
}

// fills returns what writes a row of so many pages, over the one before.
func fills(t *testing.T, l *Ledger) func(pages int) {
	t.Helper()
	put := func(q string, args ...any) {
		t.Helper()
		must(t, l.db.write(t.Context(), acts, func(x tx) error { _, err := x.exec(q, args...); return err }))
	}
	l.work.Wait() // what a start does in the background
	put("CREATE TABLE filler (id INTEGER PRIMARY KEY, b BLOB)")
	return func(pages int) {
		t.Helper()
		put("INSERT OR REPLACE INTO filler VALUES (1, randomblob(4096 * ?))", pages)
	}
}

// A page that changed again behind a reader is not copied, and keeps the sum it
// had.
func TestSumsOfPagesThatChangedAgain(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	d := l.db.(*lite)
	fill := fills(t, l)
	fill(20)
	must(t, d.c.settled(t.Context()))
	fill(20)
	must(t, l.db.read(t.Context(), func(x tx) error {
		var n int
		if _, err := one(x, "SELECT COUNT(*) FROM sqlite_schema", nil, &n); err != nil {
			return err
		}
		fill(10)
		frames, moved, err := d.c.fold(t.Context())
		if err == nil && (moved == 0 || moved == frames) {
			t.Errorf("%d of %d frames were copied, want some", moved, frames)
		}
		sound(t, d)
		return err
	}))
	must(t, d.c.settled(t.Context()))
	sound(t, d)
}

// A log that starts anew when a pass begins is not taken for the one before.
func TestSumsOfALogThatStartsAnew(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	d := l.db.(*lite)
	fill := fills(t, l)
	d.c.stop()
	fill(100)
	fill(100) // what it overwrites stands in the log too
	must(t, d.c.settled(t.Context()))
	first := d.sums.folded
	d.c.folding.Lock()
	_, moved, err := d.sums.fold(func() error {
		fill(20)
		return d.c.hold(t.Context())
	}, func() (frames, moved int, err error) {
		var busy int
		err = d.c.conn.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &moved)
		return frames, moved, err
	})
	must(t, errors.Join(err, d.c.release(t.Context())))
	d.c.folding.Unlock()
	if moved == 0 || moved >= first {
		t.Errorf("the new log has %d frames, the one before had %d", moved, first)
	}
	sound(t, d)
}

// sound fails if a page of the file does not have its sum.
func sound(t *testing.T, d *lite) {
	t.Helper()
	for from, more := 0, true; more; from += patrolPages {
		var err error
		more, err = d.sums.look(from)
		must(t, err)
	}
}

// Sound pages are never taken for damaged: rows come while the file is folded,
// read in the background, and its older copies are overwritten.
func TestSumsFollowTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "loa.db")
	for round := range 3 {
		l, err := OpenSQLite(t.Context(), path, Options{ScrubEvery: time.Millisecond})
		must(t, err)
		d := l.db.(*lite)
		id := got(l.Audience().Begin(t.Context(), noon, "a.csv"))(t)
		must(t, stageMany(t.Context(), l.Audience(), id, round*20_000, 12_000))
		for {
			err := d.scrub(t.Context())
			if err == nil {
				break
			}
			if !errors.Is(err, errBusy) {
				t.Fatal(err)
			}
		}
		must(t, l.Audience().Abort(t.Context(), id))
		must(t, d.latch.closed())
		if d.scrubbed.Load() == 0 {
			t.Error("the file was not read")
		}
		must(t, l.Close())
	}
}
