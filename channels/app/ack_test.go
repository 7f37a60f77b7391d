package app

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"loa/channels"
	"loa/channels/app/standin"
)

func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	crowd := p.gather(t, 20, standin.Options{
		Anonymous: func(i int) bool { return i >= 15 },
		Confirms:  func(i int) bool { return i < 5 },
	})
	p.publish(t, p.hub, warning("a", 2), "06652")
	eventually(t, "20 receipts", func() bool { return len(p.taken()) == 20 })
	got := map[string]int{}
	for _, r := range p.taken() {
		if r.Kind != channels.App || r.Alert != "a" || r.Revision != 2 || r.Ref != "" || r.At.IsZero() {
			t.Errorf("receipt %+v", r)
		}
		got[r.Outcome.String()+" "+r.From.Reveal()]++
	}
	for i := range 15 {
		if got["delivered "+crowd.Key(i)] != 1 || (got["confirmed "+crowd.Key(i)] == 1) != (i < 5) {
			t.Errorf("install %d: %v", i, got)
		}
	}
	eventually(t, "the installs to hear that it is stored", func() bool {
		n := 0
		for e := range crowd.Books() {
			if e.Stored {
				n++
			}
		}
		return n == 15
	})
	metricsAre(t, p.hub, `
		loa_app_connections 20
		loa_app_messages_total 20
		loa_app_slow_total 0
		loa_app_resyncs_total 20
		loa_app_acks_total{result="dropped"} 0
		loa_app_acks_total{result="stored"} 20`)
}

// metricsAre compares what the hub tells, without its help texts.
func metricsAre(t *testing.T, h *Hub, want string) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(h)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += fmt.Sprintf("{%s=%q}", l.GetName(), l.GetValue())
			}
			got = append(got, fmt.Sprint(name, " ", m.GetGauge().GetValue()+m.GetCounter().GetValue()))
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(want), "\n") {
		if line = strings.TrimSpace(line); !slices.Contains(got, line) {
			t.Errorf("no %s in %q", line, got)
		}
	}
	if problems, err := testutil.CollectAndLint(h); err != nil || len(problems) > 0 {
		t.Errorf("names: %v %v", problems, err)
	}
}

func TestForgedAcknowledgements(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	sign := func(k ed25519.PrivateKey, alert string, revision int, stage string) string {
		return b64(ed25519.Sign(k, AckBytes(alert, revision, stage)))
	}
	frame := func(alert string, revision int, stage, sig string) string {
		return fmt.Sprintf(`{"type":"ack","alert":%q,"revision":%d,"stage":%q,"sig":%q}`, alert, revision, stage, sig)
	}
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"good":               {frame("a", 1, "delivered", sign(private, "a", 1, "delivered")), true},
		"another key":        {frame("a", 1, "delivered", sign(other, "a", 1, "delivered")), false},
		"another alert":      {frame("b", 1, "delivered", sign(private, "a", 1, "delivered")), false},
		"another revision":   {frame("a", 2, "delivered", sign(private, "a", 1, "delivered")), false},
		"another stage":      {frame("a", 1, "confirmed", sign(private, "a", 1, "delivered")), false},
		"stage unknown":      {frame("a", 1, "accepted", sign(private, "a", 1, "accepted")), false},
		"no signature":       {frame("a", 1, "delivered", ""), false},
		"revision zero":      {frame("a", 0, "delivered", sign(private, "a", 0, "delivered")), false},
		"no alert":           {frame("", 1, "delivered", sign(private, "", 1, "delivered")), false},
		"very long alert":    {frame(strings.Repeat("a", 300), 1, "delivered", sign(private, strings.Repeat("a", 300), 1, "delivered")), false},
		"lines in the alert": {frame("a\n1\ndelivered", 1, "delivered", sign(private, "a", 1, "delivered")), false},
	} {
		ws := p.connect(t)
		ws.say(fmt.Sprintf(`{"type":"hello","communes":["06652"],"install":%q}`, b64(public)))
		ws.hear()
		before := len(p.taken())
		ws.say(c.text)
		if c.ok {
			if h := ws.hear(); h.Type != "acked" || h.Alert != "a" || h.Revision != 1 || h.Stage != "delivered" {
				t.Errorf("%s: %v", name, h)
			}
			continue
		}
		if code := ws.closed(); code != 1008 {
			t.Errorf("%s: close code %d, want 1008", name, code)
		}
		if n := len(p.taken()) - before; n != 0 {
			t.Errorf("%s: %d receipts", name, n)
		}
	}
}

// The core is away for a while, and does not know one of the installs: no
// acknowledgement of the others is lost, and none is answered too early.
func TestSinkFails(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	crowd := p.gather(t, 30, standin.Options{})
	stranger, failures := crowd.Key(7), 0
	p.mu.Lock()
	p.refuse = func(rs []channels.Receipt) error {
		if failures++; failures <= 3 {
			return errors.New("ledger is away")
		}
		for _, r := range rs {
			if r.From.Reveal() == stranger {
				return channels.ErrUnknownRef
			}
		}
		return nil
	}
	p.mu.Unlock()
	p.publish(t, p.hub, warning("a", 1), "06652")
	eventually(t, "29 receipts", func() bool { return len(p.taken()) >= 29 })
	if failures <= 3 {
		t.Errorf("the fault did not happen: %d calls", failures)
	}
	eventually(t, "the answers", func() bool {
		n := 0
		for e := range crowd.Books() {
			if e.Stored {
				n++
			}
		}
		return n >= 29
	})
	for e := range crowd.Books() {
		if e.Stored == (e.Install == 7) {
			t.Errorf("install %d: stored %v", e.Install, e.Stored)
		}
	}
	for _, r := range p.taken() {
		if r.From.Reveal() == stranger {
			t.Error("the stranger's receipt was taken")
		}
	}
}

// Close parts from everybody with 1001, hands over what was acknowledged, and
// admits nobody after.
func TestClose(t *testing.T) {
	t.Parallel()
	b := &board{}
	h, err := Open(roomy(), channels.Deps{Sink: b.sink, Snapshot: b.snapshot, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h.Handler())
	defer srv.Close()
	p := &place{board: b, hub: h, url: "ws" + strings.TrimPrefix(srv.URL, "http") + "/ws"}
	var good []*client
	for range 5 {
		c := p.connect(t)
		c.say(goodHello)
		c.hear()
		good = append(good, c)
	}
	mute := p.connect(t) // has not said hello
	deaf := p.connect(t) // will not answer the close
	deaf.say(goodHello)
	p.publish(t, h, warning("last", 1), "06652")
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- h.Close() }()
	for i, c := range good {
		if h := c.hear(); h.Alert != "last" {
			t.Errorf("client %d hears %v before the close", i, h)
		}
		if code := c.closed(); code != 1001 {
			t.Errorf("client %d: close code %d, want 1001", i, code)
		}
	}
	if code := mute.closed(); code != 1001 {
		t.Errorf("before hello: close code %d, want 1001", code)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(stopWait + ackLast + 5*time.Second):
		t.Fatal("close does not end")
	}
	t.Logf("closed in %v", time.Since(began))
	if n := h.Connections(); n != 0 {
		t.Errorf("%d connections left", n)
	}
	if _, resp, err := p.dial(t, nil); err == nil || resp.StatusCode != 503 {
		t.Errorf("after the close: %v %v", resp, err)
	}
	if _, err := h.Broadcast(t.Context(), warning("b", 1), []string{"06652"}); channels.AsError(err) == nil || channels.AsError(err).Fault != channels.FaultTransient {
		t.Errorf("broadcast after the close: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
