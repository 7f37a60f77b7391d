package faults

import (
	"fmt"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
)

// within is how long an alert of a row may take to end, once its fault has.
const within = 2 * time.Minute

// redisKilled kills Redis several times in one alert, for a while each.
func redisKilled(r *run) {
	n, kills, down := r.pick(2000, 6000, 10000), r.pick(2, 10, 10), time.Duration(r.pick(2, 5, 5))*time.Second
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / r.pick(10, 70, 70)})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	for i := range kills {
		p.AwaitTaken(1)
		if p.Left(id, channels.Pending) == 0 {
			r.Fatalf("all was sent before kill %d", i+1)
		}
		p.Redis.Kill()
		before := p.Taken()
		rig.Eventually(r, down+3*time.Second, "direct mode", func() (bool, string) {
			return node.Metric("loa_delivery_direct_mode") == 1, node.Ready()
		})
		rig.Eventually(r, down+3*time.Second, "sending without Redis", func() (bool, string) {
			taken := p.Taken()
			return taken > before, fmt.Sprintf("%d, %d before", taken, before)
		})
		p.Redis.Restart()
		rig.Eventually(r, 10*time.Second, "the queue to be used again", func() (bool, string) {
			return node.Metric("loa_delivery_direct_mode") == 0, node.Ready()
		})
	}
	r.note("kills", kills)
	p.Finish(id, within)
	s := p.Compare(id, 0)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
}

// redisEmptied deletes every key at points of the alert.
func redisEmptied(r *run) {
	n := r.pick(3000, 10000, 100000)
	p := rig.New(r, rig.Options{People: n, PerSecond: n / 15})
	p.Nodes[0].Serve()
	id := p.Alert()
	for _, percent := range []int{10, 50, 90} {
		p.AwaitTaken(n * 9 / 10 * percent / 100)
		p.Redis.CLI("flushall")
		p.InTheMiddle(id, fmt.Sprintf("FLUSHALL at %d %%", percent))
	}
	p.Finish(id, within)
	s := p.Compare(id, 0)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
}

// repliesLost loses a share of Redis's replies after their commands worked.
func repliesLost(r *run) {
	n := r.pick(3000, 10000, 100000)
	redis := rig.StartRedis(r)
	proxy := rig.NewProxy(r, redis.Addr)
	proxy.Lose(0.05)
	p := rig.New(r, rig.Options{People: n, PerSecond: n / 8, Redis: fmt.Sprintf("{addr: %q}", proxy.Addr())})
	p.Nodes[0].Serve()
	id := p.Alert()
	p.Finish(id, within)
	if proxy.Lost.Load() == 0 {
		r.Error("no reply was lost")
	}
	s := p.Compare(id, 0)
	r.note("replies lost", proxy.Lost.Load())
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
}
