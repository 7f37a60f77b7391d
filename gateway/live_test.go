package gateway

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/config"
	"loa/gateway/desk"
	"loa/gateway/ledger"
	"loa/gateway/render"
)

// ear is a broadcaster that reaches the public unless it was given an origin.
type ear struct {
	mute
	origin string
}

func (ear) Kind() channels.Kind { return channels.App }
func (e ear) Live() bool        { return e.origin == "" }

func TestTheAppReachesNobodyInADrill(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		deployment config.Deployment
		live       bool
	}{{config.Live, true}, {config.Drill, false}, {config.Demo, false}} {
		g := openMute(t)
		g.cfg.Deployment, g.Metrics = c.deployment, prometheus.NewRegistry()
		var opened ear
		g.opt.Drivers = []channels.Driver{{Name: "hub", Kind: channels.App, Open: func(_ func(any) error, d channels.Deps) (any, error) {
			opened = ear{origin: d.Origin}
			return opened, nil
		}}}
		if _, err := g.openDriver(config.Channel{Driver: "hub"}); err != nil || opened.Live() != c.live {
			t.Errorf("%s: live %v, want %v; %v", c.deployment, opened.Live(), c.live, err)
		}
	}
}

// TestATextThatHasEndedIsNotInForce has a grave text that ends before a lighter
// one elsewhere: who comes back is shown each until its own end.
func TestATextThatHasEndedIsNotInForce(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	now := time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)
	g.now = func() time.Time { return now }
	text := func(commune string, severity alert.Severity, life time.Duration) alert.Info {
		return alert.Info{
			Language: "vi-VN", Categories: []alert.Category{"Met"}, Event: "Bão", Urgency: "Immediate", Severity: severity, Certainty: "Likely",
			Expires: now.Add(life), SenderName: "Ban Chỉ huy", Headline: "Bão số 3 đang đổ bộ", Description: "Gió rất mạnh.",
			Areas: []alert.Area{{Desc: "Ven biển", Geocodes: []alert.NamedValue{{Name: area.ValueName, Value: commune}}}},
		}
	}
	rev := &alert.Revision{
		Alert: "VN-1", Number: 1, Code: "K7QM", Identifier: "VN-1.1", Sender: "loa.example", Sent: now, Status: alert.Actual,
		MsgType: alert.MsgAlert, Scope: alert.Public,
		Infos: []alert.Info{text("06649", alert.Extreme, time.Hour), text("06652", alert.Moderate, 6*time.Hour)},
	}
	m, err := g.live.message(rev, "06649", "vi")
	if err != nil || !m.Expires.Equal(now.Add(time.Hour)) || !m.Urgent {
		t.Errorf("the grave text: until %v, urgent %v, %v", m.Expires, m.Urgent, err)
	}
	m, err = g.live.message(rev, "06652", "vi")
	if err != nil || !m.Expires.Equal(now.Add(6*time.Hour)) || m.Urgent {
		t.Errorf("the lighter text: until %v, urgent %v, %v", m.Expires, m.Urgent, err)
	}
	now = now.Add(time.Hour)
	if _, err := g.live.message(rev, "06649", "vi"); !errors.Is(err, render.ErrNoInfo) {
		t.Errorf("a text that has ended is shown: %v", err)
	}
	if _, err := g.live.message(rev, "06652", "vi"); err != nil {
		t.Error(err)
	}
}

// TestSnapshotSeesEveryAlertInForce has more alerts than any page shows before
// the one that counts, and asks twice: the text is read once, the list each time.
func TestSnapshotSeesEveryAlertInForce(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	inForce(t, g, "real", nil)
	for i := range 210 {
		inForce(t, g, alert.ID(fmt.Sprintf("drill-%d", i)), func(c *desk.Case) { c.Submission.Revision.Status = alert.Exercise })
	}
	ask := func() []channels.Message {
		all, err := g.live.snapshot(t.Context(), []string{"07192"})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := ask(); len(all) != 1 || all[0].Alert != "real" {
		t.Fatalf("%d messages", len(all))
	}
	key := ledger.InForce{Alert: "real", Revision: 1}
	read := g.live.cases[key]
	if all := ask(); len(all) != 1 || g.live.cases[key] != read {
		t.Errorf("%d messages; the text was read again: %v", len(all), g.live.cases[key] != read)
	}
	// What was approved a moment ago is there at once.
	inForce(t, g, "second", nil)
	if all := ask(); len(all) != 2 {
		t.Errorf("%d messages after a second approval", len(all))
	}
	now := time.Now().Add(2 * time.Hour)
	g.now = func() time.Time { return now }
	if all := ask(); len(all) != 0 || len(g.live.cases) != 0 {
		t.Errorf("%d messages after the end, %d texts kept", len(all), len(g.live.cases))
	}
}
