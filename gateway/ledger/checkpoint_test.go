package ledger

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestActsWaitForOneBackgroundCommit has bulk deeds and an act wait together:
// the act is committed first, and by itself.
func TestActsWaitForOneBackgroundCommit(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	w := l.db.(*lite).w
	pull := plug(t, l)
	var bulks, early atomic.Int64
	act := &deed{done: make(chan struct{}), do: func(tx) error {
		early.Store(bulks.Load())
		return nil
	}}
	const n = 3
	done := make(chan error, n)
	for range n {
		go func() {
			done <- l.db.write(context.Background(), bulk, func(tx) error {
				bulks.Add(1)
				select {
				case <-act.done:
				default:
					t.Error("a bulk deed shares a commit with an act")
				}
				return nil
			})
		}()
	}
	w.urgent <- act
	pull()
	for range n {
		must(t, <-done)
	}
	<-act.done
	must(t, act.err)
	if early.Load() != 0 {
		t.Errorf("%d bulk deeds went before the act", early.Load())
	}
}

// TestBulkWorkIsCutShort has an act arrive while rows are being staged: the
// commit ends with what it has, and the rest follows after the act.
func TestBulkWorkIsCutShort(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	w := l.db.(*lite).w
	a := l.Audience()
	id := got(a.Begin(t.Context(), noon, "a.csv"))(t)
	rows := people(1, 1000)
	stride := liteDialect.stride
	act := &deed{done: make(chan struct{}), do: func(tx) error { return nil }}
	n := 0
	must(t, l.db.write(t.Context(), bulk, func(x tx) (err error) {
		w.urgent <- act
		n, err = stage(x, id, rows, ns(noon))
		return err
	}))
	<-act.done
	if n != stride {
		t.Errorf("%d rows were staged while an act waited, want one stride of %d", n, stride)
	}
	must(t, a.Stage(t.Context(), id, rows[n:]))
	added, _, err := a.Flip(t.Context(), id, noon)
	must(t, err)
	same(t, "added", 1000, added)
	same(t, "ids", 1000, len(page(t, l, "06649", 1<<40)))
}

// TestActsDoNotStarveBulkWork keeps the lane of acts full.
func TestActsDoNotStarveBulkWork(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	w := l.db.(*lite).w
	var ran atomic.Bool
	const most = 100 * bulkAfter * groupActs
	var after int // acts before the bulk deed
	bulked := make(chan error, 1)
	// Each act puts the next one into the lane before it is done.
	var next func(tx) error
	var acts int
	next = func(tx) error {
		if acts++; !ran.Load() && acts < most {
			w.urgent <- &deed{done: make(chan struct{}), do: next}
		}
		if acts == 1 {
			go func() {
				bulked <- l.db.write(context.Background(), bulk, func(tx) error {
					ran.Store(true)
					after = acts
					return nil
				})
			}()
		}
		return nil
	}
	w.urgent <- &deed{done: make(chan struct{}), do: next}
	must(t, <-bulked)
	if after >= most {
		t.Error("the bulk deed had to wait until no act was left")
	}
}

// TestLogIsFoldedBesideTheWriter has the log copied into the file in the
// middle of a write, and keeps it short while rows come without a pause.
func TestLogIsFoldedBesideTheWriter(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	d := l.db.(*lite)
	must(t, l.db.write(t.Context(), acts, func(x tx) error {
		var auto int
		_, err := one(x, "PRAGMA wal_autocheckpoint", nil, &auto)
		same(t, "pages after which the writer folds the log itself", 0, auto)
		return err
	}))
	got(l.Audience().Add(t.Context(), noon, people(1, 500)))(t)
	pull := plug(t, l)
	passes := d.c.passes.Load()
	d.c.every.Store(0)
	d.c.committed(acts)
	for deadline := time.Now().Add(10 * time.Second); d.c.passes.Load() == passes; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no pass while the writer writes")
		}
	}
	pull()

	id := got(l.Audience().Begin(t.Context(), noon, "a.csv"))(t)
	rows := 60_000
	if raceEnabled {
		rows = 20_000
	}
	must(t, stageMany(t.Context(), l.Audience(), id, 0, rows))
	info, err := os.Stat(d.path + "-wal")
	must(t, err)
	if limit := int64(3 * restartPages * 4096); info.Size() > limit {
		t.Errorf("the log has %d bytes, more than %d", info.Size(), limit)
	}
}

// TestPassesTakeTurns has a scrub's passes and the background's meet.
func TestPassesTakeTurns(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	c := l.db.(*lite).c
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for range 50 {
				if _, err := c.pass(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	if c.pinned {
		t.Error("the log is still pinned")
	}
}
