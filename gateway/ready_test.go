package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/audit"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/web/public"
)

// inForce stores an approved alert for Cô Tô, with what is to be done for it.
func inForce(t *testing.T, g *Gateway, id alert.ID, change func(*desk.Case), requests ...dispatch.Request) {
	t.Helper()
	now := time.Now()
	c := desk.Case{
		ID: id, State: alert.Drafted, CreatedAt: now,
		Submission: desk.Submission{
			Communes: []area.Code{"07192"},
			Revision: &alert.Revision{
				Alert: id, Number: 1, Code: "K7QM", Identifier: string(id) + ".1", Sender: "loa.invalid", Sent: now, Status: alert.Actual,
				MsgType: alert.MsgAlert, Scope: alert.Public,
				Infos: []alert.Info{{
					Language: "vi-VN", Categories: []alert.Category{"Met"}, Event: "Bão", Urgency: "Immediate", Severity: alert.Extreme, Certainty: "Likely",
					Expires: now.Add(time.Hour), SenderName: "Ban Chỉ huy", Headline: "Bão số 3", Description: "Gió rất mạnh.",
					Areas: []alert.Area{{Desc: "Cô Tô", Geocodes: []alert.NamedValue{{Name: area.ValueName, Value: "07192"}}}},
				}},
			},
		},
	}
	if change != nil {
		change(&c)
	}
	rec := audit.Record{At: now, Actor: "p_1", Act: "alert.draft", Object: "alert/" + string(id)}
	store := g.ledger.Desk()
	if err := store.Create(t.Context(), c, rec); err != nil {
		t.Fatal(err)
	}
	for _, to := range []alert.State{alert.Submitted, alert.Approved} {
		from := c.State
		c.State = to
		c.Hash = desk.SubmissionHash{1}
		ch := desk.Change{Case: c, From: from, Records: []audit.Record{rec}}
		if to == alert.Approved {
			ch.Requests = requests
		}
		if err := store.Apply(t.Context(), ch); err != nil {
			t.Fatal(err)
		}
	}
}

func askReady(t *testing.T, g *Gateway) (int, Readiness) {
	t.Helper()
	w := httptest.NewRecorder()
	g.publicHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	var r Readiness
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, r
}

func TestReady(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	status, r := askReady(t, g)
	if d := cmp.Diff(Readiness{Ready: true, Mode: "ledger", Degraded: []Degraded{}}, r); d != "" || status != http.StatusOK {
		t.Errorf("%d %s", status, d)
	}

	// Somebody in Cô Tô has the app, and only SMS is configured.
	_, err := g.Audience.Add(t.Context(), time.Now(), []audience.Endpoint{{
		Kind: channels.App, Commune: "07192", Language: "vi", Address: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", Basis: audience.Duty,
	}})
	if err != nil {
		t.Fatal(err)
	}
	inForce(t, g, "a1", nil)
	status, r = askReady(t, g)
	if status != http.StatusOK || !r.Ready || len(r.Degraded) != 1 || r.Degraded[0].Part != "app" {
		t.Errorf("subscribers on a channel that is not configured: %d %+v", status, r)
	}
}

func TestNotReadyWithoutItsLedger(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	if err := g.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	status, r := askReady(t, g)
	if status != http.StatusServiceUnavailable || r.Ready || len(r.Degraded) != 1 || r.Degraded[0].Part != "ledger" {
		t.Errorf("%d %+v", status, r)
	}
}

func TestWhyDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault channels.Fault
		code  string
		want  public.Why
	}{
		{channels.FaultTransient, "", public.Silent}, {channels.FaultAmbiguous, "500", public.Silent},
		{channels.FaultProvider, "20003", public.Login}, {channels.FaultProvider, "401", public.Login},
		{channels.FaultProvider, "30002", public.Refused},
	} {
		if got := whyDown(delivery.Down{Fault: c.fault, Code: c.code}); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.fault, c.code, got, c.want)
		}
	}
}
