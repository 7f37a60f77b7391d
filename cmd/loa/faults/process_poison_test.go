package faults

import (
	"fmt"
	"strings"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
)

// poisoned has the driver panic at one recipient.
func poisoned(r *run) {
	n := r.pick(1000, 10000, 100000)
	pages := rig.NewPages(r)
	p := rig.New(r, rig.Options{People: n, Extra: pages.Extra})
	node, poison := p.Nodes[0], p.People[0]
	node.Env = append(node.Env, "LOA_PANIC_TO="+poison.Address)
	node.Serve()
	id := p.Alert()
	rig.Eventually(r, within, "all others to be reached", func() (bool, string) {
		left := p.Left(id, channels.Pending, channels.Sending)
		doubt := p.Left(id, channels.Ambiguous)
		return left == 0 && doubt == 1 && p.Taken() >= n*9/10-1, fmt.Sprintf("%d left, %d in doubt", left, doubt)
	})
	rig.Eventually(r, 2*time.Minute, "the recipient to be set aside", func() (bool, string) {
		ok := strings.Contains(node.Said(), "set aside")
		return ok, ""
	})
	aside := time.Now()
	rig.Eventually(r, time.Minute, "somebody to be paged", func() (bool, string) { return pages.Of("poison_quarantined") })
	panics := node.Metric("loa_delivery_panics_total")
	r.note("calls that panicked", panics)
	r.note("paged after it was set aside", time.Since(aside).Round(time.Millisecond).String())
	if panics == 0 || panics > 5 {
		r.Errorf("%v calls panicked", panics)
	}
	s := p.CompareBut(id, 0, func(x rig.Person) bool { return x.Address == poison.Address })
	r.note("lost besides", s.Lost)
	r.note("duplicates", s.Second)
	r.judge(p)
}
