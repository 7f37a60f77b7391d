package faults

import (
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
