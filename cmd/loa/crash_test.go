package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	p := newProvince(t, recipients())
	serve := p.serve()
	id := p.alert()
	p.waitTaken(p.n / 4)
	if err := serve.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = serve.Wait()
	sending, pending := p.afterKill(id)
	if pending == 0 {
		t.Fatal("the kill came too late: nothing was left to send")
	}
	if bound := p.openCalls(); sending > bound {
		t.Errorf("%d recipients were marked sending, more than workers × window = %d", sending, bound)
	}
	t.Logf("killed with %d pending and %d sending (workers × window = %d)", pending, sending, p.openCalls())

	p.serve()
	p.finish(id)
	p.compare(id, sending)
}

// TestRedisEmptiedMidAlert deletes every key of the real Redis in the middle
// of an alert: nobody is lost and nobody gets a second copy.
func TestRedisEmptiedMidAlert(t *testing.T) {
	t.Parallel()
	p := newProvince(t, recipients())
	p.serve()
	id := p.alert()
	p.waitTaken(p.n / 4)
	if out, err := exec.CommandContext(t.Context(), "redis-cli", "-p", p.redisPort, "flushall").CombinedOutput(); err != nil {
		t.Fatalf("flushall: %v: %s", err, out)
	}
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

// afterKill reads the dead gateway's ledger, from a copy.
func (p *province) afterKill(id string) (sending, pending int) {
	p.t.Helper()
	dir := p.t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		src, err := os.ReadFile(filepath.Join(p.dir, "data", "loa.db"+suffix))
		if err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "loa.db"+suffix), src, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	l, err := ledger.OpenSQLite(p.t.Context(), filepath.Join(dir, "loa.db"), ledger.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cells, err := l.Coverage().Cells(p.t.Context(), alertID(id), 1)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range coverage.Totals(cells) {
		sending += c.Count(channels.Sending)
		pending += c.Count(channels.Pending)
	}
	// What was not cut yet when the process died is pending as well.
	eligible := 0
	for _, c := range cells {
		eligible += c.Eligible()
	}
	return sending, pending + p.n - eligible
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
