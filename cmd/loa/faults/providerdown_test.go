package faults

import (
	"fmt"
	"strings"
	"time"

	"loa/channels"
	"loa/channels/sms/standin"
	"loa/cmd/loa/rig"
)

// carrierKilled kills the first of two carriers at 40 %.
func carrierKilled(r *run) {
	n := r.pick(2000, 5000, 20000)
	p := rig.New(r, rig.Options{People: n, Second: true})
	p.Nodes[0].Env = append(p.Nodes[0].Env, "LOA_HISTORY_LOOKUP=1s") // nobody answers them: one more send follows the last
	p.Nodes[0].Serve()
	id := p.Alert()
	awaitCarrier(r, p, n*6/10*4/10)
	p.Carrier.Kill()
	p.InTheMiddle(id, "the carrier's death")
	// Whom it took has no report: it can send none any more, nor can it be asked.
	rig.Eventually(r, within, "all to be sent", func() (bool, string) {
		left := p.Left(id, channels.Pending, channels.Sending, channels.Ambiguous)
		return left == 0, fmt.Sprintf("%d left; %s", left, p.Nodes[0].Ready())
	})
	first := map[string]int{}
	for _, e := range p.Messages() {
		first[e.To]++
	}
	both, second := 0, map[string]bool{}
	for _, e := range p.SecondParts() {
		if !second[e.To] && first[e.To] > 0 {
			both++
		}
		second[e.To] = true
	}
	r.note("taken by the first", len(first))
	r.note("taken by the second", len(second))
	r.note("in doubt", doubts(p))
	r.note("people with both", both)
	if len(first) == 0 || len(second) == 0 {
		r.Error("one of the carriers took nothing")
	}
	if both > doubts(p) {
		r.Errorf("%d people got both, %d were in doubt", both, doubts(p))
	}
	lost := 0
	for _, x := range p.People {
		if x.Kind == channels.SMS && first[x.Address] == 0 && !second[x.Address] {
			lost++
		}
	}
	r.note("lost", lost)
	if lost > 0 || p.Left(id, channels.Failed) > 0 {
		r.Errorf("%d lost, %d failed", lost, p.Left(id, channels.Failed))
	}
	r.judge(p)
}

// credentialsRevoked has the carrier refuse our account for a while.
func credentialsRevoked(r *run) {
	n := r.pick(1000, 2000, 10000)
	pages := rig.NewPages(r)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 20, Extra: pages.Extra})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	awaitCarrier(r, p, n*6/10*3/10)
	p.BreakCarrier(standin.Faults{Fault: standin.FaultRevoked, Share: 1})
	revoked := time.Now()
	left := p.InTheMiddle(id, "the revocation")
	rig.Eventually(r, time.Minute, "somebody to be paged", func() (bool, string) { return pages.Of("provider_down") })
	r.note("paged after", time.Since(revoked).Round(time.Second).String())
	if !strings.Contains(node.Ready(), "refuses the login") {
		r.Errorf("readiness says %s", node.Ready())
	}
	calls := len(p.Refusals())
	r.note("calls after the revocation", calls)
	if calls == 0 || calls > 10 {
		r.Errorf("%d calls after the revocation", calls)
	}
	if failed, pending := p.Left(id, channels.Failed), p.Left(id, channels.Pending); failed > 0 || pending == 0 {
		r.Errorf("%d failed; %d pending, %d before", failed, pending, left)
	}
	p.BreakCarrier(standin.Faults{})
	r.ends(p, id)
	r.judge(p)
}
