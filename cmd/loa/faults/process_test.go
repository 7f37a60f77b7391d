package faults

import (
	"fmt"
	"math/rand/v2"
	"time"

	"loa/cmd/loa/rig"
	"loa/gateway/historytest"
	"loa/gateway/ledger/postgrestest"
)

// allKilled kills the only gateway at 60 % and starts it again.
func allKilled(r *run) {
	n := r.pick(3000, 10000, 100000)
	p := rig.New(r, rig.Options{People: n, PerSecond: n / 15})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(n * 9 / 10 * 6 / 10)
	p.InTheMiddle(id, "the kill")
	node.Kill()
	at := historytest.Monotonic()
	before := p.Taken()
	node.Serve()
	ready := time.Now()
	rig.Eventually(r, 3*time.Second, "the first send after the restart", func() (bool, string) {
		taken := p.Taken()
		return taken > before, fmt.Sprintf("%d, %d before", taken, before)
	})
	r.note("resumed after", time.Since(ready).Round(time.Millisecond).String())
	marked := p.Open(node, at)
	p.Finish(id, within)
	s := p.Compare(id, marked)
	r.note("marked sending at the kill", marked)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	r.judge(p)
}

// takeover is how long the work of a dead gateway may rest at the lease of
// production.
const takeover = 12 * time.Second

// oneKilled kills a gateway of several on one PostgreSQL, again and again.
func oneKilled(r *run) {
	nodes, kills := r.pick(2, 3, 3), r.pick(1, 20, 20)
	n := r.pick(2000, 10000, 100000)
	p := several(r, nodes, rig.Options{People: n, PerSecond: n * 6 / 10 / r.pick(40, 280, 300)})
	id := p.Alert()
	dice := rand.New(rand.NewPCG(1, 1)) // #nosec G404 -- a fault's dice
	marked, batches, longest := 0, 0, time.Duration(0)
	done := 0
	for i := 0; i < kills || batches == 0 && i < kills+5; i++ { // the one that is killed may have no work in hand
		done++
		p.AwaitTaken(n / 10)
		node := p.Nodes[dice.IntN(nodes)]
		p.InTheMiddle(id, fmt.Sprintf("kill %d", i+1))
		node.Kill()
		at := historytest.Monotonic()
		marked += p.Open(node, at)
		taken, after := p.AwaitTakeover(node, at, takeover)
		batches, longest = batches+taken, max(longest, after)
		node.Serve()
	}
	if batches == 0 {
		r.Error("no gateway was killed with work in hand")
	}
	doubts := p.FinishInDoubt(id, within)
	s := p.Compare(id, marked)
	r.note("kills", done)
	r.note("batches taken over", batches)
	r.note("longest until taken over", longest.Round(time.Millisecond).String())
	r.note("marked sending at the kills", marked)
	r.note("killed in both sends, in doubt for ever", doubts)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	r.judge(p)
}

// several starts gateways on one PostgreSQL and one Redis.
func several(r *run, nodes int, o rig.Options) *rig.Rig {
	o.Gateways, o.Postgres = nodes, postgrestest.Shared(r).Database(r)
	p := rig.New(r, o)
	for range nodes - 1 {
		p.AddNode()
	}
	for _, n := range p.Nodes {
		n.Serve()
	}
	return p
}

// frozen stops a gateway of two in mid-send until its leases have ended and the
// other has them, and lets it go on.
func frozen(r *run) {
	freeze(r, r.pick(3, 20, 200), 2*time.Second)
	if r.set > core {
		freeze(r, r.pick(0, 5, 5), 0)
	}
}

func freeze(r *run, rounds int, lease time.Duration) {
	n := r.pick(2000, 8000, 50000)
	p := several(r, 2, rig.Options{People: n, Lease: lease, PerSecond: max(20, n*6/10/(rounds*6))})
	id := p.Alert()
	marked, batches := 0, 0
	for i := range rounds {
		node := p.Nodes[i%2]
		p.AwaitTaken(p.Taken() + 10)
		p.InTheMiddle(id, fmt.Sprintf("round %d", i+1))
		node.Freeze()
		at := historytest.Monotonic()
		taken, _ := p.AwaitTakeover(node, at, 30*time.Second)
		marked, batches = marked+p.Open(node, at), batches+taken
		node.Thaw()
		node.AwaitReady(10 * time.Second)
	}
	if batches == 0 {
		r.Error("no gateway was frozen with work in hand")
	}
	doubts := p.FinishInDoubt(id, within)
	s := p.Compare(id, marked)
	name := "at the lease of production"
	if lease > 0 {
		name = "at a lease of " + lease.String()
	}
	r.note("rounds "+name, rounds)
	r.note("batches taken over "+name, batches)
	r.note("marked sending when frozen "+name, marked)
	r.note("lost "+name, s.Lost)
	r.note("duplicates "+name, s.Second)
	r.note("frozen in both sends, in doubt for ever "+name, doubts)
	r.judge(p)
}

// killedAtApproval kills the gateway ever later after an approval was asked
// for. Whatever was acknowledged is there, and what is there goes out.
func killedAtApproval(r *run) {
	tries := r.pick(8, 200, 1000)
	p := rig.New(r, rig.Options{People: 20})
	node := p.Nodes[0]
	node.Serve()
	var sent []string
	acknowledged, refused := 0, 0
	for i := range tries {
		id, hash := p.Submit()
		told := make(chan int, 1)
		go func() { told <- p.Ask(r.Context(), node, id, hash) }()
		wait := time.NewTimer(time.Duration(i*r.pick(5, 1, 1)%40) * time.Millisecond)
		select {
		case <-wait.C:
		case <-node.Ended():
		}
		node.Kill()
		status := <-told
		node.Serve()
		switch state := p.Status(id).State; {
		case state == "approved":
			sent = append(sent, id)
		case state != "submitted":
			r.Errorf("try %d: the alert is %s", i+1, state)
		case status/100 == 2:
			r.Errorf("try %d: the approval was acknowledged and is not there", i+1)
		default:
			refused++
		}
		if status/100 == 2 {
			acknowledged++
		}
	}
	if len(sent) == 0 || refused == 0 {
		r.Errorf("%d approvals became durable before the kill and %d did not: the kills miss the commit", len(sent), refused)
	}
	for _, id := range sent {
		if reached := p.FinishSome(id, within); reached["sms"] == 0 || reached["webpush"] == 0 || reached["app"] == 0 {
			r.Errorf("%s is approved and reached %v", id, reached)
		}
	}
	p.AwaitApps(sent...)
	r.note("tries", tries)
	r.note("approved", len(sent))
	r.note("of these acknowledged", acknowledged)
	r.note("not approved", refused)
	r.judge(p)
}
