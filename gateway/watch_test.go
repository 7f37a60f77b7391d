package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/configs"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/config"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/render"
	"loa/gateway/watch"
	"loa/templates"
)

// carrier is a sender that counts as one that reaches real people, and tells
// what it was handed.
type carrier struct {
	kind channels.Kind
	got  chan channels.Message
}

func (c carrier) Kind() channels.Kind { return c.kind }
func (c carrier) Provider() string    { return "carrier-" + string(c.kind) }
func (c carrier) Live() bool          { return true }

func (c carrier) Send(_ context.Context, m channels.Message) (channels.Ack, error) {
	c.got <- m
	return channels.Ack{Outcome: channels.Accepted}, nil
}

// air speaks to everyone who listens, as an app hub does.
type air struct {
	measured
	heard carrier
}

func (a air) Kind() channels.Kind { return channels.App }
func (a air) Live() bool          { return true }

func (a air) Broadcast(ctx context.Context, m channels.Message, areas []string) (channels.Ack, error) {
	m.To = channels.Address(strings.Join(areas, ","))
	return a.heard.Send(ctx, m)
}

const watchedNumber = "+84912345678"

// watched opens a live gateway that watches itself, and runs it.
func watched(t *testing.T, w config.Watch) (*Gateway, carrier, carrier) {
	t.Helper()
	sms, app := carrier{channels.SMS, make(chan channels.Message, 64)}, carrier{channels.App, make(chan channels.Message, 64)}
	cfg := config.Default()
	cfg.Deployment, cfg.Data, cfg.Redis, cfg.Watch = config.Live, t.TempDir(), config.Redis{None: true}, w
	cfg.Keys.Master = channels.Secret(base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv")))
	cfg.Channels = []config.Channel{{Driver: "carrier"}, {Driver: "air"}}
	parts := func(string) (int, string) { return 1, "UCS-2" }
	if _, err := RegisterAll(cfg, templates.FS, parts, render.Sender{Provider: "carrier-sms", Sender: "LOA"}); err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(t.Context(), Options{
		Config: cfg, Templates: templates.FS, Facts: configs.Areas, Listener: listener, Parts: parts,
		Drivers: []channels.Driver{
			{Name: "carrier", Kind: channels.SMS, Open: func(func(any) error, channels.Deps) (any, error) { return sms, nil }},
			{Name: "air", Kind: channels.App, Open: func(func(any) error, channels.Deps) (any, error) { return air{heard: app}, nil }},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g, sms, app
}

func receive(t *testing.T, c carrier) channels.Message {
	t.Helper()
	select {
	case m := <-c.got:
		return m
	case <-time.After(30 * time.Second):
		t.Fatalf("nothing came on %s", c.kind)
		return channels.Message{}
	}
}

// eventually waits until a part is as wanted.
func eventually(t *testing.T, g *Gateway, part string, want watch.State) watch.Part {
	t.Helper()
	var last watch.Part
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for _, x := range g.watcher.Parts() {
			if x.Part != part {
				continue
			}
			if last = x; x.State == want {
				return x
			}
		}
	}
	t.Fatalf("%s is %+v, want %s", part, last, want)
	return last
}

// TestCanaryGoesTheWholeWay: a test goes through dispatch, the ledger, delivery
// and the channel of a live gateway, to its own recipient and nobody else, and
// the public sees nothing of it.
func TestCanaryGoesTheWholeWay(t *testing.T) {
	t.Parallel()
	g, sms, app := watched(t, config.Watch{Canaries: []config.Canary{
		{Channel: channels.SMS, To: watchedNumber, Proof: "accepted"}, {Channel: channels.App},
	}})
	m := receive(t, sms)
	if m.Status != channels.Test || m.To.Reveal() != watchedNumber || !strings.HasPrefix(string(m.Body), "THỬ NGHIỆM") && !strings.HasPrefix(string(m.Body), "THU NGHIEM") {
		t.Errorf("the test message is %s to %q: %s", m.Status, m.To.Reveal(), m.Body)
	}
	if m := receive(t, app); m.Status != channels.Test || m.To.Reveal() != watch.CanaryCell {
		t.Errorf("the app's test message is %s in %q", m.Status, m.To.Reveal())
	}
	for _, part := range []string{"canary/sms", "canary/app"} {
		eventually(t, g, part, watch.OK)
	}
	arrived := func(channel string) bool {
		return metric(t, g, "loa_watch_canary_rounds_total", "arrived", channel) == 1
	}
	for deadline := time.Now().Add(20 * time.Second); !arrived("sms") || !arrived("app"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the rounds were not counted as arrived")
		}
	}
	unseen(t, g)
	if heads, err := g.Audience.HeadCount(t.Context(), []area.Code{"06652"}, true); err != nil || len(heads) != 0 {
		t.Errorf("the canaries count in a commune: %v, %v", heads, err)
	}
}

// unseen looks for our messages where the public looks.
func unseen(t *testing.T, g *Gateway) {
	t.Helper()
	all, err := g.ledger.Desk().Cases(t.Context(), []alert.State{alert.Approved}, 100)
	if err != nil || !slices.ContainsFunc(all, func(c desk.Case) bool { return watch.Own(c.Submission.Revision) }) {
		t.Fatalf("nothing of ours is in the ledger: %v", err)
	}
	list, err := shown(g.ledger.Desk().Cases)(t.Context(), []alert.State{alert.Approved}, 100)
	if err != nil || len(list) != 0 {
		t.Errorf("the page would show %v, %v", list, err)
	}
	live, err := g.live.snapshot(t.Context(), []string{watch.CanaryCell, watch.DutyCell})
	if err != nil || len(live) != 0 {
		t.Errorf("the live list holds %v, %v", live, err)
	}
	w := httptest.NewRecorder()
	g.publicHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/live", nil))
	for _, word := range []string{"canary-", "duty-", "loa-canary", "loa-duty"} {
		if strings.Contains(w.Body.String(), word) {
			t.Errorf("the page holds %s", word)
		}
	}
	for _, c := range []area.Code{watch.CanaryCell, watch.DutyCell} {
		if _, known := g.Areas.Unit(c); known || !c.Reserved() {
			t.Errorf("%s is a commune", c)
		}
	}
}

func metric(t *testing.T, g *Gateway, name string, labels ...string) float64 {
	t.Helper()
	families, err := g.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			hit := 0
			for _, l := range m.GetLabel() {
				if slices.Contains(labels, l.GetValue()) {
					hit++
				}
			}
			if hit == len(labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// TestDutyIsToldBySMS: what goes wrong reaches the phone of who is on duty.
func TestDutyIsToldBySMS(t *testing.T) {
	t.Parallel()
	g, sms, _ := watched(t, config.Watch{Duty: []config.Contact{{Channel: channels.SMS, To: watchedNumber}}})
	citizen := audience.Endpoint{Kind: channels.SMS, Commune: "06652", Language: "vi", Basis: audience.Duty, Address: watchedNumber}
	if _, err := g.Audience.Add(t.Context(), time.Now(), []audience.Endpoint{citizen}); err != nil {
		t.Fatal(err)
	}
	g.notePoison(delivery.Poison{Batch: 7, Alert: "x", Kind: channels.SMS})
	m := receive(t, sms)
	if m.To.Reveal() != watchedNumber || !strings.Contains(string(m.Body), "mot nguoi nhan bi cach ly") {
		t.Errorf("the page to %q says %q", m.To.Reveal(), m.Body)
	}
	if m.Status != channels.Actual {
		t.Errorf("the page is a %s", m.Status)
	}
	unseen(t, g)
	if heads, err := g.Audience.HeadCount(t.Context(), []area.Code{"06652"}, false); err != nil || heads[channels.SMS] != 1 {
		t.Errorf("who is on duty is no subscriber any more: %v, %v", heads, err)
	}
}

// TestHealthOnSocket asks as "loa doctor" does; the network is not answered.
func TestHealthOnSocket(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	w := httptest.NewRecorder()
	g.LocalHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", nil))
	var h Health
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d, %v: %s", w.Code, err, w.Body)
	}
	for _, part := range []string{"ledger", "disk", "clock", "backlog", "requests", "heartbeat", "provider/sms/mute"} {
		if !slices.ContainsFunc(h.Parts, func(x watch.Part) bool { return x.Part == part && x.State != watch.Bad }) {
			t.Errorf("%s is missing or bad in %+v", part, h.Parts)
		}
	}
	w = httptest.NewRecorder()
	g.publicHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", nil))
	if strings.Contains(w.Body.String(), `"parts"`) {
		t.Error("the network learns how the parts are")
	}
}

// TestWatchOfAnUnconfiguredChannel is refused: its tests would go nowhere.
func TestWatchOfAnUnconfiguredChannel(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Data, cfg.Redis = t.TempDir(), config.Redis{None: true}
	cfg.Channels = []config.Channel{{Driver: "mute"}}
	cfg.Watch.Canaries = []config.Canary{{Channel: channels.WebPush, To: "x"}}
	_, err := New(t.Context(), Options{
		Config: cfg, Templates: templates.FS, Facts: configs.Areas, Parts: func(string) (int, string) { return 1, "UCS-2" },
		Drivers: []channels.Driver{{Name: "mute", Kind: channels.SMS, Open: func(func(any) error, channels.Deps) (any, error) { return mute{}, nil }}},
	})
	if err == nil || !strings.Contains(err.Error(), "watch.canaries[0].channel") {
		t.Errorf("got %v", err)
	}
}
