package main_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/cmd/loa/rig"
	"loa/gateway/ledger/postgrestest"
)

// onPostgres gives a province an empty database.
func onPostgres(p *province) {
	p.t.Helper()
	p.postgres = postgrestest.Shared(p.t).Database(p.t)
}

// ask has psql answer one question about the province's database.
func (p *province) ask(query string) string {
	p.t.Helper()
	return postgrestest.Shared(p.t).Ask(p.t, p.postgres, query)
}

// behindSentinel gives a province a Redis with a replica and three Sentinels.
func behindSentinel(g **rig.Guarded) func(*province) {
	return func(p *province) {
		p.t.Helper()
		*g = rig.StartGuarded(p.t)
		p.redis = (*g).Config()
	}
}

// TestRedisMasterKilledMidAlert warns a province on PostgreSQL, with Redis
// behind Sentinel, and kills the Redis master in the middle: the replica takes
// over, while the alert goes on, and nobody is lost or warned twice.
func TestRedisMasterKilledMidAlert(t *testing.T) {
	t.Parallel()
	var g *rig.Guarded
	// 1,440 SMS leave over 18 s: longer than a failover takes.
	p := newProvince(t, 2400, onPostgres, behindSentinel(&g), func(p *province) { p.perSecond = 80 })
	p.serve()
	id := p.alert()
	p.waitTaken(p.n / 4)
	if got := p.ready(); got != "ready queue" {
		t.Fatalf("before the fault: %s", got)
	}
	g.Master.Kill()
	p.inTheMiddle(id, "the master's death")

	p.eventually(30*time.Second, "the replica to become the master", func() (bool, string) {
		out := g.Sentinels[0].MasterAddr()
		return out == g.Replica.Addr, out
	})
	p.eventually(30*time.Second, "the queue to work on the new master", func() (bool, string) {
		calls := g.Replica.Info("commandstats", "cmdstat_xreadgroup")
		return calls != "" && p.ready() == "ready queue", calls
	})
	p.inTheMiddle(id, "the take-over")
	if p.metric("loa_delivery_failures_total", `call="queue"`) == 0 {
		t.Error("no call to the queue failed: the gateway did not feel the fault")
	}
	p.finish(id)
	p.compare(id, 0)
}

// TestKilledMidAlertOnPostgres kills "loa serve" in the middle of an alert:
// the next process waits until the database's clock says that the dead one's
// leases are over, and finishes.
func TestKilledMidAlertOnPostgres(t *testing.T) {
	t.Parallel()
	p := newProvince(t, 3000, onPostgres, slowly)
	serve := p.serve()
	id := p.alert()
	p.waitTaken(p.n / 4)
	if err := serve.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = serve.Wait()
	const leased = "SELECT count(*) FROM progress WHERE until > EXTRACT(EPOCH FROM clock_timestamp()) * 1000000000"
	if p.ask(leased) == "0" {
		t.Fatal("the dead process held no lease")
	}
	fences := p.ask("SELECT sum(fence) FROM progress")
	n := p.killedMidAlert(id)
	if p.ask("SELECT sum(fence) FROM progress") != fences {
		t.Fatal("reading the ledger changed it")
	}
	p.serve()
	p.finish(id)
	p.compare(id, n.sending)
}

// TestToldToStopOnPostgres is TestToldToStopMidAlert on PostgreSQL.
func TestToldToStopOnPostgres(t *testing.T) {
	t.Parallel()
	newProvince(t, 3000, onPostgres, slowly).toldToStop()
}

// twoDoors lets a province have a second node: what is asked of its public
// address goes to the first node, and to the second while that one is dead.
func twoDoors(second *string) func(*province) {
	return func(p *province) {
		p.t.Helper()
		*second = "127.0.0.1:" + freePort(p.t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { _ = l.Close() })
		p.public = "http://" + l.Addr().String()
		go func() {
			for {
				in, err := l.Accept()
				if err != nil {
					return
				}
				go pass(in, p.listen, *second)
			}
		}()
	}
}

// pass joins a connection to the first address that answers.
func pass(in net.Conn, addrs ...string) {
	defer func() { _ = in.Close() }()
	for _, addr := range addrs {
		out, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		_, _ = io.Copy(in, out)
		return
	}
}

// TestNodeKilledMidAlert lets two nodes share an alert on one PostgreSQL and
// one Redis, and kills one of them in the middle: the other takes its batches
// over when the database's clock says that their leases are over.
func TestNodeKilledMidAlert(t *testing.T) {
	t.Parallel()
	var door string
	p := newProvince(t, 2400, onPostgres, twoDoors(&door), slowly)
	first := p.serve()
	second := *p
	second.dir, second.public, second.listen = t.TempDir(), "http://"+door, door
	src := strings.NewReplacer("data: "+filepath.Join(p.dir, "data"), "data: "+filepath.Join(second.dir, "data"), "listen: "+p.listen, "listen: "+door).Replace(string(p.read(p.configFile())))
	if err := os.WriteFile(second.configFile(), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	second.serve()

	id := p.alert()
	p.waitTaken(p.n / 3)
	for name, node := range map[string]*province{"first": p, "second": &second} {
		if node.metric("loa_delivery_sends_total", `kind="sms"`) == 0 {
			t.Errorf("the %s node has sent nothing", name)
		}
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	n := p.afterKill(id) // the dead node's marks, and the open calls of the other
	if n.pending == 0 {
		t.Fatal("the kill came too late: nothing was left to send")
	}
	t.Logf("killed with %d pending and %d sending on both nodes", n.pending, n.sending)
	p.finish(id)
	p.compare(id, n.sending)
}
