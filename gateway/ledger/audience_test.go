package ledger

import (
	"bytes"
	"os"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/delivery"
)

func page(t *testing.T, l *Ledger, commune area.Code, upto int64) []int64 {
	t.Helper()
	q := audience.Query{Kind: channels.SMS, Commune: commune, Language: "vi", Upto: upto}
	var all []int64
	for {
		after := int64(0)
		if len(all) > 0 {
			after = all[len(all)-1]
		}
		ids := got(l.Audience().Page(t.Context(), q, after, 2))(t)
		if len(ids) == 0 {
			return all
		}
		all = append(all, ids...)
	}
}

func counted(t *testing.T, l *Ledger, communes ...area.Code) int {
	t.Helper()
	n := 0
	for _, c := range got(l.Audience().Counts(t.Context(), communes, false))(t) {
		n += c.Total
	}
	return n
}

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAddedEndpoints(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		a := l.Audience()
		es := people(1, 5)
		es[4].Roster = true
		ids := got(a.Add(t.Context(), noon, es))(t)
		same(t, "ids", []int64{1, 2, 3, 4, 5}, ids)
		snapshot := got(a.Snapshot(t.Context()))(t)
		more := got(a.Add(t.Context(), noon, people(6, 1)))(t)
		same(t, "page of the snapshot", ids, page(t, l, "06649", snapshot))
		same(t, "page of another commune", nil, page(t, l, "06652", 1<<40))
		same(t, "page of no snapshot", nil, page(t, l, "06649", 0))
		roster := audience.Query{Kind: channels.SMS, Commune: "06649", Language: "vi", Upto: 1 << 40, Roster: true}
		same(t, "roster", []int64{5}, got(a.Page(t.Context(), roster, 0, 10))(t))
		same(t, "roster count", []audience.Count{{Kind: channels.SMS, Commune: "06649", Language: "vi", Total: 1}}, got(a.Counts(t.Context(), []area.Code{"06649", "06652"}, true))(t))
		same(t, "no communes", nil, got(a.Counts(t.Context(), nil, false))(t))

		// The same address again, in another commune: its id stays.
		moved := people(2, 1)
		moved[0].Commune, moved[0].Cipher = "06652", []byte("sealed anew")
		same(t, "id of a known address", []int64{2}, got(a.Add(t.Context(), noon, moved))(t))
		same(t, "page it left", []int64{1, 3, 4, 5, 6}, page(t, l, "06649", 1<<40))
		same(t, "page it came to", []int64{2}, page(t, l, "06652", 1<<40))
		same(t, "count it left", 5, counted(t, l, "06649"))
		same(t, "count it came to", 1, counted(t, l, "06652"))

		// A worker still looks where the batch was cut.
		want := [][]byte{es[0].Cipher, []byte("sealed anew"), nil, people(6, 1)[0].Cipher}
		same(t, "ciphers", want, got(a.Ciphers(t.Context(), channels.SMS, "06649", "vi", []int64{1, 2, 77, more[0]}))(t))
		same(t, "ciphers of another kind", [][]byte{nil}, got(a.Ciphers(t.Context(), channels.App, "06649", "vi", []int64{1}))(t))
		same(t, "find", int64(2), got(a.Find(t.Context(), channels.SMS, moved[0].Lookup))(t))
		same(t, "find by another kind", int64(0), got(a.Find(t.Context(), channels.App, moved[0].Lookup))(t))
	})
}

func TestRetiredEndpoints(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		a := l.Audience()
		es := people(1, 3)
		got(a.Add(t.Context(), noon, es))(t)
		must(t, a.Retire(t.Context(), []int64{2, 99}, noon, "wish"))
		must(t, a.Retire(t.Context(), []int64{2}, noon, "again"))
		same(t, "page", []int64{1, 3}, page(t, l, "06649", 1<<40))
		same(t, "count", 2, counted(t, l, "06649"))
		same(t, "find", int64(0), got(a.Find(t.Context(), channels.SMS, es[1].Lookup))(t))
		same(t, "ciphers", [][]byte{nil, es[2].Cipher}, got(a.Ciphers(t.Context(), channels.SMS, "06649", "vi", []int64{2, 3}))(t))
		same(t, "the address again", []int64{4}, got(a.Add(t.Context(), noon, es[1:2]))(t))
		same(t, "count after", 3, counted(t, l, "06649"))
	})
}

func TestRetiringDeltaRetiresTheEndpoint(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		got(l.Audience().Add(t.Context(), noon, people(1, 3)))(t)
		approve(t, l, "a1")
		b := batch("a1", 1, 1)
		b.Recipients = []int64{1, 2, 3}
		id := cut(t, l, "a1", b)[0]
		fence := claim(t, l, noon)[0].Fence
		advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Start: []int{0, 1, 2}})
		advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Settle: []delivery.Delta{{Index: 1, Attempt: 1, Outcome: channels.Failed, Retire: true}}})
		same(t, "page", []int64{1, 3}, page(t, l, "06649", 1<<40))
		got(l.Delivery().Receive(t.Context(), noon, []delivery.Evidence{{Batch: id, Delta: delivery.Delta{Index: 2, Attempt: 1, Outcome: channels.Failed, Retire: true}}}))(t)
		same(t, "page after a receipt", []int64{1}, page(t, l, "06649", 1<<40))
		same(t, "count", 1, counted(t, l, "06649"))
	})
}

func TestErasedEndpoints(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		es := people(1, 3)
		got(l.Audience().Add(t.Context(), noon, es))(t)
		approve(t, l, "a1")
		b := batch("a1", 1, 1)
		b.Recipients = []int64{1, 2, 3}
		id := cut(t, l, "a1", b)[0]
		fence := claim(t, l, noon)[0].Fence
		advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Start: []int{0, 1, 2}})
		settle := func(i int) delivery.Delta {
			return delivery.Delta{Index: i, Attempt: 1, Outcome: channels.Failed, Exception: true, ProviderRef: "SM-of-somebody", Due: noon, At: noon}
		}
		advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Return: true, Settle: []delivery.Delta{settle(0), settle(1), settle(2)}})
		must(t, l.Audience().Erase(t.Context(), []int64{2, 99}))
		same(t, "page", []int64{1, 3}, page(t, l, "06649", 1<<40))
		same(t, "count", 2, counted(t, l, "06649"))
		same(t, "ciphers", [][]byte{es[0].Cipher, nil}, got(l.Audience().Ciphers(t.Context(), channels.SMS, "06649", "vi", []int64{1, 2}))(t))
		var refs []string
		for _, x := range claim(t, l, noon)[0].Exceptions {
			refs = append(refs, x.ProviderRef)
		}
		same(t, "what providers called them", []string{"SM-of-somebody", "", "SM-of-somebody"}, refs)
		same(t, "the address again has a new id", []int64{4}, got(l.Audience().Add(t.Context(), noon, es[1:2]))(t))
	})
}

// TestErasedBytesAreGone looks into the files themselves.
func TestErasedBytesAreGone(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/loa.db"
	l := openAt(t, path, Options{})
	es := people(1, 200)
	got(l.Audience().Add(t.Context(), noon, es))(t)
	holds := func(secret []byte) bool {
		for _, name := range []string{path, path + "-wal"} {
			data, err := os.ReadFile(name)
			must(t, err)
			if bytes.Contains(data, secret) {
				return true
			}
		}
		return false
	}
	if !holds(es[100].Cipher) || !holds(es[100].Lookup[:]) {
		t.Fatal("the sealed address is not in the files: the test sees nothing")
	}
	must(t, l.Audience().Erase(t.Context(), []int64{101}))
	for deadline := time.Now().Add(20 * time.Second); holds(es[100].Cipher) || holds(es[100].Lookup[:]); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the erased address is still in the files")
		}
	}
	if !holds(es[102].Cipher) {
		t.Error("the neighbour has gone too")
	}
}

func TestBadEndpointsAreRefused(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	for name, spoil := range map[string]func(*audience.Sealed){
		"kind":     func(e *audience.Sealed) { e.Kind = "pigeon" },
		"commune":  func(e *audience.Sealed) { e.Commune = "" },
		"language": func(e *audience.Sealed) { e.Language = "" },
		"sealed":   func(e *audience.Sealed) { e.Cipher = nil },
		"lookup":   func(e *audience.Sealed) { e.Lookup = [16]byte{} },
	} {
		es := people(1, 2)
		spoil(&es[1])
		_, err := l.Audience().Add(t.Context(), noon, es)
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	same(t, "nothing was stored", 0, counted(t, l, "06649"))
	if _, err := l.Audience().Page(t.Context(), audience.Query{Kind: "pigeon"}, 0, 1); err == nil {
		t.Error("a page of an unknown kind")
	}
}
