package faults

import (
	"fmt"
	"net/http"

	"loa/cmd/loa/rig"
)

// stoppedAt60 stops an alert at 60 % and corrects it.
func stoppedAt60(r *run) {
	n := r.pick(3000, 10000, 100000)
	p := rig.New(r, rig.Options{People: n, PerSecond: n / 15})
	p.Nodes[0].Serve()
	id := p.Alert()
	p.AwaitTaken(n * 9 / 10 * 6 / 10)
	p.InTheMiddle(id, "the stop")
	p.Halt(id)
	by := p.Correct(id)
	old, corrected := p.FinishSome(id, within), p.FinishSome(by, within)
	p.AwaitApps(id, by)
	for _, kind := range []string{"sms", "webpush", "app"} {
		r.note("reached on "+kind, old[kind])
		r.note("corrected on "+kind, corrected[kind])
		if corrected[kind] == 0 {
			r.Errorf("nobody was corrected on %s", kind)
		}
	}
	r.judge(p, "I4", "I12")
}

// sameTenTimes has one approval asked for ten times at once, and one draft.
func sameTenTimes(r *run) {
	rounds := r.pick(3, 20, 1000)
	p := rig.New(r, rig.Options{People: 20})
	node := p.Nodes[0]
	node.Serve()
	for i := range rounds {
		ids := p.DraftAtOnce(10, fmt.Sprintf("same-%d", i))
		if len(ids) != 1 {
			r.Fatalf("round %d: the same draft ten times made %d alerts", i+1, len(ids))
		}
		id, hash := p.Submit()
		said := make(chan int, 10)
		for range cap(said) {
			go func() { said <- p.Ask(r.Context(), node, id, hash) }()
		}
		for range cap(said) {
			if status := <-said; status/100 != 2 && status != http.StatusConflict {
				r.Errorf("round %d: an approval was answered %d", i+1, status)
			}
		}
		if reached := p.FinishSome(id, within); reached["sms"] != 12 || reached["webpush"] != 6 || reached["app"] != 2 {
			r.Errorf("round %d: reached %v", i+1, reached)
		}
		p.AwaitApps(id)
	}
	r.note("rounds", rounds)
	r.judge(p)
}
