package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/gateway/alert"
	"loa/gateway/ledger"
	"loa/gateway/watch"
)

func generation(t *testing.T, g *Gateway) ledger.Guard {
	t.Helper()
	s, err := g.ledger.Guard(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func holdPart(t *testing.T, g *Gateway) watch.Part {
	t.Helper()
	for _, x := range g.probeHold(t.Context()) {
		if x.Part == "hold" {
			return x
		}
	}
	t.Fatal("no part tells of the hold")
	return watch.Part{}
}

// reopen opens a gateway on a folder, with a witness beside it.
func reopen(t *testing.T, dir string, now func() time.Time) *Gateway {
	t.Helper()
	o := muteOptions(t, filepath.Join(dir, "data"))
	o.Config.Witness = filepath.Join(dir, "witness")
	o.Now = now
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func closed(t *testing.T, g *Gateway) {
	t.Helper()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

// The generation rises at the start and every minute, and the witness follows
// it; the old file of a ledger that has gone on starts on hold, which is said
// everywhere, and stays on hold over a restart.
func TestAnOldLedgerStartsOnHold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	clock := func() time.Time { return now }
	g := reopen(t, dir, clock)
	round := func() {
		t.Helper()
		if err := g.guard.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	round()
	name := generation(t, g).Ledger
	if n, err := g.guard.witness.seen(name); err != nil || n != 1 {
		t.Fatalf("the witness after the start: %d, %v", n, err)
	}
	round()
	now = now.Add(bumpEvery)
	round()
	if s := generation(t, g); s.Generation != 2 || !s.Held.IsZero() {
		t.Fatalf("after a minute: %+v", s)
	}
	closed(t, g)
	file := filepath.Join(dir, "data", "loa.db")
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g = reopen(t, dir, clock)
	round()
	closed(t, g)
	if err := errors.Join(os.WriteFile(file, old, 0o600), os.Remove(ledger.SumsPath(file))); err != nil {
		t.Fatal(err)
	}

	for i := range 2 {
		g = reopen(t, dir, clock)
		round()
		s := generation(t, g)
		if s.Held.IsZero() || s.Why != ledger.HoldBehind || s.Generation != 2 || s.Seen != 3 {
			t.Fatalf("the old file: %+v", s)
		}
		inForce(t, g, alert.ID(fmt.Sprintf("a%d", i)), nil)
		if x := holdPart(t, g); x.State != watch.Bad || x.Cause != watch.Hold || x.Text == "" {
			t.Errorf("part: %+v", x)
		}
		_, r := askReady(t, g)
		if !r.Ready || len(r.Degraded) == 0 || r.Degraded[0].Part != "hold" {
			t.Errorf("readiness: %+v", r)
		}
		if h := g.pageHealth(); !h.Held.Equal(s.Held) {
			t.Errorf("the page is told of a hold since %v, not %v", h.Held, s.Held)
		}
		if got := gathered(t, g, "loa_hold"); got != 1 {
			t.Errorf("loa_hold is %v", got)
		}
		closed(t, g)
	}
}

// A Redis or a witness that is behind the ledger, absent or damaged holds nothing.
func TestWhatIsNoHold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := reopen(t, dir, time.Now)
	t.Cleanup(func() { closed(t, g) })
	file := filepath.Join(dir, "witness")
	name := generation(t, g).Ledger
	for _, text := range []string{"", name + " 1\n", "absent", "damaged"} {
		switch text {
		case "absent":
			_ = os.Remove(file)
		default:
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.guard.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := generation(t, g); !s.Held.IsZero() {
			t.Errorf("%q holds the ledger", text)
		}
	}
	if !g.guard.absent.Load() {
		t.Error("nobody is told that the witness was absent")
	}
}

// A ledger that has run before and that none of its mirrors knows is told of; a
// new one is not, nor is one that a mirror knows.
func TestNoMirrorKnowsTheLedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func(want bool, when string) {
		t.Helper()
		g := reopen(t, dir, time.Now)
		defer closed(t, g)
		if err := g.guard.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told := g.guard.unknown.Load(); told != want {
			t.Errorf("%s: told %v", when, told)
		}
		g.guard.absent.Store(false) // as if there were Redis alone
		told := false
		for _, x := range g.probeHold(t.Context()) {
			told = told || x.State == watch.Warn && strings.Contains(x.Text, "neither Redis nor a witness file")
		}
		if told != want {
			t.Errorf("%s: the doctor says so: %v", when, told)
		}
	}
	start(false, "at first")
	start(false, "the second time")
	if err := os.Remove(filepath.Join(dir, "witness")); err != nil {
		t.Fatal(err)
	}
	start(true, "without its witness")
	start(false, "with a new one")
}

// Who is told to stop before the ledger was compared has stopped in order.
func TestStoppedBeforeItBegan(t *testing.T) {
	t.Parallel()
	g := reopen(t, t.TempDir(), time.Now)
	defer closed(t, g)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Run(ctx); err != nil {
		t.Error(err)
	}
}

// gathered is the value of a gauge.
func gathered(t *testing.T, g *Gateway, name string) float64 {
	t.Helper()
	families, err := g.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
