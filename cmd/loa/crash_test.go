package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
	"loa/gateway"
	"loa/gateway/alert"
	"loa/gateway/coverage"
	"loa/gateway/ledger"
)

// TestKilledMidAlert kills "loa serve" with SIGKILL in the middle of an alert
// and starts it again: nobody is lost, and nobody got two copies but those
// whose call was open at the kill.
func TestKilledMidAlert(t *testing.T) {
	t.Parallel()
	r, n := shipped(t, many())
	n.Serve()
	id := r.Alert()
	r.AwaitTaken(r.Options.People / 4)
	n.Kill()
	left := killedMidAlert(r, id)

	n.Serve()
	finish(r, id, left.sending)
}

// killedMidAlert proves that the kill was in the middle.
func killedMidAlert(r *rig.Rig, id string) left {
	r.Helper()
	n := afterEnd(r, id)
	if n.pending == 0 {
		r.Fatal("the kill came too late: nothing was left to send")
	}
	if bound := r.OpenCalls(); n.sending > bound {
		r.Errorf("%d recipients were marked sending, more than workers × window = %d", n.sending, bound)
	}
	r.Logf("killed with %d pending and %d sending (workers × window = %d)", n.pending, n.sending, r.OpenCalls())
	return n
}

// TestRedisEmptiedMidAlert deletes every key of the real Redis in the middle
// of an alert: nobody is lost and nobody gets a second copy.
func TestRedisEmptiedMidAlert(t *testing.T) {
	t.Parallel()
	r, n := shipped(t, many())
	n.Serve()
	id := r.Alert()
	r.AwaitTaken(r.Options.People / 4)
	r.Redis.CLI("flushall")
	if taken := r.Taken(); taken >= r.Options.People*9/10 {
		t.Fatalf("flushall came too late: %d of %d were taken", taken, r.Options.People)
	}
	finish(r, id, 0)
}

// many is an alert for as many people as have a middle; fewer and slower under
// the race detector.
func many() rig.Options {
	if testing.Short() {
		return slowly(2000)
	}
	return rig.Options{People: 20000, CarrierArgs: patient}
}

// slowly has the SMS of an alert leave over some seconds, so that its middle is
// wide.
func slowly(people int) rig.Options {
	return rig.Options{People: people, PerSecond: people / 15, CarrierArgs: patient}
}

// patient has the carrier report for as long as a gateway may take to come back
// on a machine that is busy with other tests.
var patient = []string{"--callback-retries", "30"}

// finish waits for the alert's end and holds the books against it.
func finish(r *rig.Rig, id string, mayRepeat int) {
	r.Helper()
	r.Finish(id, 90*time.Second)
	r.Compare(id, mayRepeat)
}

// left is what a dead gateway had not finished.
type left struct{ sending, pending, ambiguous int }

// afterEnd reads the ledger of a gateway that is dead.
func afterEnd(r *rig.Rig, id string) (n left) {
	r.Helper()
	l, err := opened(r)
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cells, err := l.Coverage().Cells(r.Context(), alert.ID(id), 1)
	if err != nil {
		r.Fatal(err)
	}
	// What was not cut yet when the process died is pending as well.
	n.pending = r.Options.People
	for _, c := range coverage.Totals(cells) {
		n.sending += c.Count(channels.Sending)
		n.pending += c.Count(channels.Pending) - c.Eligible()
		n.ambiguous += c.Count(channels.Ambiguous)
	}
	return n
}

// opened is the ledger itself, or a copy of its file: opening that would change
// it.
func opened(r *rig.Rig) (*ledger.Ledger, error) {
	r.Helper()
	if r.Options.Postgres != "" {
		return ledger.OpenPostgres(r.Context(), r.Options.Postgres, ledger.Options{})
	}
	dir := r.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		src, err := os.ReadFile(filepath.Join(r.Nodes[0].Data(), "loa.db"+suffix))
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
	return ledger.OpenSQLite(r.Context(), filepath.Join(dir, "loa.db"), ledger.Options{})
}

// stop ends a gateway with SIGTERM: cleanly, within five seconds.
func stop(r *rig.Rig, n *rig.Node) {
	r.Helper()
	began := time.Now()
	n.Signal(syscall.SIGTERM)
	select {
	case <-n.Ended():
		if n.Err() != nil {
			r.Errorf("the gateway ended with %v", n.Err())
		}
	case <-time.After(5 * time.Second):
		r.Fatal("the gateway still runs 5 s after SIGTERM")
	}
	r.Logf("stopped after %v", time.Since(began).Round(time.Millisecond))
}

// TestToldToStopMidAlert sends SIGTERM in the middle of an alert: the gateway
// waits for its open calls, so that nobody is in doubt, and the next one sends
// the rest.
func TestToldToStopMidAlert(t *testing.T) {
	t.Parallel()
	toldToStop(shipped(t, slowly(3000)))
}

func toldToStop(r *rig.Rig, n *rig.Node) {
	r.Helper()
	n.Serve()
	id := r.Alert()
	r.AwaitTaken(r.Options.People / 4)
	stop(r, n)
	left := afterEnd(r, id)
	if left.pending == 0 {
		r.Fatal("the signal came too late: nothing was left to send")
	}
	if left.sending+left.ambiguous > 0 {
		r.Errorf("%d recipients are in doubt after a clean stop", left.sending+left.ambiguous)
	}
	r.Logf("stopped with %d pending", left.pending)
	n.Serve()
	finish(r, id, 0)
}

// TestWithoutRedis plays the story without a conveyor belt: by choice, and with
// one that is not there.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		redis func(t *testing.T) string
		mode  string
	}{
		"none":        {func(*testing.T) string { return "none" }, "ledger"},
		"unreachable": {func(t *testing.T) string { return `{addr: "127.0.0.1:` + rig.FreePort(t) + `"}` }, "direct"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, n := shipped(t, rig.Options{People: 2000, Redis: c.redis(t)})
			n.Serve()
			rig.Eventually(r, 30*time.Second, "the gateway to say where work comes from", func() (bool, string) {
				got := mode(n)
				return got == c.mode, got
			})
			if direct := n.Metric("loa_delivery_direct_mode"); (direct == 1) != (c.mode == "direct") {
				t.Errorf("loa_delivery_direct_mode is %v, the mode %q", direct, c.mode)
			}
			finish(r, r.Alert(), 0)
			if got := mode(n); got != c.mode {
				t.Errorf("at the end: %s", got)
			}
		})
	}
}

// mode is where a gateway that is ready says its work comes from; of any other
// all that it says.
func mode(n *rig.Node) string {
	body := n.Ready()
	var r gateway.Readiness
	if err := json.Unmarshal([]byte(body), &r); err != nil || !r.Ready {
		return "not ready: " + body
	}
	return r.Mode
}
