package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/config"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
	"loa/gateway/ledger"
)

// listed is a provider with a list of what it took.
type listed struct {
	mu   sync.Mutex
	took map[channels.Address]bool
	sent int
}

func (*listed) Kind() channels.Kind { return channels.SMS }
func (*listed) Provider() string    { return "listed" }
func (*listed) Live() bool          { return false }

func (l *listed) Send(context.Context, channels.Message) (channels.Ack, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	return channels.Ack{}, nil
}

func (l *listed) Lookup(_ context.Context, m channels.Message, _ time.Time) (*channels.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.took[m.To] {
		return nil, nil
	}
	return &channels.Receipt{Kind: channels.SMS, Ref: m.Ref, Outcome: channels.Accepted, ProviderRef: "SM1"}, nil
}

// heldGateway is one whose ledger is on hold, with an alert for n people in
// Cô Tô that the provider has sent to the first few of.
func heldGateway(t *testing.T, postgres channels.Secret, n, taken int) (*Gateway, *listed) {
	t.Helper()
	provider := &listed{took: map[channels.Address]bool{}}
	o := muteOptions(t, t.TempDir())
	o.Config.Ledger.Postgres = postgres
	o.Config.Channels = []config.Channel{{Driver: "listed"}}
	o.Drivers = []channels.Driver{{Name: "listed", Kind: channels.SMS, Open: func(func(any) error, channels.Deps) (any, error) { return provider, nil }}}
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, g) })
	now := time.Now()
	es := make([]audience.Endpoint, n)
	for i := range es {
		es[i] = audience.Endpoint{Kind: channels.SMS, Commune: "07192", Language: "vi", Basis: audience.Duty, Address: channels.Address(fmt.Sprintf("+8491234%04d", i))}
		if i < taken {
			provider.took[es[i].Address] = true
		}
	}
	ids, err := g.Audience.Add(t.Context(), now, es)
	if err != nil {
		t.Fatal(err)
	}
	inForce(t, g, "a1", nil, dispatch.Request{Key: "a1", Alert: "a1", Revision: 1, Cause: dispatch.Approved, Areas: []area.Code{"07192"}})
	for i := 0; i < n; i += 60 {
		part := ids[i:min(i+60, n)]
		jobs, err := g.ledger.Dispatch().Jobs(t.Context(), time.Now().Add(time.Minute), 10)
		if err != nil || len(jobs) != 1 {
			t.Fatalf("%d jobs, %v", len(jobs), err)
		}
		to := jobs[0].Cursor
		to.After++
		_, err = g.ledger.Dispatch().Cut(t.Context(), "a1", jobs[0].Cursor, to, time.Time{}, []delivery.Batch{{
			Alert: "a1", Revision: 1, Kind: channels.SMS, Language: "vi", Commune: "07192", Status: channels.Actual, Resend: true, Urgent: true,
			Code: "K7QM", Expires: now.Add(time.Hour), Body: []byte("Bão số 3"), Recipients: part,
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if held, err := g.ledger.Hold(t.Context(), 40); err != nil || !held {
		t.Fatalf("%v, %v", held, err)
	}
	return g, provider
}

func pendingNow(t *testing.T, g *Gateway) int {
	t.Helper()
	s, err := g.HoldStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, w := range s.Waiting {
		if w.Alert != alert.ID("a1") || !w.CanAsk || w.Code != "K7QM" {
			t.Errorf("waiting: %+v", w)
		}
		n += w.Pending
	}
	return n
}

// Whoever the provider's list holds is recorded in bounded steps, and only the
// others would be sent to.
func TestReconcile(t *testing.T) {
	t.Parallel()
	bothLedgers(t, testReconcile)
}

func testReconcile(t *testing.T, postgres channels.Secret) {
	const people, taken = 130, 95
	g, provider := heldGateway(t, postgres, people, taken)
	if n := pendingNow(t, g); n != people {
		t.Fatalf("%d pending before", n)
	}
	if s, err := g.HoldStatus(t.Context()); err != nil || s.ReconcileFor != 3 { // 130 at 50 a second
		t.Errorf("it will take %d s, %v", s.ReconcileFor, err)
	}
	var sum delivery.Recalled
	steps := 0
	for from := ""; ; {
		a, err := g.Reconcile(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		if a.Asked > reconcileMost {
			t.Errorf("a step asked %d", a.Asked)
		}
		sum.Add(a.Recalled)
		steps++
		if from = a.Next; from == "" {
			break
		}
	}
	if want := (delivery.Recalled{Asked: people, Found: taken, Missing: people - taken}); sum != want || steps < 2 {
		t.Errorf("%+v in %d steps, want %+v", sum, steps, want)
	}
	if n := pendingNow(t, g); n != people-taken {
		t.Errorf("%d pending after", n)
	}
	if provider.sent != 0 {
		t.Errorf("%d sends", provider.sent)
	}
}

// Two different people with authority over the whole of what would be sent
// release a hold, over the socket.
func TestRelease(t *testing.T) {
	t.Parallel()
	bothLedgers(t, testRelease)
}

func testRelease(t *testing.T, postgres channels.Secret) {
	g, _ := heldGateway(t, postgres, 3, 0)
	token := func(name string, territory area.Code) string {
		_, s, err := g.Account.Add(t.Context(), name, territory)
		if err != nil {
			t.Fatal(err)
		}
		return s.Reveal()
	}
	one, two, elsewhere := token("Nguyễn Thị Soạn", "22"), token("Trần Văn Duyệt", "VN"), token("Lê Văn Xa", "01")
	for _, c := range []struct {
		token, want string
		status      int
	}{
		{"loa_nobody", "nobody has this token", 401},
		{elsewhere, "territory", 403},
		{one, `"lifted":false`, 200},
		{one, "another person", 409},
		{two, `"lifted":true`, 200},
		{two, "not on hold", 409},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/hold/release", nil)
		r.Header.Set("Authorization", "Bearer "+c.token)
		w := httptest.NewRecorder()
		g.localHandler().ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%d %s, want %d with %q", w.Code, w.Body, c.status, c.want)
		}
		public := httptest.NewRecorder()
		g.publicHandler().ServeHTTP(public, r)
		if public.Code == http.StatusOK {
			t.Errorf("the network was answered: %s", public.Body)
		}
	}
	if s := generation(t, g); !s.Held.IsZero() || s.Generation != 41 {
		t.Errorf("after the release: %+v", s)
	}
	if _, err := g.Release(t.Context(), channels.Secret(one)); !errors.Is(err, ledger.ErrNotHeld) {
		t.Errorf("%v", err)
	}
}
