package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/audience"
	"loa/gateway/delivery"
)

var errOwn = errors.New("this deed fails")

// plug keeps the writer busy until it is pulled, so that what is submitted
// meanwhile is committed as one group.
func plug(t *testing.T, l *Ledger) (pull func()) {
	t.Helper()
	in, out, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- l.db.write(context.Background(), acts, func(tx) error {
			close(in)
			<-out
			return nil
		})
	}()
	<-in
	return func() {
		close(out)
		must(t, <-done)
	}
}

// waiting counts deeds in the writer's first lane.
func waiting(t *testing.T, l *Ledger, n int) {
	t.Helper()
	w := l.db.(*lite).w
	for deadline := time.Now().Add(10 * time.Second); len(w.urgent) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d deeds wait, want %d", len(w.urgent), n)
		}
	}
}

func TestOneFailingDeedDoesNotUndoTheOthers(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	approve(t, l, "a1")
	id := cut(t, l, "a1", batch("a1", 1, 10))[0]
	fence := claim(t, l, noon, id)[0].Fence
	pull := plug(t, l)
	const deeds = 10
	errs := make([]error, deeds)
	var wg sync.WaitGroup
	for i := range deeds {
		wg.Go(func() {
			s := delivery.Step{Batch: id, Fence: fence, Start: []int{i}}
			if i%2 == 1 {
				// The second recipient does not exist: the step fails after the
				// first has been settled in memory.
				s.Settle = []delivery.Delta{{Index: i, Outcome: channels.Delivered}, {Index: 99}}
			}
			_, errs[i] = l.Delivery().Advance(context.Background(), noon, []delivery.Step{s})
		})
	}
	waiting(t, l, deeds)
	pull()
	wg.Wait()
	for i, err := range errs {
		if unknown := new(UnknownBatchError); (i%2 == 1) != errors.As(err, &unknown) {
			t.Errorf("deed %d: %v", i, err)
		}
	}
	advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Return: true})
	lease := claim(t, l, noon, id)[0]
	for i, m := range lease.Marks {
		want := channels.Ambiguous // started, and left sending by the return
		if i%2 == 1 {
			want = channels.Pending
		}
		if m.Outcome() != want {
			t.Errorf("recipient %d is %s, want %s", i, m.Outcome(), want)
		}
	}
}

func TestWithdrawnDeedIsNotDone(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	pull := plug(t, l)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := l.Audience().Add(ctx, noon, people(1, 1))
		done <- err
	}()
	waiting(t, l, 1)
	cancel(errOwn)
	if err := <-done; !errors.Is(err, errOwn) {
		t.Errorf("withdrawn: %v", err)
	}
	pull()
	if n := got(l.Audience().Snapshot(t.Context()))(t); n != 0 {
		t.Errorf("snapshot %d after a withdrawn deed", n)
	}
}

func TestClosedLedgerSaysSo(t *testing.T) {
	t.Parallel()
	l, err := OpenSQLite(t.Context(), t.TempDir()+"/loa.db", Options{})
	must(t, err)
	must(t, l.Close())
	if _, err := l.Audience().Add(t.Context(), noon, people(1, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestFullDisk fills the database to the page. Whoever was told that a write
// is done finds it; whoever got an error finds nothing of it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/loa.db"
	l, err := OpenSQLite(t.Context(), path, Options{maxPages: 80})
	must(t, err)
	var mu sync.Mutex
	stored, failed := map[int64]bool{}, 0
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 40 {
				ids, err := l.Audience().Add(context.Background(), noon, people(1+1000*w+10*i, 10))
				mu.Lock()
				if err != nil {
					failed++
					if !strings.Contains(err.Error(), "full") {
						t.Errorf("the error does not say that the disk is full: %v", err)
					}
				}
				for _, id := range ids {
					stored[id] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed == 0 || len(stored) == 0 {
		t.Fatalf("%d failed, %d stored: the disk did not fill up", failed, len(stored))
	}
	must(t, l.Close())

	l = openAt(t, path, Options{})
	ids := got(l.Audience().Page(t.Context(), audience.Query{Kind: channels.SMS, Commune: "06649", Language: "vi", Upto: 1 << 40}, 0, 1<<20))(t)
	for _, id := range ids {
		if !stored[id] {
			t.Errorf("endpoint %d is there, its writer was told that it is not", id)
		}
	}
	if len(ids) != len(stored) {
		t.Errorf("%d endpoints, want %d", len(ids), len(stored))
	}
	if _, err := l.Audience().Add(t.Context(), noon, people(900000, 1)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// people are n phones in one cell, told apart by their lookup hashes.
func people(first, n int) []audience.Sealed {
	es := make([]audience.Sealed, n)
	for i := range es {
		es[i] = audience.Sealed{
			Endpoint: audience.Endpoint{Kind: channels.SMS, Commune: "06649", Language: "vi", Basis: audience.Consent, ConsentText: "v1", ConsentAt: noon},
			Cipher:   fmt.Appendf(nil, "nonce-and-sealed-address-%08d-", first+i),
		}
		copy(es[i].Lookup[:], fmt.Sprintf("%016d", first+i))
	}
	return es
}
