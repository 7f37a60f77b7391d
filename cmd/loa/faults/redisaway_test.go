package faults

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"loa/cmd/loa/rig"
)

// admin is a connection to Redis that is open before the fault and stays so.
type admin struct {
	r    *run
	conn net.Conn
	in   *bufio.Reader
}

func (r *run) admin(redis *rig.Redis) *admin {
	r.Helper()
	return r.adminAt(redis, redis.Addr)
}

func (r *run) adminAt(redis *rig.Redis, addr string) *admin {
	r.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = conn.Close() })
	a := &admin{r, conn, bufio.NewReader(conn)}
	a.do(redis.Login())
	return a
}

// do runs a command whose answer is one line.
func (a *admin) do(command string) string {
	a.r.Helper()
	if err := a.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		a.r.Fatal(err)
	}
	if _, err := fmt.Fprintf(a.conn, "%s\r\n", command); err != nil {
		a.r.Fatal(err)
	}
	line, err := a.in.ReadString('\n')
	if err != nil || strings.HasPrefix(line, "-") {
		a.r.Fatalf("%s: %q, %v", command, line, err)
	}
	return strings.TrimSpace(line)
}

// lines counts what a node has logged.
func lines(n *rig.Node) int { return strings.Count(n.Log(), "\n") }

// during has sending go on, with no pause longer than most, until the time is
// over, and returns the longest pause.
func (r *run) during(p *rig.Rig, span, most time.Duration) longest {
	r.Helper()
	end, last, taken := time.Now().Add(span), time.Now(), p.Taken()
	var pause longest
	rig.Eventually(r, span+10*time.Second, "the time to be over", func() (bool, string) {
		now := time.Now()
		pause.of(now.Sub(last))
		if t := p.Taken(); t > taken {
			taken, last = t, now
		}
		return now.After(end), ""
	})
	if time.Duration(pause) > most {
		r.Errorf("sending paused for %v, at most %v is allowed", pause, most)
	}
	return pause
}

// readOnly makes Redis the replica of nobody in the middle of an alert.
func readOnly(r *run) {
	n, span := r.pick(2000, 5000, 10000), time.Duration(r.pick(5, 10, 30))*time.Second
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / (15 + 2*int(span.Seconds()))})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1)
	for range 2 {
		logged := lines(node)
		p.Redis.CLI("replicaof", "127.0.0.1", rig.FreePort(r))
		at := time.Now()
		r.note("direct mode within", r.goesDirect(node, at, directWithin).Round(10*time.Millisecond).String())
		r.note("longest pause of sending", r.during(p, span, 2*time.Second+slack).String())
		if p.Redis.Info("errorstats", "errorstat_READONLY") == "" {
			r.Error("Redis refused no write")
		}
		perSecond := float64(lines(node)-logged) / time.Since(at).Seconds()
		r.note("log lines a second", fmt.Sprintf("%.1f", perSecond))
		if perSecond >= 20 {
			r.Errorf("%.1f log lines a second", perSecond)
		}
		p.InTheMiddle(id, "the read-only time")
		p.Redis.CLI("replicaof", "no", "one")
		r.note("back within", r.comesBack(node, time.Now(), 5*time.Second).Round(10*time.Millisecond).String())
	}
	r.settle(p, id)
}

// redisSlow has Redis sleep, and pause its clients.
func redisSlow(r *run) {
	n := r.pick(2000, 6000, 10000)
	redis := rig.StartRedis(r, "--enable-debug-command", "yes")
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 40, Redis: fmt.Sprintf("{addr: %q}", redis.Addr)})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1)
	for _, fault := range []struct {
		name string
		args []string
		span time.Duration
	}{
		{"DEBUG SLEEP 10", []string{"debug", "sleep", "10"}, 10 * time.Second},
		{"CLIENT PAUSE 5000", []string{"client", "pause", "5000", "all"}, 5 * time.Second},
	} {
		var wait sync.WaitGroup
		wait.Go(func() {
			if out, err := redis.Try(fault.args...); err != nil {
				r.Errorf("%s: %v %s", fault.name, err, out)
			}
		})
		at := time.Now()
		asked := make(chan []time.Duration)
		go func() { asked <- r.asks(p, id, fault.span-time.Second) }()
		r.note(fault.name+": direct mode within", r.goesDirect(node, at, directWithin).Round(10*time.Millisecond).String())
		r.note(fault.name+": longest pause of sending", r.during(p, fault.span-time.Since(at)-time.Second, 2*time.Second).String())
		if !inDirect(node) {
			r.Errorf("%s: direct mode ended before the fault", fault.name)
		}
		took := <-asked
		slices.Sort(took)
		p99 := took[len(took)*99/100]
		r.note(fault.name+": API p99", p99.Round(time.Millisecond).String())
		if p99 > time.Second {
			r.Errorf("%s: the API took %v (p99 of %d)", fault.name, p99, len(took))
		}
		wait.Wait()
		p.InTheMiddle(id, fault.name)
		r.comesBack(node, at.Add(fault.span), 5*time.Second)
	}
	r.settle(p, id)
}

// asks reads the alert's state over and over, and returns how long that took.
func (r *run) asks(p *rig.Rig, id string, span time.Duration) []time.Duration {
	end := time.Now().Add(span)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var took []time.Duration
	for time.Now().Before(end) {
		began := time.Now()
		if _, err := p.TryStatus(id); err != nil {
			r.Error(err)
		}
		took = append(took, time.Since(began))
		<-tick.C
	}
	return took
}

// clientsRefused has Redis refuse clients, kill them and change its password.
func clientsRefused(r *run) {
	n := r.pick(2000, 6000, 10000)
	pages := rig.NewPages(r)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 55, Extra: pages.Extra})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1)
	a := r.admin(p.Redis)
	kill := func() {
		a.do("CLIENT KILL TYPE normal SKIPME yes")
		a.do("CLIENT KILL TYPE pubsub SKIPME yes")
	}

	for _, fault := range []struct {
		name, begin, end string
		paged            bool
	}{
		{"maxclients", "CONFIG SET maxclients 1", "CONFIG SET maxclients 1000", true},
		{"password", "CONFIG SET requirepass changed", "CONFIG SET requirepass \"\"", false},
	} {
		a.do(fault.begin)
		at := time.Now()
		kill()
		r.note(fault.name+": direct mode within", r.goesDirect(node, at, directWithin).Round(10*time.Millisecond).String())
		r.during(p, 5*time.Second, 2*time.Second)
		if fault.paged {
			r.paged(pages, at)
		}
		p.InTheMiddle(id, fault.name)
		a.do(fault.end)
		r.note(fault.name+": back within", r.comesBack(node, time.Now(), 5*time.Second).Round(10*time.Millisecond).String())
	}
	for _, refused := range []string{"rejected_connections:0", "errorstat_NOAUTH"} {
		out := p.Redis.CLI("info", "everything")
		if strings.Contains(out, refused) != (refused == "errorstat_NOAUTH") {
			r.Errorf("%s: Redis refused nobody", refused)
		}
	}

	before := node.Metric("loa_delivery_failures_total", `call="queue"`)
	kills := r.pick(20, 50, 200)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range kills {
		kill()
		<-tick.C
	}
	at := time.Now()
	r.note("storm: connections killed, rounds", kills)
	r.note("storm: calls that failed", node.Metric("loa_delivery_failures_total", `call="queue"`)-before)
	if node.Metric("loa_delivery_failures_total", `call="queue"`) == before {
		r.Error("the kills hit no call")
	}
	p.InTheMiddle(id, "the storm")
	r.note("storm: back within", r.comesBack(node, at, 5*time.Second).Round(10*time.Millisecond).String())
	r.settle(p, id)
}

// otherRedis puts another Redis in place, with entries that are not of us.
func otherRedis(r *run) {
	n := r.pick(2000, 6000, 10000)
	first, other := rig.StartRedis(r), rig.StartRedis(r)
	proxy := rig.NewProxy(r, first.Addr)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 20, Redis: fmt.Sprintf("{addr: %q}", proxy.Addr())})
	node := p.Nodes[0]
	node.Serve()
	other.CLI("set", "loa:epoch", "of-somebody-else")
	foreign := 0
	for _, kind := range []string{"sms", "webpush", "app"} {
		for prio := range 4 {
			stream := fmt.Sprintf("loa:{%s}:p%d", kind, prio)
			for _, v := range [][]string{
				{"b", "1"}, {"b", "2"}, {"b", "3"}, {"b", "999999"}, {"b", "9223372036854775807"}, {"b", "-7"}, {"b", "1 OR 1=1"},
				{"b", "4", "to", "+84912345678"}, {"to", "+84912345678", "text", "Chuyển tiền vào tài khoản này"}, {"b", ""},
			} {
				other.CLI(append([]string{"xadd", stream, "*"}, v...)...)
				foreign++
			}
		}
	}
	other.CLI("set", "loa:{webpush}:p0:foreign", "x")
	other.CLI("set", "session:17", "of another program")

	id := p.Alert()
	p.AwaitTaken(n / 5)
	rebuilt := hintsRebuilt(node)
	proxy.To(other.Addr)
	proxy.Cut()
	r.note("hints made anew within", r.rebuilds(node, rebuilt, time.Now(), 5*time.Second).Round(10*time.Millisecond).String())
	p.InTheMiddle(id, "the change of Redis")
	if got := strings.TrimSpace(other.CLI("get", "loa:epoch")); got != "of-somebody-else" {
		r.Errorf("the other's epoch was overwritten: %q", got)
	}
	if other.Info("commandstats", "cmdstat_xreadgroup") == "" {
		r.Error("nobody read the other's entries")
	}
	p.Finish(id, within)
	rig.Eventually(r, 30*time.Second, "the foreign entries to go", func() (bool, string) {
		left := ""
		for _, kind := range []string{"sms", "webpush", "app"} {
			left += strings.TrimSpace(other.CLI("xlen", "loa:{"+kind+"}:p0")) + " "
		}
		return left == "0 0 0 ", left
	})
	if !strings.Contains(node.Log(), "entries that are no hints were dropped") {
		r.Error("no foreign entry was met")
	}
	r.note("foreign entries", foreign)
	r.ended(p, id)
	r.note("sends beside the alert's", p.Taken()-n*9/10)
	if p.Taken() != n*9/10 {
		r.Errorf("%d messages were taken, want %d", p.Taken(), n*9/10)
	}
	r.judge(p)
}
