package faults

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
)

// within is how long an alert of a row may take to end, once its fault has.
const within = 2 * time.Minute

// settle waits for the alert's end and holds it against the books and the
// history against the invariants; the last thing that a row does.
func (r *run) settle(p *rig.Rig, id string) {
	r.Helper()
	r.ended(p, id)
	r.judge(p)
}

// ended waits for the alert's end and holds it against the books.
func (r *run) ended(p *rig.Rig, id string) {
	r.Helper()
	p.Finish(id, within)
	s := p.Compare(id, 0)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
}

// inDirect reports whether the node claims from the ledger.
func inDirect(n *rig.Node) bool { return n.Metric("loa_delivery_direct_mode") == 1 }

// goesDirect waits until the node has noticed that the queue is away.
func (r *run) goesDirect(n *rig.Node, since time.Time, within time.Duration) time.Duration {
	r.Helper()
	rig.Eventually(r, time.Until(since.Add(within)), "direct mode", func() (bool, string) { return inDirect(n), n.Ready() })
	return time.Since(since)
}

// comesBack waits until the node uses the queue again.
func (r *run) comesBack(n *rig.Node, since time.Time, within time.Duration) time.Duration {
	r.Helper()
	rig.Eventually(r, time.Until(since.Add(within)), "the queue to be used again", func() (bool, string) { return !inDirect(n), n.Ready() })
	return time.Since(since)
}

// sends waits until more was taken than before.
func (r *run) sends(p *rig.Rig, before int, within time.Duration) {
	r.Helper()
	rig.Eventually(r, within, "sending to go on", func() (bool, string) {
		taken := p.Taken()
		return taken > before, fmt.Sprintf("%d taken, %d before", taken, before)
	})
}

// longest keeps the longest of some times.
type longest time.Duration

func (l *longest) of(d time.Duration) { *l = max(*l, longest(d)) }

func (l longest) String() string { return time.Duration(l).Round(10 * time.Millisecond).String() }

// directWithin is when direct mode must have begun. The clause is two seconds;
// a shared machine that looks late is not the gateway's fault.
const directWithin = 2*time.Second + slack

// slack is what watching from outside may cost.
const slack = 500 * time.Millisecond

// redisKilled kills Redis several times in one alert, for a while each.
func redisKilled(r *run) {
	n, kills, down := r.pick(2000, 6000, 10000), r.pick(2, 10, 10), time.Duration(r.pick(3, 5, 5))*time.Second
	rate := n * 6 / 10 / r.pick(14, 80, 80)
	p := rig.New(r, rig.Options{People: n, PerSecond: rate})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	var entered, left longest
	slowest := 1.0
	for i := range kills {
		p.AwaitTaken(1)
		if p.Left(id, channels.Pending) == 0 {
			r.Fatalf("all was sent before kill %d", i+1)
		}
		p.Redis.Kill()
		at, before := time.Now(), p.Taken()
		entered.of(r.goesDirect(node, at, directWithin))
		r.sends(p, p.Taken(), down)
		rig.Eventually(r, 2*down, "the time to be over", func() (bool, string) { return time.Since(at) >= down, "" })
		slowest = min(slowest, float64(p.Taken()-before)/time.Since(at).Seconds()/float64(rate))
		p.Redis.Restart()
		left.of(r.comesBack(node, time.Now(), 5*time.Second))
	}
	r.note("kills", kills)
	r.note("direct mode within", entered.String())
	r.note("left within", left.String())
	r.note("slowest while Redis was down, share of the limit", fmt.Sprintf("%.2f", slowest))
	if slowest < 0.5 {
		r.Errorf("only %.2f of the rate while Redis was down", slowest)
	}
	r.settle(p, id)
}

// redisAbsent compares an alert without Redis with one that has it.
func redisAbsent(r *run) {
	n := r.pick(4000, 10000, 100000)
	play := func(o rig.Options) time.Duration {
		o.People = n
		p := rig.New(r, o)
		p.Nodes[0].Serve()
		if o.Redis != "" {
			r.goesDirect(p.Nodes[0], time.Now(), 5*time.Second)
		}
		id, hash := p.Submit()
		began := time.Now()
		p.Approve(id, hash)
		p.AwaitTaken(n * 9 / 10)
		took := time.Since(began)
		if o.Redis != "" != inDirect(p.Nodes[0]) {
			r.Errorf("redis %q: ready %s", o.Redis, p.Nodes[0].Ready())
		}
		r.settle(p, id)
		return took
	}
	with := play(rig.Options{})
	without := play(rig.Options{Redis: fmt.Sprintf("{addr: %q}", "127.0.0.1:"+rig.FreePort(r))})
	r.note("seconds with Redis", fmt.Sprintf("%.2f", with.Seconds()))
	r.note("seconds without", fmt.Sprintf("%.2f", without.Seconds()))
	if without > 2*with {
		r.Errorf("%v without Redis, %v with it", without, with)
	}
}

// redisEmptied deletes every key at points of the alert.
func redisEmptied(r *run) {
	n := r.pick(3000, 10000, 100000)
	p := rig.New(r, rig.Options{People: n, PerSecond: n / 15})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	var noticed longest
	for _, percent := range []int{10, 50, 90} {
		p.AwaitTaken(n * 9 / 10 * percent / 100)
		p.Redis.CLI("flushall")
		at := time.Now()
		p.InTheMiddle(id, fmt.Sprintf("FLUSHALL at %d %%", percent))
		rig.Eventually(r, time.Until(at.Add(2*time.Second+slack)), "the epoch to be made anew", func() (bool, string) {
			out := p.Redis.CLI("exists", "loa:epoch")
			return out == "1\n", out
		})
		noticed.of(time.Since(at))
	}
	r.note("noticed within", noticed.String())
	r.settle(p, id)
	if r.set > core {
		r.manyRebuilt()
	}
}

// manyRebuilt has the queue's own test lay 100,000 hints again.
func (r *run) manyRebuilt() {
	r.Helper()
	out, err := exec.CommandContext(r.Context(), "go", "test", "-count", "1", "-v", "-run", "^TestHintsAreMadeAnew$", "loa/gateway/queue").CombinedOutput()
	said := regexp.MustCompile(`noticed after ([0-9.]+) s, ([0-9]+) hints rebuilt after ([0-9.]+) s`).FindStringSubmatch(string(out))
	if err != nil || said == nil {
		r.Fatalf("%v: %s", err, out)
	}
	r.note("of 100,000 hints: noticed after, s", said[1])
	r.note("of 100,000 hints: rebuilt after, s", said[3])
	if took, err := strconv.ParseFloat(said[3], 64); err != nil || took > 10 {
		r.Errorf("100,000 hints took %s s, at most 10 are allowed", said[3])
	}
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
	r.note("replies lost", proxy.Lost.Load())
	r.settle(p, id)
}

// streamsWounded deletes and bends what hints lie in, while many batches wait
// there.
func streamsWounded(r *run) {
	rounds := r.pick(1, 3, 20)
	n, seconds := r.pick(3000, 10000, 40000), r.pick(30, 60, 400)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / seconds, Everywhere: true})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1)
	h := hints{r, p.Redis}
	var healed longest
	done := 0
	for range rounds {
		for _, w := range h.wounds() {
			waiting := 0
			rig.Eventually(r, 5*time.Second, "hints to wound", func() (bool, string) {
				waiting = h.waiting()
				return waiting > 2*rig.SMSWorkers, fmt.Sprint(waiting)
			})
			for _, s := range h.streams() {
				w.do(s)
			}
			at, before := time.Now(), p.Taken()
			rig.Eventually(r, 5*time.Second, "the wound of "+w.name+" to heal", func() (bool, string) {
				now, taken := h.waiting(), p.Taken()
				return now >= waiting-2*rig.SMSWorkers && taken > before, fmt.Sprintf("%d hints, %d before; %d taken, %d before", now, waiting, taken, before)
			})
			healed.of(time.Since(at))
			done++
			p.InTheMiddle(id, w.name)
		}
	}
	if inDirect(node) {
		r.Error("a wounded stream led to direct mode")
	}
	r.note("wounds", done)
	r.note("healed within", healed.String())
	r.settle(p, id)
}

// hints are the streams of SMS.
type hints struct {
	r     *run
	redis *rig.Redis
}

// streams are those with something in them.
func (h hints) streams() []string {
	h.r.Helper()
	var out []string
	for i := range 4 {
		s := fmt.Sprintf("loa:{sms}:p%d", i)
		if h.length(s) > 0 {
			out = append(out, s)
		}
	}
	return out
}

func (h hints) length(stream string) int {
	h.r.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(h.redis.CLI("xlen", stream)))
	if err != nil {
		h.r.Fatal(err)
	}
	return n
}

// waiting is how many hints there are, also those of batches in work.
func (h hints) waiting() int {
	h.r.Helper()
	n := 0
	for _, s := range h.streams() {
		n += h.length(s)
	}
	return n
}

type wound struct {
	name string
	do   func(stream string)
}

// wounds are what can be done to a stream; each must find something to do.
func (h hints) wounds() []wound {
	number := func(args ...string) {
		h.r.Helper()
		if out := strings.TrimSpace(h.redis.CLI(args...)); out == "0" {
			h.r.Errorf("%v: nothing to do", args)
		}
	}
	// The group is made with the first pop after it was lost.
	grouped := func(stream string) {
		h.r.Helper()
		rig.Eventually(h.r, 10*time.Second, "a group", func() (bool, string) {
			out, err := h.redis.Try("xinfo", "groups", stream)
			return err == nil && len(fieldsAfter(out, "name")) == 1, out
		})
	}
	return []wound{
		{"XGROUP DESTROY", func(s string) { grouped(s); number("xgroup", "destroy", s, "loa") }},
		{"DEL", func(s string) { number("del", s) }},
		{"XGROUP DELCONSUMER", func(s string) {
			grouped(s)
			lost := 0
			for _, c := range fieldsAfter(h.redis.CLI("xinfo", "consumers", s, "loa"), "name") {
				n, _ := strconv.Atoi(strings.TrimSpace(h.redis.CLI("xgroup", "delconsumer", s, "loa", c)))
				lost += n
			}
			if lost == 0 {
				h.r.Error("the consumers had nothing pending")
			}
		}},
		{"XTRIM", func(s string) { number("xtrim", s, "maxlen", "0") }},
		{"XGROUP SETID", func(s string) { grouped(s); h.redis.CLI("xgroup", "setid", s, "loa", "0") }},
	}
}

// fieldsAfter lists what follows a name in a flat reply of redis-cli.
func fieldsAfter(reply, name string) []string {
	var out []string
	lines := strings.Split(strings.TrimSpace(reply), "\n")
	for i, l := range lines[:len(lines)-1] {
		if strings.TrimSpace(l) == name {
			out = append(out, strings.TrimSpace(lines[i+1]))
		}
	}
	return out
}
