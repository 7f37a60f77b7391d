package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	push "loa/channels/webpush/standin"
	"loa/cmd/loa/rig"
)

// crashPoints are the durable steps of an alert's life, and the moments just
// before and after each.
func crashPoints() []string {
	steps := []string{
		"create", "apply submitted", "apply returned", "apply rejected", "apply approved", "apply stopped", "cut sms",
		"advance return webpush", "receive delivered",
	}
	for _, kind := range []string{"sms", "webpush", "app"} {
		for _, step := range []string{"claim", "advance start", "send", "advance settle"} {
			steps = append(steps, step+" "+kind)
		}
	}
	var points []string
	for _, s := range steps {
		points = append(points, s+" before", s+" after")
	}
	return points
}

// crashSweep ends the gateway at every durable step and starts it again.
func crashSweep(r *run) {
	const people = 40
	points, times := crashPoints(), r.pick(1, 1, 25)
	p := rig.New(r, rig.Options{People: people, ResendAfter: time.Second})
	node := p.Nodes[0]
	// A doubt is settled before the next crash: who is met by two is set aside.
	node.Env = append(node.Env, "LOA_HISTORY_LOOKUP=500ms")
	plain := node.Env
	node.Serve()
	p.Stop()
	var all []string
	crashes := 0
	for i := range times {
		for _, point := range points {
			at := fmt.Sprintf("%s:%d", point, i%3+1)
			node.Env = append(slices.Clip(plain), "LOA_CRASH_AT="+at)
			node.ServeOrEnd()
			crashed := false
			revive := func() {
				if crashed = crashed || hasCrashed(r, node, at); crashed && hasEnded(node) {
					node.Env = plain
					node.Serve()
				}
			}
			if strings.HasPrefix(point, "advance return") {
				p.BreakPush(push.Faults{Status: http.StatusServiceUnavailable, Times: 3}) // they wait, and their batch is given back
			}
			state := endOf(point)
			id := p.AlertThrough(fmt.Sprintf("sweep-%d-%s", i, strings.ReplaceAll(point, " ", "-")), state, revive)
			end := time.Now().Add(15 * time.Second)
			for !crashed && time.Now().Before(end) && (i == 0 || !settled(p, id)) {
				time.Sleep(20 * time.Millisecond)
				revive()
			}
			switch {
			case crashed:
				crashes++
			case i == 0:
				r.Errorf("%s was never passed", at)
			}
			node.Env = plain
			if !crashed {
				p.Stop()
			}
			if hasEnded(node) {
				node.Serve()
			}
			switch state {
			case "approved":
				if reached := p.FinishSome(id, within); reached["sms"] != 24 || reached["webpush"] != 12 || reached["app"] != 4 {
					r.Errorf("%s: %s reached %v", at, id, reached)
				}
				all = append(all, id)
			case "stopped": // its doubts stay doubts
				rig.Eventually(r, within, "the stop", func() (bool, string) { return settled(p, id), "" })
			}
			p.Stop()
		}
	}
	node.Serve()
	p.AwaitApps(all...)
	r.note("crash points", len(points))
	r.note("crashes", crashes)
	if len(points) < 40 {
		r.Errorf("%d points, want 40", len(points))
	}
	r.judgeAs(p, rig.Trial{Within: 10 * time.Minute})
}

// endOf is the state that an alert ends in, so that it passes the point.
func endOf(point string) string {
	for _, state := range []string{"returned", "rejected", "stopped"} {
		if strings.HasPrefix(point, "apply "+state) {
			return state
		}
	}
	return "approved"
}

// settled reports whether nothing of an alert is left that a crash could meet.
func settled(p *rig.Rig, id string) bool {
	a, err := p.TryStatus(id)
	if err != nil || a.Coverage == nil || a.Coverage.Cutting {
		return false
	}
	for _, c := range a.Coverage.Channels {
		if c.Outcomes["pending"]+c.Outcomes["sending"] > 0 {
			return false
		}
	}
	return true
}

func hasEnded(n *rig.Node) bool {
	select {
	case <-n.Ended():
		return true
	default:
		return false
	}
}

// hasCrashed reports whether the gateway ended at its crash point; that it ended
// otherwise is a fault.
func hasCrashed(r *run, n *rig.Node, at string) bool {
	if !hasEnded(n) {
		return false
	}
	if err := n.Err(); err == nil || !strings.Contains(err.Error(), "86") {
		r.Fatalf("at %s the gateway ended with %v", at, err)
	}
	return true
}
