package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"loa/channels"
)

// measured is part of a driver that has metrics of its own, as the app hub has.
type measured struct{}

var listeners = prometheus.NewDesc("loa_app_connections", "Listeners connected now.", nil, nil)

// mute is a sender that takes everything and reaches nobody.
type mute struct{ measured }

func (mute) Kind() channels.Kind { return channels.SMS }
func (mute) Provider() string    { return "mute" }
func (mute) Live() bool          { return false }

func (measured) Describe(to chan<- *prometheus.Desc) { to <- listeners }
func (measured) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(listeners, prometheus.GaugeValue, 7)
}

func (mute) Send(context.Context, channels.Message) (channels.Ack, error) {
	return channels.Ack{}, nil
}

func openMute(t *testing.T) *Gateway {
	t.Helper()
	return openOptions(t, muteOptions(t, t.TempDir()))
}

func openOptions(t *testing.T, o Options) *Gateway {
	t.Helper()
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func TestMetricNames(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	families, err := g.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string]int{}
	for _, f := range families {
		name := strings.SplitN(f.GetName(), "_", 3)
		if name[0] == "go" || name[0] == "process" {
			continue // of the runtime, under the names every dashboard knows
		}
		if name[0] != "loa" {
			t.Errorf("%s does not begin with loa_", f.GetName())
			continue
		}
		rooms[name[1]]++
	}
	for _, room := range []string{"delivery", "dispatch", "app"} {
		if rooms[room] == 0 {
			t.Errorf("no metric of %s: %v", room, rooms)
		}
	}
	problems, err := testutil.GatherAndLint(g.Metrics)
	if err != nil || len(problems) > 0 {
		t.Errorf("metric names: %v %v", problems, err)
	}
}

// TestMetricsOnlyHere asks the public listener for the metrics from here, from
// elsewhere, and from elsewhere through a proxy that runs here.
func TestMetricsOnlyHere(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	for name, c := range map[string]struct {
		peer, header string
		served       bool
	}{
		"IPv4 loopback":            {peer: "127.0.0.1:40000", served: true},
		"the rest of 127/8":        {peer: "127.8.9.10:40000", served: true},
		"IPv6 loopback":            {peer: "[::1]:40000", served: true},
		"IPv4 loopback in IPv6":    {peer: "[::ffff:127.0.0.1]:40000", served: true},
		"another machine":          {peer: "192.0.2.7:40000"},
		"a private network":        {peer: "10.0.0.7:40000"},
		"another machine, IPv6":    {peer: "[2001:db8::7]:40000"},
		"no address":               {peer: "@"},
		"proxy: X-Forwarded-For":   {peer: "127.0.0.1:40000", header: "X-Forwarded-For"},
		"proxy: Forwarded":         {peer: "127.0.0.1:40000", header: "Forwarded"},
		"proxy: X-Real-IP":         {peer: "127.0.0.1:40000", header: "X-Real-IP"},
		"a forged header, foreign": {peer: "192.0.2.7:40000", header: "X-Forwarded-For"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.RemoteAddr = c.peer
		if c.header != "" {
			r.Header.Set(c.header, "127.0.0.1")
		}
		w := httptest.NewRecorder()
		g.publicHandler().ServeHTTP(w, r)
		served := w.Code == http.StatusOK && strings.Contains(w.Body.String(), "loa_delivery_direct_mode")
		if served != c.served || !c.served && (w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "loa_")) {
			t.Errorf("%s: %d, served %v, want %v", name, w.Code, served, c.served)
		}
	}
}

// TestMetricsOnSocket asks as the machine's owner does: a socket's peer has no
// address.
func TestMetricsOnSocket(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.RemoteAddr = "@"
	w := httptest.NewRecorder()
	g.LocalHandler().ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "loa_delivery_direct_mode") {
		t.Errorf("%d: %.200s", w.Code, w.Body)
	}
}
