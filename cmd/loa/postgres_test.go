package main_test

import (
	"testing"
	"time"

	"loa/cmd/loa/rig"
	"loa/gateway/ledger/postgrestest"
)

// ask has psql answer one question about a province's database.
func ask(r *rig.Rig, query string) string {
	r.Helper()
	return postgrestest.Shared(r).Ask(r, r.Options.Postgres, query)
}

// TestRedisMasterKilledMidAlert warns a province on PostgreSQL, with Redis
// behind Sentinel, and kills the Redis master in the middle: the replica takes
// over, while the alert goes on, and nobody is lost or warned twice.
func TestRedisMasterKilledMidAlert(t *testing.T) {
	t.Parallel()
	g := rig.StartGuarded(t)
	// 1,440 SMS leave over 18 s: longer than a failover takes.
	r, n := shipped(t, rig.Options{People: 2400, PerSecond: 80, Postgres: database(t), Redis: g.Config(), CarrierArgs: patient})
	n.Serve()
	id := r.Alert()
	r.AwaitTaken(r.Options.People / 4)
	if got := mode(n); got != "queue" {
		t.Fatalf("before the fault: %s", got)
	}
	g.Master.Kill()
	r.InTheMiddle(id, "the master's death")

	rig.Eventually(t, 30*time.Second, "the replica to become the master", func() (bool, string) {
		out := g.Sentinels[0].MasterAddr()
		return out == g.Replica.Addr, out
	})
	rig.Eventually(t, 30*time.Second, "the queue to work on the new master", func() (bool, string) {
		calls := g.Replica.Info("commandstats", "cmdstat_xreadgroup")
		return calls != "" && mode(n) == "queue", calls
	})
	r.InTheMiddle(id, "the take-over")
	if n.Metric("loa_delivery_failures_total", `call="queue"`) == 0 {
		t.Error("no call to the queue failed: the gateway did not feel the fault")
	}
	finish(r, id, 0)
}

// TestKilledMidAlertOnPostgres kills "loa serve" in the middle of an alert:
// the next process waits until the database's clock says that the dead one's
// leases are over, and finishes.
func TestKilledMidAlertOnPostgres(t *testing.T) {
	t.Parallel()
	o := slowly(3000)
	o.Postgres = database(t)
	r, n := shipped(t, o)
	n.Serve()
	id := r.Alert()
	r.AwaitTaken(o.People / 4)
	n.Kill()
	const leased = "SELECT count(*) FROM progress WHERE until > EXTRACT(EPOCH FROM clock_timestamp()) * 1000000000"
	if ask(r, leased) == "0" {
		t.Fatal("the dead process held no lease")
	}
	const fences = "SELECT sum(fence) FROM progress"
	before := ask(r, fences)
	left := killedMidAlert(r, id)
	if ask(r, fences) != before {
		t.Fatal("reading the ledger changed it")
	}
	n.Serve()
	finish(r, id, left.sending)
}

// TestToldToStopOnPostgres is TestToldToStopMidAlert on PostgreSQL.
func TestToldToStopOnPostgres(t *testing.T) {
	t.Parallel()
	o := slowly(3000)
	o.Postgres = database(t)
	toldToStop(shipped(t, o))
}

// TestNodeKilledMidAlert lets two nodes share an alert on one PostgreSQL and
// one Redis, and kills one of them in the middle: the other takes its batches
// over when the database's clock says that their leases are over.
func TestNodeKilledMidAlert(t *testing.T) {
	t.Parallel()
	o := slowly(2400)
	o.Gateways, o.Postgres = 2, database(t)
	r, first := shipped(t, o)
	first.Serve()
	r.AddNode().Serve()

	id := r.Alert()
	r.AwaitTaken(o.People / 3)
	for _, n := range r.Nodes {
		if n.Metric("loa_delivery_sends_total", `kind="sms"`) == 0 {
			t.Errorf("%s has sent nothing", n.Name)
		}
	}
	first.Kill()
	left := afterEnd(r, id) // the dead node's marks, and the open calls of the other
	if left.pending == 0 {
		t.Fatal("the kill came too late: nothing was left to send")
	}
	t.Logf("killed with %d pending and %d sending on both nodes", left.pending, left.sending)
	finish(r, id, left.sending)
}
