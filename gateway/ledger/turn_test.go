package ledger

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// While an erasure waits for a reader, a pass may wait for the erasure: a test's
// own time must go on, or it would never end.
func TestTimeGoesOnWhileAReaderIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "loa.db")
	synctest.Test(t, func(t *testing.T) {
		l := got(OpenSQLite(context.WithoutCancel(t.Context()), path, Options{ScrubEvery: time.Hour}))(t)
		d := l.db.(*lite)
		// A reader is in the way only of what it read from the log.
		d.c.folding.Lock()
		got(l.Audience().Begin(t.Context(), noon, "a.csv"))(t)
		reader := <-d.readers
		exec := func(q string) {
			t.Helper()
			if _, err := reader.conn.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		exec("BEGIN")
		exec("SELECT COUNT(*) FROM sqlite_schema")
		d.c.folding.Unlock()
		began := time.Now()
		scrubbed, passed := make(chan error, 1), make(chan error, 1)
		go func() { scrubbed <- d.scrub(t.Context()) }()
		synctest.Wait()
		go func() {
			_, err := d.c.pass()
			passed <- err
		}()
		if err := <-scrubbed; !errors.Is(err, errBusy) {
			t.Errorf("an erasure beside a reader: %v", err)
		}
		if err := <-passed; err != nil {
			t.Error(err)
		}
		if time.Since(began) == 0 {
			t.Error("nobody was waited for")
		}
		exec("ROLLBACK")
		d.readers <- reader
		if err := d.scrub(t.Context()); err != nil {
			t.Error(err)
		}
		must(t, l.Close())
	})
}
