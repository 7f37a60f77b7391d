package faults

import (
	"fmt"
	"strings"
	"time"

	"loa/cmd/loa/rig"
)

// queueFailures counts the calls to the queue that failed.
func queueFailures(n *rig.Node) float64 {
	return n.Metric("loa_delivery_failures_total", `call="queue"`)
}

// badNetwork puts latency, slices, resets and loss between the gateway and
// Redis, one after the other.
func badNetwork(r *run) {
	seconds := r.pick(4, 8, 60)
	n := r.pick(2000, 6000, 20000)
	rate := n * 6 / 10 / (15 + 5*seconds)
	hosts := rig.NewNet(r, 1)
	host := hosts.Hosts[0]
	redis := rig.StartRedisOn(r, host)
	toxi := rig.NewToxi(r, redis.Addr)
	p := rig.New(r, rig.Options{People: n, PerSecond: rate, Redis: redis.Config(toxi.Addr)})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1 + n*3/10) // web push is not limited and soon over
	goroutines := node.Metric("go_goroutines")
	toxic := func(kind string, attributes map[string]any) (begin, end func()) {
		return func() { toxi.Add(kind, attributes) }, func() { toxi.Remove(kind) }
	}
	slow, quick := toxic("latency", map[string]any{"latency": 500, "jitter": 300})
	sliced, whole := toxic("slicer", map[string]any{"average_size": 4, "size_variation": 2, "delay": 2000})
	reset, kept := toxic("reset_peer", map[string]any{"timeout": 20})
	for _, fault := range []struct {
		name       string
		begin, end func()
		happened   func() bool
	}{
		{"latency 500 ± 300 ms", slow, quick, func() bool { return pingTakes(r, redis, toxi.Addr) >= 150*time.Millisecond }},
		{"slices of 4 bytes", sliced, whole, func() bool { return pingTakes(r, redis, toxi.Addr) >= 2*time.Millisecond }},
		{"reset", reset, kept, nil},
		{"10 % loss", func() {
			host.Filter("INPUT -p tcp --dport " + redis.Port + " -m statistic --mode random --probability 0.1 -j DROP")
			host.Filter("OUTPUT -p tcp --sport " + redis.Port + " -m statistic --mode random --probability 0.1 -j DROP")
		}, host.Heal, func() bool { return host.Filtered() > 0 }},
	} {
		failed := queueFailures(node)
		fault.begin()
		at, before := time.Now(), p.Taken()
		r.during(p, time.Duration(seconds)*time.Second, 5*time.Second)
		share := float64(p.Taken()-before) / time.Since(at).Seconds() / float64(rate)
		r.note(fault.name+": share of the limit", fmt.Sprintf("%.2f", share))
		r.note(fault.name+": calls that failed", queueFailures(node)-failed)
		if share < 0.2 {
			r.Errorf("%s: %.2f of the limit", fault.name, share)
		}
		if fault.happened != nil && !fault.happened() || fault.happened == nil && queueFailures(node) == failed {
			r.Errorf("%s: it did not happen", fault.name)
		}
		p.InTheMiddle(id, fault.name)
		fault.end()
		r.comesBack(node, time.Now(), 5*time.Second)
	}
	r.ended(p, id)
	rig.Eventually(r, time.Minute, "goroutines to end", func() (bool, string) {
		now := node.Metric("go_goroutines")
		return now <= goroutines+5, fmt.Sprintf("%v, %v before", now, goroutines)
	})
	r.note("goroutines before and after", fmt.Sprintf("%v, %v", goroutines, node.Metric("go_goroutines")))
	r.judge(p)
}

// pingTakes is how long Redis takes to answer through addr.
func pingTakes(r *run, redis *rig.Redis, addr string) time.Duration {
	r.Helper()
	a := r.adminAt(redis, addr)
	began := time.Now()
	a.do("PING")
	return time.Since(began)
}

// halfOpen has the flows of the gateway's connections to Redis vanish, while
// new connections work.
func halfOpen(r *run) {
	n, rounds := r.pick(2000, 6000, 10000), r.pick(1, 3, 10)
	host := rig.NewNet(r, 1).Hosts[0]
	redis := rig.StartRedisOn(r, host)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / (10 + 12*rounds), Redis: redis.Config("")})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1)
	var noticed longest
	flows := 0
	for range rounds {
		dead := map[string]bool{}
		for _, c := range clients(redis, "all") {
			dead[c] = true
			_, port, _ := strings.Cut(c, ":")
			host.Filter("INPUT -p tcp --sport " + port + " -j DROP")
			host.Filter("OUTPUT -p tcp --dport " + port + " -j DROP")
			flows++
		}
		at, failed := time.Now(), queueFailures(node)
		rig.Eventually(r, 5*time.Second, "the connections to be made anew", func() (bool, string) {
			fresh := 0
			for _, c := range clients(redis, "pubsub") {
				if !dead[c] {
					fresh++
				}
			}
			return fresh > 0 && queueFailures(node) > failed && !inDirect(node), fmt.Sprintf("%d new subscriptions, %s", fresh, node.Ready())
		})
		noticed.of(time.Since(at))
		if host.Filtered() == 0 {
			r.Error("no packet was lost")
		}
		p.InTheMiddle(id, "the half-open time")
		r.sends(p, p.Taken(), 2*time.Second)
		host.Heal()
	}
	r.note("flows dropped", flows)
	r.note("noticed and made anew within", noticed.String())
	r.settle(p, id)
}

// clients lists the addresses of Redis's clients, but for the one that asks.
func clients(redis *rig.Redis, kind string) []string {
	args := []string{"client", "list"}
	if kind != "all" {
		args = append(args, "type", kind)
	}
	var out []string
	for line := range strings.Lines(redis.CLI(args...)) {
		for f := range strings.FieldsSeq(line) {
			if addr, ok := strings.CutPrefix(f, "addr="); ok && !strings.Contains(line, "cmd=client|list") {
				out = append(out, addr)
			}
		}
	}
	return out
}

// splits cuts the old master of a Sentinel set off with the gateway on its
// side, until the others have a master of their own, and heals the network.
// What the old master took meanwhile, and acknowledged, is lost.
func splits(r *run) {
	rounds, split := r.pick(1, 3, 20), 7*time.Second
	n := r.pick(2000, 5000, 20000)
	hosts := rig.NewNet(r, 3)
	g := rig.StartGuarded(r, hosts.Hosts...)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / (10 + 20*rounds), Redis: g.Config()})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1)
	redis := []*rig.Redis{g.Master, g.Replica}
	var failover, back longest
	lost := 0
	for i := range rounds {
		g.Agree()
		old := 0
		if g.Sentinels[2].MasterAddr() == redis[1].Addr {
			old = 1
		}
		other := 1 - old
		for k, h := range hosts.Hosts {
			if k != old {
				h.Deaf(hosts.Hosts[old].Addr, hosts.Here)
			}
		}
		at := time.Now()
		rig.Eventually(r, split, "two masters at once", func() (bool, string) {
			a, b := redis[old].Info("replication", "role"), redis[other].Info("replication", "role")
			return a == "master" && b == "master", a + " " + b
		})
		failover.of(time.Since(at))
		mark := fmt.Sprintf("marker:%d", i)
		if out := redis[old].CLI("set", mark, "acknowledged"); strings.TrimSpace(out) != "OK" {
			r.Errorf("the old master did not take a write: %s", out)
		}
		r.sends(p, p.Taken(), 2*time.Second)
		rig.Eventually(r, 2*split, "the split to be over", func() (bool, string) { return time.Since(at) >= split, "" })
		p.InTheMiddle(id, "the split")
		for _, h := range hosts.Hosts {
			h.Heal()
		}
		healed := time.Now()
		g.Agree()
		rig.Eventually(r, 30*time.Second, "the old master to follow the new one", func() (bool, string) {
			s := redis[old].Info("replication", "master_link_status")
			return s == "up", s
		})
		if strings.TrimSpace(redis[other].CLI("exists", mark)) == "0" && strings.TrimSpace(redis[old].CLI("exists", mark)) == "0" {
			lost++
		}
		rig.Eventually(r, 30*time.Second, "the queue to work on the new master", func() (bool, string) {
			stats := redis[other].Info("commandstats", "cmdstat_xreadgroup")
			return stats != "" && !inDirect(node), stats + node.Ready()
		})
		back.of(time.Since(healed))
	}
	r.note("splits with two masters", rounds)
	r.note("splits in which Redis lost an acknowledged write", lost)
	r.note("second master after at most", failover.String())
	r.note("queue on the new master, after the network healed", back.String())
	if lost == 0 {
		r.Error("Redis lost nothing: the splits proved nothing")
	}
	r.settle(p, id)
}
