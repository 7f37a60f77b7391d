package faults

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"loa/cmd/loa/rig"
)

// pagedWithin is when somebody on duty must know.
const pagedWithin = 60 * time.Second

// paged waits until somebody was told that Redis is away.
func (r *run) paged(pages *rig.Pages, since time.Time) {
	r.Helper()
	rig.Eventually(r, time.Until(since.Add(pagedWithin)), "a page", func() (bool, string) { return pages.Of("direct_mode") })
	r.note("paged after", time.Since(since).Round(100*time.Millisecond).String())
}

// rebuilds waits until the node has made its hints anew.
func (r *run) rebuilds(n *rig.Node, before float64, since time.Time, within time.Duration) time.Duration {
	r.Helper()
	rig.Eventually(r, time.Until(since.Add(within)), "hints to be made anew", func() (bool, string) {
		now := hintsRebuilt(n)
		return now > before && !inDirect(n), fmt.Sprintf("%v, %v before; %s", now, before, n.Ready())
	})
	return time.Since(since)
}

func hintsRebuilt(n *rig.Node) float64 {
	return n.Metric("loa_delivery_hints_total", `source="rebuild"`)
}

// appendOnly is the file that Redis appends to.
func (r *run) appendOnly(redis *rig.Redis) string {
	r.Helper()
	files, err := filepath.Glob(filepath.Join(redis.Dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		r.Fatalf("append-only files: %v, %v", files, err)
	}
	return files[0]
}

// appendOnlyDamaged kills Redis and damages what it wrote: a flipped byte keeps
// it from starting until somebody moves the file away, a cut tail does not.
func appendOnlyDamaged(r *run) {
	n := r.pick(2000, 6000, 10000)
	redis := rig.StartRedis(r, "--appendonly", "yes", "--appendfsync", "everysec")
	pages := rig.NewPages(r)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 45, Redis: fmt.Sprintf("{addr: %q}", redis.Addr), Extra: pages.Extra})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1)

	redis.Kill()
	at := time.Now()
	file := r.appendOnly(redis)
	src := r.read(file)
	i := len(src)/2 + bytes.Index(src[len(src)/2:], []byte("\r\n*"))
	src[i+2] ^= 0x15
	r.write(file, src)
	redis.Begin()
	rig.Eventually(r, 10*time.Second, "Redis to refuse the file", func() (bool, string) {
		select {
		case <-redis.Ended():
			return true, ""
		default:
			return false, redis.Said()
		}
	})
	r.note("with a flipped byte", "Redis refuses to start")
	r.goesDirect(node, at, directWithin+2*time.Second)
	before := p.Taken()
	r.paged(pages, at)
	r.sends(p, before, time.Second)
	p.InTheMiddle(id, "the flipped byte")
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		r.Fatal(err)
	}
	rebuilt := hintsRebuilt(node)
	redis.Restart()
	r.note("rebuilt from nothing within", r.rebuilds(node, rebuilt, time.Now(), 15*time.Second).Round(10*time.Millisecond).String())

	r.sends(p, p.Taken(), 5*time.Second)
	redis.Kill()
	file = r.appendOnly(redis)
	src = r.read(file)
	r.write(file, src[:len(src)*2/3-3])
	rebuilt = hintsRebuilt(node)
	redis.Restart()
	if out, err := redis.Try("info", "persistence"); err != nil || !strings.Contains(out, "aof_enabled:1") {
		r.Errorf("after the cut: %v: %s", err, out)
	}
	r.note("rebuilt after a cut tail within", r.rebuilds(node, rebuilt, time.Now(), 15*time.Second).Round(10*time.Millisecond).String())
	p.InTheMiddle(id, "the cut tail")
	r.settle(p, id)
}

func (r *run) read(file string) []byte {
	r.Helper()
	src, err := os.ReadFile(file) // #nosec G304 -- of this row
	if err != nil {
		r.Fatal(err)
	}
	return src
}

func (r *run) write(file string, src []byte) {
	r.Helper()
	if err := os.WriteFile(file, src, 0o600); err != nil {
		r.Fatal(err)
	}
}

// memoryFull leaves Redis no memory, and starts with one that would evict.
func memoryFull(r *run) {
	n, full := r.pick(2000, 6000, 10000), time.Duration(r.pick(5, 15, 30))*time.Second
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / (15 + int(full.Seconds()))})
	node := p.Nodes[0]
	p.Redis.CLI("config", "set", "maxmemory", "64mb", "maxmemory-policy", "allkeys-lru")
	node.Begin()
	rig.Eventually(r, 20*time.Second, "the start to be refused", func() (bool, string) {
		select {
		case <-node.Ended():
			return node.Err() != nil, fmt.Sprint(node.Err())
		default:
			return false, node.Said()
		}
	})
	if !strings.Contains(node.Said(), "noeviction") {
		r.Errorf("it did not say why: %s", node.Said())
	}
	r.note("with allkeys-lru", "refused at start")
	p.Redis.CLI("config", "set", "maxmemory-policy", "noeviction")

	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1)
	p.Redis.CLI("setrange", "filler", "3000000", "x")
	p.Redis.CLI("config", "set", "maxmemory", "2mb")
	at, before := time.Now(), p.Taken()
	r.note("direct mode within", r.goesDirect(node, at, directWithin).Round(10*time.Millisecond).String())
	for time.Since(at) < full {
		r.sends(p, p.Taken(), 2*time.Second+slack)
	}
	r.note("taken while full", p.Taken()-before)
	if p.Redis.Info("errorstats", "errorstat_OOM") == "" {
		r.Error("Redis refused nothing for want of memory")
	}
	p.InTheMiddle(id, "the full memory")
	p.Redis.CLI("config", "set", "maxmemory", "0")
	r.note("back within", r.comesBack(node, time.Now(), 5*time.Second).Round(10*time.Millisecond).String())
	r.settle(p, id)
}

// diskFull fills the disk that Redis appends to. With fsync at every write
// Redis ends itself; with one a second it refuses writes until there is space.
func diskFull(r *run) {
	n := r.pick(2000, 6000, 10000)
	for _, sync := range []string{"everysec", "always"} {
		// An operator is told of the one as of the other: after a while, once.
		seconds, paged := 35, true
		if sync == "always" {
			seconds, paged = 20, r.set == long
		}
		dir := rig.Tmpfs(r, "3m")
		redis := rig.StartRedis(r, "--dir", dir, "--appendonly", "yes", "--appendfsync", sync)
		pages := rig.NewPages(r)
		p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / seconds, Redis: fmt.Sprintf("{addr: %q}", redis.Addr), Extra: pages.Extra})
		node := p.Nodes[0]
		node.Serve()
		id := p.Alert()
		p.AwaitTaken(1)
		filler := filepath.Join(dir, "filler")
		if err := os.WriteFile(filler, make([]byte, 4<<20), 0o600); err == nil {
			r.Fatal("the disk did not fill")
		}
		at := time.Now()
		r.note(sync+": direct mode within", r.goesDirect(node, at, 5*time.Second).Round(10*time.Millisecond).String())
		if sync == "always" {
			rig.Eventually(r, 5*time.Second, "Redis to end itself", func() (bool, string) {
				select {
				case <-redis.Ended():
					return true, ""
				default:
					return false, redis.Said()
				}
			})
		} else if redis.Info("persistence", "aof_last_write_status") != "err" {
			r.Error("Redis could still write")
		}
		if paged {
			r.paged(pages, at)
		}
		r.sends(p, p.Taken(), 2*time.Second)
		p.InTheMiddle(id, "the full disk")
		if err := os.Remove(filler); err != nil {
			r.Fatal(err)
		}
		freed := time.Now()
		if sync == "always" {
			redis.Restart()
		}
		r.note(sync+": back within", r.comesBack(node, freed, 5*time.Second).Round(10*time.Millisecond).String())
		r.settle(p, id)
	}
}
