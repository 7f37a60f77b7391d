package main_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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

// guarded is a Redis master with a replica and three Sentinels over them.
type guarded struct {
	master        *exec.Cmd
	port, replica string
	sentinels     []string // ports
}

// behindSentinel gives a province such a Redis.
func behindSentinel(g *guarded) func(*province) {
	return func(p *province) {
		p.t.Helper()
		need(p.t, "redis-server", "redis-sentinel", "redis-cli")
		g.port = freePort(p.t)
		g.master, _ = p.process("redis-server", "--port", g.port, "--bind", "127.0.0.1", "--save", "", "--dir", p.t.TempDir())
		g.replica = p.redisServer("--replicaof", "127.0.0.1 "+g.port)
		p.eventually(30*time.Second, "the replica to follow", func() (bool, string) {
			text := p.redisCLI(g.replica, "info", "replication")
			return strings.Contains(text, "master_link_status:up"), text
		})
		var ports, addrs []string
		for range 3 {
			port := freePort(p.t)
			file := filepath.Join(p.t.TempDir(), "sentinel.conf")
			text := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor loa 127.0.0.1 %s 2\nsentinel down-after-milliseconds loa 1000\nsentinel failover-timeout loa 5000\n", port, g.port)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				p.t.Fatal(err)
			}
			p.process("redis-sentinel", file)
			ports, addrs = append(ports, port), append(addrs, strconv.Quote("127.0.0.1:"+port))
		}
		g.sentinels = ports
		p.redis = fmt.Sprintf("{sentinel: {master: loa, addrs: [%s]}}", strings.Join(addrs, ", "))
	}
}

// watch waits until every Sentinel knows the others and the replica.
func (g *guarded) watch(p *province) {
	p.t.Helper()
	for _, port := range g.sentinels {
		p.eventually(30*time.Second, "the Sentinels to know each other", func() (bool, string) {
			out, err := exec.CommandContext(p.t.Context(), "redis-cli", "-p", port, "sentinel", "master", "loa").CombinedOutput()
			fields := strings.Fields(string(out))
			return err == nil && value(fields, "num-other-sentinels") == "2" && value(fields, "num-slaves") == "1", string(out)
		})
	}
}

// value finds what follows a name in a list of names and values.
func value(fields []string, name string) string {
	if i := slices.Index(fields, name); i >= 0 && i+1 < len(fields) {
		return fields[i+1]
	}
	return ""
}

// TestRedisMasterKilledMidAlert warns a province on PostgreSQL, with Redis
// behind Sentinel, and kills the Redis master in the middle: the replica takes
// over, while the alert goes on, and nobody is lost or warned twice.
func TestRedisMasterKilledMidAlert(t *testing.T) {
	t.Parallel()
	var g guarded
	// 1,440 SMS leave over 18 s: longer than a failover takes.
	p := newProvince(t, 2400, onPostgres, behindSentinel(&g), func(p *province) { p.perSecond = 80 })
	g.watch(p)
	p.serve()
	id := p.alert()
	p.waitTaken(p.n / 4)
	if got := p.ready(); got != "ready queue" {
		t.Fatalf("before the fault: %s", got)
	}
	if err := g.master.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = g.master.Wait()
	p.inTheMiddle(id, "the master's death")

	p.eventually(30*time.Second, "the replica to become the master", func() (bool, string) {
		out := p.redisCLI(g.sentinels[0], "sentinel", "get-master-addr-by-name", "loa")
		return strings.Contains(out, g.replica), out
	})
	p.eventually(30*time.Second, "the queue to work on the new master", func() (bool, string) {
		stats := p.redisCLI(g.replica, "info", "commandstats")
		return strings.Contains(stats, "cmdstat_xreadgroup:") && p.ready() == "ready queue", stats
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
