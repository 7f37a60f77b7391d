package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// postgres is a PostgreSQL of our own on a socket in a folder of its own.
type postgres struct {
	dir, bin string
	as       *syscall.SysProcAttr
}

// database is the server of this test run, started when it is first needed.
var database = sync.OnceValues(startPostgres)

var postgresAsked bool // by the one goroutine that is first; read at the end

// startPostgres starts the newest PostgreSQL that is installed. It does not run
// as root, so root starts it as the user postgres.
func startPostgres() (*postgres, error) {
	postgresAsked = true
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(bins) == 0 {
		return nil, fmt.Errorf("PostgreSQL is not installed (package postgresql): %w", err)
	}
	slices.Sort(bins)
	dir, err := os.MkdirTemp("", "loa-pg-")
	if err != nil {
		return nil, err
	}
	s := &postgres{dir: dir, bin: filepath.Dir(bins[len(bins)-1])}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	if _, err := s.run("initdb", "-D", data, "-U", "loa", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"); err != nil {
		return nil, err
	}
	opts := fmt.Sprintf("-k %s -c listen_addresses='' -c max_connections=100 -c shared_buffers=64MB", dir)
	_, err = s.run("pg_ctl", "-D", data, "-o", opts, "-l", filepath.Join(dir, "log"), "-w", "start")
	return s, err
}

func stopPostgres() {
	if !postgresAsked {
		return
	}
	if s, _ := database(); s != nil {
		_, _ = s.run("pg_ctl", "-D", filepath.Join(s.dir, "data"), "-m", "immediate", "stop")
		_ = os.RemoveAll(s.dir)
	}
}

func (s *postgres) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	c.SysProcAttr, c.Dir = s.as, s.dir
	if name == "pg_ctl" {
		// The server keeps what it inherits: no pipe must wait for its end.
		return "", c.Run()
	}
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (s *postgres) dsn(name string) string {
	return (&url.URL{Scheme: "postgres", User: url.User("loa"), Path: "/" + name, RawQuery: url.Values{"host": {s.dir}}.Encode()}).String()
}

// onPostgres gives a province an empty database.
func onPostgres(p *province) {
	p.t.Helper()
	s, err := database()
	if err != nil {
		if os.Getenv("CI") == "true" {
			p.t.Fatal(err)
		}
		p.t.Skip(err)
	}
	name := "p" + freePort(p.t)
	if _, err := s.run("createdb", "-h", s.dir, "-U", "loa", name); err != nil {
		p.t.Fatal(err)
	}
	p.postgres = s.dsn(name)
}

// ask has psql answer one question about the province's database.
func (p *province) ask(query string) string {
	p.t.Helper()
	s, err := database()
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := s.run("psql", "-X", "-A", "-t", "-d", p.postgres, "-c", query)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
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
