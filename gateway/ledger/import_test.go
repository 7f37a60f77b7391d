package ledger

import (
	"errors"
	"slices"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/audience"
)

func TestImportIsInvisibleUntilTheFlip(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		a := l.Audience()
		old := got(a.Add(t.Context(), noon, people(1, 2)))(t)
		id := got(a.Begin(t.Context(), noon, "phones.csv"))(t)
		if _, err := a.Begin(t.Context(), noon, "other.csv"); !errors.Is(err, audience.ErrImporting) {
			t.Errorf("a second import: %v", err)
		}
		// Known: 1, in another commune now, and 2, as it was. New: 3 to 5; 3
		// comes twice and counts once.
		rows := people(1, 5)
		rows[0].Commune = "06652"
		must(t, a.Stage(t.Context(), id, rows))
		must(t, a.Stage(t.Context(), id, people(3, 1)))
		before := got(a.Snapshot(t.Context()))(t)
		same(t, "page before", old, page(t, l, "06649", 1<<40))
		same(t, "count before", 2, counted(t, l, "06649", "06652"))
		same(t, "find before", int64(0), got(a.Find(t.Context(), channels.SMS, rows[4].Lookup))(t))
		same(t, "ciphers before", [][]byte{nil}, got(a.Ciphers(t.Context(), channels.SMS, "06649", "vi", []int64{3}))(t))

		// The fourth subscribes by itself meanwhile.
		single := got(a.Add(t.Context(), noon, people(4, 1)))(t)[0]
		later := got(a.Snapshot(t.Context()))(t)
		added, known, err := a.Flip(t.Context(), id, noon)
		must(t, err)
		same(t, "added, known", []int{2, 3}, []int{added, known})
		same(t, "page of the snapshot before", old[1:], page(t, l, "06649", before))
		same(t, "page of the later snapshot", []int64{old[1], single}, page(t, l, "06649", later))
		now := got(a.Snapshot(t.Context()))(t)
		all := page(t, l, "06649", now)
		if len(all) != 4 || !slices.Contains(all, single) {
			t.Errorf("page after: %v", all)
		}
		same(t, "page of the commune moved to", old[:1], page(t, l, "06652", now))
		same(t, "count after", 4, counted(t, l, "06649"))
		same(t, "count of the commune moved to", 1, counted(t, l, "06652"))
		if f := got(a.Find(t.Context(), channels.SMS, rows[4].Lookup))(t); !slices.Contains(all, f) {
			t.Errorf("find after: %d is not among %v", f, all)
		}
		if err := a.Stage(t.Context(), id, people(9, 1)); err == nil {
			t.Error("staged after the flip")
		}
		if _, _, err := a.Flip(t.Context(), id, noon); err == nil {
			t.Error("flipped twice")
		}
	})
}

func TestAbortedImportLeavesNothing(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		a := l.Audience()
		id := got(a.Begin(t.Context(), noon, "wrong.csv"))(t)
		for i := range 3 {
			must(t, a.Stage(t.Context(), id, people(1+1000*i, 1000)))
		}
		must(t, a.Abort(t.Context(), id))
		// The same addresses again, while the old rows are being deleted.
		again := got(a.Begin(t.Context(), noon, "right.csv"))(t)
		must(t, a.Stage(t.Context(), again, people(1, 500)))
		got(a.Add(t.Context(), noon, people(2001, 1)))(t)
		added, known, err := a.Flip(t.Context(), again, noon)
		must(t, err)
		same(t, "added, known", []int{500, 0}, []int{added, known})
		same(t, "count", 501, counted(t, l, "06649"))
		left := func() (n int) {
			must(t, l.db.read(t.Context(), func(x tx) error {
				_, err := one(x, "SELECT (SELECT COUNT(*) FROM endpoint) + (SELECT COUNT(*) FROM import WHERE state = 'dropped')", nil, &n)
				return err
			}))
			return n
		}
		for deadline := time.Now().Add(30 * time.Second); left() != 501; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d rows are left, want 501", left())
			}
		}
		same(t, "count after deletion", 501, counted(t, l, "06649"))
	})
}

func TestStaleImportGivesWay(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{Now: func() time.Time { return noon }})
		a := l.Audience()
		id := got(a.Begin(t.Context(), noon, "forgotten.csv"))(t)
		must(t, a.Stage(t.Context(), id, people(1, 1)))
		if _, err := a.Begin(t.Context(), noon.Add(staleImport-1), "b.csv"); !errors.Is(err, audience.ErrImporting) {
			t.Errorf("too early: %v", err)
		}
		got(a.Begin(t.Context(), noon.Add(staleImport), "b.csv"))(t)
		if err := a.Stage(t.Context(), id, people(2, 1)); err == nil {
			t.Error("staged into an import that was given up")
		}
	})
}

// TestInterruptedImport ends the process at two bad moments: before the flip,
// and between the flip and the moves of the known.
func TestInterruptedImport(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/loa.db"
	l := openAt(t, path, Options{})
	got(l.Audience().Add(t.Context(), noon, people(1, 2)))(t)
	id := got(l.Audience().Begin(t.Context(), noon, "a.csv"))(t)
	must(t, l.Audience().Stage(t.Context(), id, people(3, 2)))
	must(t, l.Close())

	l = openAt(t, path, Options{})
	same(t, "count", 2, counted(t, l, "06649"))
	if _, _, err := l.Audience().Flip(t.Context(), id, noon); err == nil {
		t.Error("an import of an earlier process was flipped")
	}
	id = got(l.Audience().Begin(t.Context(), noon, "b.csv"))(t)
	rows := people(1, 2)
	rows[0].Commune = "06652"
	must(t, l.Audience().Stage(t.Context(), id, rows))
	must(t, audienceStore{l}.list(t.Context(), id))
	must(t, l.db.write(t.Context(), acts, func(x tx) error {
		_, err := x.exec("UPDATE import SET state = 'shown', seq = 99 WHERE id = ?", int64(id))
		return err
	}))
	must(t, l.Close())

	l = openAt(t, path, Options{})
	same(t, "commune left", 1, counted(t, l, "06649"))
	same(t, "commune moved to", 1, counted(t, l, "06652"))
}
