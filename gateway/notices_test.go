package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/config"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/web/api"
)

// picky is a provider that takes the text of an alert from nobody.
type picky struct{ mute }

func (picky) Kind() channels.Kind { return channels.App }

func (picky) Send(context.Context, channels.Message) (channels.Ack, error) {
	return channels.Ack{}, &channels.Error{Fault: channels.FaultContent, Code: "30007"}
}

// A text that a provider takes from nobody, and a batch that the status guard
// has refused, are told wherever people look: once each, also when they are
// met again.
func TestNoticesReachPeople(t *testing.T) {
	t.Parallel()
	o := muteOptions(t, t.TempDir())
	o.Config.Channels = []config.Channel{{Driver: "picky"}}
	o.Drivers = []channels.Driver{{Name: "picky", Kind: channels.App, Open: func(func(any) error, channels.Deps) (any, error) { return picky{}, nil }}}
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		_, err = g.Audience.Add(t.Context(), time.Now(), []audience.Endpoint{{
			Kind: channels.App, Commune: "07192", Language: "vi", Basis: audience.Duty,
			Address: channels.Address([]string{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "CCECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}[i]),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	<-g.Started()
	last, err := g.Audience.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	inForce(t, g, "a1", func(c *desk.Case) { c.ApprovedAt = c.CreatedAt }, dispatch.Request{
		Key: "a1", Alert: "a1", Revision: 1, Cause: dispatch.Approved, Areas: []area.Code{"07192"}, Kinds: []channels.Kind{channels.App}, Snapshot: last,
	})
	g.stored()
	kept := func(n int) []coverage.Notice {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			all, err := g.Notices.Notices(t.Context(), "a1", 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(all) >= n || time.Now().After(end) {
				return all
			}
		}
	}
	got := kept(1)
	if len(got) != 1 || got[0].Code != "content/30007" || got[0].Kind != channels.App || got[0].Revision != 1 || time.Since(got[0].At) > time.Minute {
		t.Fatalf("%+v", got)
	}
	const batch = delivery.BatchID(1)
	refused := &delivery.StatusError{Batch: batch, Alert: "a1", Kind: channels.App, Status: channels.Test}
	g.batchRefused(refused)
	g.contentRefused(delivery.ContentRefusal{Batch: batch, Alert: "a1", Revision: 1, Kind: channels.App, Code: "30007"})
	g.kept = keptNotices{} // as after a restart
	g.batchRefused(refused)
	if got = kept(2); len(got) != 2 || got[1].Code != "status" || got[1].Text != refused.Error() {
		t.Fatalf("%+v", got)
	}

	_, token, err := g.Account.Add(t.Context(), "Người trực", "22")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/alerts/a1", nil)
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	w := httptest.NewRecorder()
	g.LocalHandler().ServeHTTP(w, r)
	var shown api.Alert
	if err := json.Unmarshal(w.Body.Bytes(), &shown); err != nil || shown.Coverage == nil {
		t.Fatalf("%d: %v: %s", w.Code, err, w.Body)
	}
	want := []api.Notice{
		{Code: "content/30007", Revision: 1, Kind: channels.App, At: got[0].At},
		{Code: "status", Revision: 1, Kind: channels.App, Text: refused.Error(), At: got[1].At},
	}
	if d := cmp.Diff(want, shown.Coverage.Notices, cmp.Comparer(time.Time.Equal)); d != "" {
		t.Error(d)
	}
	w = httptest.NewRecorder()
	g.publicHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	for _, text := range []string{"Kênh Ứng dụng: nhà cung cấp từ chối nội dung tin, mã 30007.", "không cho gửi tới người dân qua kênh Ứng dụng"} {
		if !strings.Contains(w.Body.String(), text) {
			t.Errorf("the live page does not say %q", text)
		}
	}
}
