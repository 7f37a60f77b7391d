package audience_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/ledger"
)

var start = time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)

// openBook also returns what closes its ledger, once.
func openBook(t *testing.T, path string) (*audience.Book, func() error) {
	t.Helper()
	l, err := ledger.OpenSQLite(t.Context(), path, ledger.Options{Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	closed := sync.OnceValue(l.Close)
	t.Cleanup(func() { _ = closed() })
	v, err := audience.NewVault(bytes.Repeat([]byte{7}, audience.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	return &audience.Book{Store: l.Audience(), Vault: v}, closed
}

// file is a subscriber file of n numbers from the first on.
func file(first, n int) string {
	var b strings.Builder
	b.WriteString("kind,address,commune,basis,consent_text,consent_at\n")
	for i := range n {
		fmt.Fprintf(&b, "sms,09%08d,00001,consent,v1,2026-01-02\n", first+i)
	}
	return b.String()
}

func options() audience.ImportOptions {
	return audience.ImportOptions{Now: start, Source: "test.csv", Valid: func(area.Code) error { return nil }}
}

func heads(t *testing.T, b *audience.Book) int {
	t.Helper()
	h, err := b.HeadCount(t.Context(), []area.Code{"00001"}, false)
	if err != nil {
		t.Fatal(err)
	}
	return h[channels.SMS]
}

// TestImportShowsAllOrNothing reads while an import runs: nobody of it is seen
// until all are.
func TestImportShowsAllOrNothing(t *testing.T) {
	t.Parallel()
	const people = 4500
	b, _ := openBook(t, filepath.Join(t.TempDir(), "loa.db"))
	if _, err := b.Import(t.Context(), strings.NewReader(file(0, 10)), options()); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	seen := make(chan map[int]bool)
	go func() {
		counts := map[int]bool{}
		for last := false; ; last = done.Load() {
			snapshot, err := b.Snapshot(context.Background())
			if err != nil {
				t.Error(err)
			}
			ids, err := b.Page(context.Background(), audience.Query{Kind: channels.SMS, Commune: "00001", Language: "vi", Upto: snapshot}, 0, 10000)
			if err != nil {
				t.Error(err)
			}
			counts[len(ids)] = true
			if last {
				seen <- counts
				return
			}
		}
	}()
	rep, err := b.Import(t.Context(), strings.NewReader(file(5, people)), options())
	done.Store(true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(audience.Report{Rows: people, Added: people - 5, Known: 5}, rep); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[int]bool{10: true, people + 5: true}, <-seen); diff != "" {
		t.Errorf("seen while it ran: %s", diff)
	}
	if n := heads(t, b); n != people+5 {
		t.Errorf("%d in the end", n)
	}
}

func TestAKilledImportIsNeverSeen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "loa.db")
	b, kill := openBook(t, path)
	r, w := io.Pipe()
	staged := make(chan struct{})
	opt := options()
	opt.Progress = func(int, int64) {
		select {
		case staged <- struct{}{}:
		default:
		}
	}
	ended := make(chan error, 1)
	go func() {
		_, err := b.Import(context.Background(), r, opt)
		ended <- err
	}()
	go func() { _, _ = io.WriteString(w, file(0, 2500)) }()
	<-staged
	if err := kill(); err != nil {
		t.Fatal(err)
	}
	cut := errors.New("cut off")
	_ = w.CloseWithError(cut)
	if err := <-ended; err == nil {
		t.Error("an import without a ledger succeeded")
	}
	b, _ = openBook(t, path)
	if n := heads(t, b); n != 0 {
		t.Errorf("%d are seen of an import that was killed", n)
	}
	id, err := b.Find(t.Context(), channels.SMS, "0900000001")
	if err != nil || id != 0 {
		t.Errorf("found %d of an import that was killed: %v", id, err)
	}
}

func TestImportedPeopleAreOpenedAndFound(t *testing.T) {
	t.Parallel()
	b, _ := openBook(t, filepath.Join(t.TempDir(), "loa.db"))
	if _, err := b.Import(t.Context(), strings.NewReader(file(0, 1500)), options()); err != nil {
		t.Fatal(err)
	}
	snapshot, err := b.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids, err := b.Page(t.Context(), audience.Query{Kind: channels.SMS, Commune: "00001", Language: "vi", Upto: snapshot}, 0, 2000)
	if err != nil || len(ids) != 1500 {
		t.Fatalf("%d, %v", len(ids), err)
	}
	opened, err := b.Open(t.Context(), channels.SMS, "00001", "vi", append(ids, 999999))
	if err != nil || opened[1500] != "" {
		t.Fatal(err)
	}
	for i := 0; i < 1500; i += 100 {
		if want := fmt.Sprintf("+849%08d", i); opened[i].Reveal() != want {
			t.Errorf("endpoint %d opens to another address", ids[i])
		}
		if id, err := b.Find(t.Context(), channels.SMS, opened[i]); err != nil || id != ids[i] {
			t.Errorf("Find: %d, %v; want %d", id, err, ids[i])
		}
	}
	if err := b.Store.Erase(t.Context(), ids[:1]); err != nil {
		t.Fatal(err)
	}
	if opened, err := b.Open(t.Context(), channels.SMS, "00001", "vi", ids[:2]); err != nil || opened[0] != "" || opened[1] == "" {
		t.Errorf("after erasing: %v", err)
	}
}
