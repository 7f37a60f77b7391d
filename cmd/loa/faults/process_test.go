package faults

import (
	"fmt"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
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
	before := p.Taken()
	node.Serve()
	ready := time.Now()
	rig.Eventually(r, 10*time.Second, "the first send after the restart", func() (bool, string) {
		taken := p.Taken()
		return taken > before, fmt.Sprintf("%d, %d before", taken, before)
	})
	r.note("resumed after", time.Since(ready).Round(time.Millisecond).String())
	doubts := p.Left(id, channels.Ambiguous, channels.Sending)
	p.Finish(id, within)
	s := p.Compare(id, p.OpenCalls())
	r.note("in doubt after the restart", doubts)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	r.judge(p)
}
