package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/delivery"
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

// stageMany stages n rows over the pilot communes, told apart by salt.
func stageMany(ctx context.Context, a audience.Store, id audience.ImportID, salt, n int) error {
	for from := 0; from < n; from += 1000 {
		es := make([]audience.Sealed, min(1000, n-from))
		for i := range es {
			k := from + i
			e := &es[i]
			e.Kind, e.Language, e.Basis, e.ConsentText, e.ConsentAt = channels.SMS, "vi", audience.Consent, "v1", noon
			e.Commune = communeOf(k)
			e.Cipher = make([]byte, 40)
			binary.LittleEndian.PutUint64(e.Cipher, uint64(k))
			// A keyed hash looks random.
			binary.LittleEndian.PutUint64(e.Lookup[:], uint64(k)*0x9e3779b97f4a7c15)
			binary.LittleEndian.PutUint64(e.Lookup[8:], uint64(k+salt*1_000_000_000)+1)
		}
		if err := a.Stage(ctx, id, es); err != nil {
			return err
		}
	}
	return nil
}

const pilot = 168

func communeOf(k int) area.Code {
	n := k % pilot
	return area.Code([]byte{'0', '7', byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

// TestGreatImport imports many rows while batches are claimed: claims go on,
// and all rows become visible at once.
func TestGreatImport(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		n := 100_000
		if _, lite := l.db.(*lite); lite && !testing.Short() && !raceEnabled {
			n = 1_000_000
		}
		approve(t, l, "a1")
		var communes []area.Code
		for k := range pilot {
			communes = append(communes, communeOf(k))
		}
		id := got(l.Audience().Begin(t.Context(), noon, "all.csv"))(t)
		var done atomic.Bool
		staged := make(chan error, 1)
		began := time.Now()
		go func() {
			staged <- stageMany(t.Context(), l.Audience(), id, 0, n)
			done.Store(true)
		}()
		var waits []time.Duration
		for first := int64(1); !done.Load(); first += 100 {
			b := cut(t, l, "a1", batch("a1", first, 10))[0]
			at := time.Now()
			fence := claim(t, l, noon, b)[0].Fence
			waits = append(waits, time.Since(at))
			advance(t, l, noon, delivery.Step{Batch: b, Fence: fence, Return: true})
			if len(waits)%64 == 1 && counted(t, l, communes...) != 0 {
				t.Fatal("a staged row is visible")
			}
			time.Sleep(5 * time.Millisecond)
		}
		must(t, <-staged)
		slices.Sort(waits)
		t.Logf("%d rows in %s; of %d claims meanwhile the median took %s, the 99th percentile %s, the longest %s", n, time.Since(began).Round(time.Millisecond),
			len(waits), waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1])
		began = time.Now()
		added, known, err := l.Audience().Flip(t.Context(), id, noon)
		must(t, err)
		t.Logf("listed and shown in %s", time.Since(began).Round(time.Millisecond))
		same(t, "added, known", []int{n, 0}, []int{added, known})
		same(t, "count", n, counted(t, l, communes...))
	})
}
