package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/coverage"
	"loa/gateway/ledger"
)

// TestKilledMidAlert kills "loa serve" with SIGKILL in the middle of an alert
// and starts it again: nobody is lost, and nobody got two copies but those
// whose call was open at the kill.
func TestKilledMidAlert(t *testing.T) {
	t.Parallel()
	p := newProvince(t, recipients(), wide)
	serve := p.serve()
	id := p.alert()
	p.waitTaken(p.n / 4)
	if err := serve.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = serve.Wait()
	n := p.killedMidAlert(id)

	p.serve()
	p.finish(id)
	p.compare(id, n.sending)
}

// killedMidAlert proves that the kill was in the middle.
func (p *province) killedMidAlert(id string) left {
	p.t.Helper()
	n := p.afterKill(id)
	if n.pending == 0 {
		p.t.Fatal("the kill came too late: nothing was left to send")
	}
	if bound := p.openCalls(); n.sending > bound {
		p.t.Errorf("%d recipients were marked sending, more than workers × window = %d", n.sending, bound)
	}
	p.t.Logf("killed with %d pending and %d sending (workers × window = %d)", n.pending, n.sending, p.openCalls())
	return n
}

// TestRedisEmptiedMidAlert deletes every key of the real Redis in the middle
// of an alert: nobody is lost and nobody gets a second copy.
func TestRedisEmptiedMidAlert(t *testing.T) {
	t.Parallel()
	p := newProvince(t, recipients(), wide)
	p.serve()
	id := p.alert()
	p.waitTaken(p.n / 4)
	p.redisCLI(p.redisPort, "flushall")
	if taken := p.taken(); taken >= p.n*9/10 {
		t.Fatalf("flushall came too late: %d of %d were taken", taken, p.n)
	}
	p.finish(id)
	p.compare(id, 0)
}

// recipients is how many people are warned; fewer under the race detector.
func recipients() int {
	if testing.Short() {
		return 2000
	}
	return 20000
}

// afterEnd reads the ledger of a gateway that is dead.
func (p *province) afterEnd() (*ledger.Ledger, error) {
	p.t.Helper()
	if p.postgres != "" {
		return ledger.OpenPostgres(p.t.Context(), p.postgres, ledger.Options{})
	}
	dir := p.t.TempDir() // of a copy: opening it would change it
	for _, suffix := range []string{"", "-wal"} {
		src, err := os.ReadFile(filepath.Join(p.dir, "data", "loa.db"+suffix))
		if os.IsNotExist(err) && suffix != "" {
			continue // a clean end leaves none
		}
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "loa.db"+suffix), src, 0o600); err != nil {
			return nil, err
		}
	}
	return ledger.OpenSQLite(p.t.Context(), filepath.Join(dir, "loa.db"), ledger.Options{})
}

// left is what a dead gateway had not finished.
type left struct{ sending, pending, ambiguous int }

func (p *province) afterKill(id string) (n left) {
	p.t.Helper()
	l, err := p.afterEnd()
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cells, err := l.Coverage().Cells(p.t.Context(), alertID(id), 1)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range coverage.Totals(cells) {
		n.sending += c.Count(channels.Sending)
		n.pending += c.Count(channels.Pending)
		n.ambiguous += c.Count(channels.Ambiguous)
	}
	// What was not cut yet when the process died is pending as well.
	eligible := 0
	for _, c := range cells {
		eligible += c.Eligible()
	}
	n.pending += p.n - eligible
	return n
}

// finish waits until nobody is pending, sending or in doubt any more and every
// provider that reports has reported.
func (p *province) finish(id string) {
	p.t.Helper()
	p.eventually(90*time.Second, "the alert to end", func() (bool, string) {
		a := p.status(id)
		if a.Coverage == nil || a.Coverage.Cutting {
			return false, "being cut"
		}
		open, eligible := 0, 0
		for _, c := range a.Coverage.Channels {
			open += c.Outcomes["pending"] + c.Outcomes["sending"] + c.Outcomes["ambiguous"]
			eligible += c.Eligible
			if c.Kind == channels.SMS {
				open += c.Outcomes["accepted"] // the carrier has yet to report
			}
		}
		return open == 0 && eligible == p.n && p.acknowledged(), fmt.Sprintf("%d of %d recipients open: %+v", open, eligible, a.Coverage.Channels)
	})
}

// compare holds the stand-ins' books against who was drawn and against the
// gateway's own counts.
func (p *province) compare(id string, mayRepeat int) {
	p.t.Helper()
	copies := p.books()
	lost, repeats := 0, 0
	kept := map[channels.Kind]int{}
	for _, r := range p.people {
		n := copies[r.address]
		if n > 0 {
			kept[r.kind]++
		}
		if n == 0 {
			lost++
		}
		repeats += max(0, n-1)
	}
	p.t.Logf("lost %d, duplicates %d (at most %d)", lost, repeats, mayRepeat)
	if lost > 0 {
		p.t.Errorf("%d people got nothing", lost)
	}
	if repeats > mayRepeat {
		p.t.Errorf("%d second copies, at most %d are allowed", repeats, mayRepeat)
	}
	for _, c := range p.status(id).Coverage.Channels {
		reached := c.Outcomes["accepted"] + c.Outcomes["delivered"] + c.Outcomes["confirmed"]
		if reached != kept[c.Kind] {
			p.t.Errorf("%s: the gateway says %d were reached, the books say %d", c.Kind, reached, kept[c.Kind])
		}
		if reached == 0 {
			p.t.Errorf("%s: nobody was reached", c.Kind)
		}
	}
}

// wide makes the middle of a small alert wide enough for a busy machine.
func wide(p *province) {
	if testing.Short() {
		slowly(p)
	}
}

// slowly has the SMS of an alert leave over some seconds, so that its middle is
// wide.
func slowly(p *province) { p.perSecond = p.n / 15 }

// inTheMiddle fails if nothing was left to send after what happened.
func (p *province) inTheMiddle(id, what string) {
	p.t.Helper()
	a := p.status(id)
	pending := 0
	for _, c := range a.Coverage.Channels {
		pending += c.Outcomes["pending"]
	}
	if pending == 0 {
		p.t.Fatalf("%s came too late: nothing was left to send", what)
	}
	p.t.Logf("%d pending after %s", pending, what)
}

// TestToldToStopMidAlert sends SIGTERM in the middle of an alert: the gateway
// waits for its open calls, so that nobody is in doubt, and the next one sends
// the rest.
func TestToldToStopMidAlert(t *testing.T) {
	t.Parallel()
	newProvince(t, 3000, slowly).toldToStop()
}

func (p *province) toldToStop() {
	p.t.Helper()
	serve := p.serve()
	id := p.alert()
	p.waitTaken(p.n / 4)
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			p.t.Fatalf("the gateway ended with %v", err)
		}
	case <-time.After(5 * time.Second):
		p.t.Fatal("the gateway still runs 5 s after SIGTERM")
	}
	n := p.afterKill(id)
	if n.pending == 0 {
		p.t.Fatal("the signal came too late: nothing was left to send")
	}
	if n.sending+n.ambiguous > 0 {
		p.t.Errorf("%d recipients are in doubt after a clean stop", n.sending+n.ambiguous)
	}
	p.t.Logf("stopped with %d pending", n.pending)
	p.serve()
	p.finish(id)
	p.compare(id, 0)
}

// TestWithoutRedis plays the story without a conveyor belt: by choice, and with
// one that is not there.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		redis func(t *testing.T) string
		ready string
	}{
		"none":        {func(*testing.T) string { return "none" }, "ready ledger"},
		"unreachable": {func(t *testing.T) string { return `{addr: "127.0.0.1:` + freePort(t) + `"}` }, "ready direct"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvince(t, 2000, func(p *province) { p.redis = c.redis(t) })
			p.serve()
			p.eventually(30*time.Second, "the gateway to say where work comes from", func() (bool, string) {
				got := p.ready()
				return got == c.ready, got
			})
			if direct := p.metric("loa_delivery_direct_mode"); (direct == 1) != (c.ready == "ready direct") {
				t.Errorf("loa_delivery_direct_mode is %v, readiness says %q", direct, c.ready)
			}
			id := p.alert()
			p.finish(id)
			p.compare(id, 0)
			if got := p.ready(); got != c.ready {
				t.Errorf("at the end: %s", got)
			}
		})
	}
}
