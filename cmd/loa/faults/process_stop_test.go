package faults

import (
	"fmt"
	"syscall"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
)

// rollingRestarts tells one gateway of two after the other to end, and starts
// it again.
func rollingRestarts(r *run) {
	rounds, n := r.pick(2, 12, 60), r.pick(2000, 10000, 100000)
	p := several(r, 2, rig.Options{People: n, PerSecond: n * 6 / 10 / (rounds * 5)})
	id := p.Alert()
	longest := time.Duration(0)
	for i := range rounds {
		node := p.Nodes[i%2]
		p.AwaitTaken(p.Taken() + 10)
		p.InTheMiddle(id, fmt.Sprintf("SIGTERM %d", i+1))
		node.Signal(syscall.SIGTERM)
		asked := time.Now()
		rig.Eventually(r, 20*time.Second, node.Name+" to end", func() (bool, string) {
			select {
			case <-node.Ended():
				return true, ""
			default:
				return false, "it still runs"
			}
		})
		longest = max(longest, time.Since(asked))
		if err := node.Err(); err != nil {
			r.Errorf("round %d: %v", i+1, err)
		}
		if n := p.Left(id, channels.Ambiguous); n > 0 {
			r.Errorf("round %d: %d recipients are in doubt", i+1, n)
		}
		node.Serve()
	}
	if longest > 5*time.Second {
		r.Errorf("the longest drain took %v", longest)
	}
	p.Finish(id, within)
	s := p.Compare(id, 0)
	r.note("restarts", rounds)
	r.note("longest drain", longest.Round(time.Millisecond).String())
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	r.judge(p)
}
