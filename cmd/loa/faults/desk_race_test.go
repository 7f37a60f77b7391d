package faults

import (
	"math/rand/v2"
	"time"

	"loa/cmd/loa/rig"
	"loa/gateway/historytest"
)

// stopRacesApproval has an alert approved and stopped at once, again and again.
// A stop that is acknowledged holds; one that is refused came first.
func stopRacesApproval(r *run) {
	rounds := r.pick(6, 40, 1000)
	p := rig.New(r, rig.Options{People: 20})
	node := p.Nodes[0]
	node.Serve()
	dice := rand.New(rand.NewPCG(2, 2)) // #nosec G404 -- a fault's dice
	orders := map[string]int{}
	for i := range rounds {
		id, hash := p.Submit()
		said := make(chan int, 1)
		go func() { said <- p.Ask(r.Context(), node, id, hash) }()
		time.Sleep(time.Duration(dice.Int64N(int64(12 * time.Millisecond))))
		stopped := p.AskStop(r.Context(), node, id)
		if approved := <-said; approved/100 != 2 {
			r.Errorf("round %d: the approval was answered %d", i+1, approved)
		}
		reached := p.FinishSome(id, within)
		state := string(p.Status(id).State)
		orders[state]++
		switch {
		case stopped/100 == 2 && state != "stopped", stopped == 409 && state != "approved":
			r.Errorf("round %d: the stop was answered %d and the alert is %s", i+1, stopped, state)
		case stopped/100 != 2 && stopped != 409:
			r.Errorf("round %d: the stop was answered %d", i+1, stopped)
		case state == "approved" && (reached["sms"] != 12 || reached["webpush"] != 6 || reached["app"] != 2):
			r.Errorf("round %d: it was not stopped and reached %v", i+1, reached)
		}
	}
	if orders["stopped"] == 0 || orders["approved"] == 0 {
		r.Errorf("one order alone was seen: %v", orders)
	}
	r.note("rounds", rounds)
	r.note("the approval was first, then stopped", orders["stopped"])
	r.note("the stop was first, and refused", orders["approved"])
	r.judge(p, "I4")
}

// extremeAmongBulletins has an Extreme alert approved while five lighter ones
// go out to the same people.
func extremeAmongBulletins(r *run) {
	n, bulletins := r.pick(1000, 4000, 20000), 5
	p := rig.New(r, rig.Options{People: n, PerSecond: n / 5})
	p.Nodes[0].Serve()
	var light []string
	for range bulletins {
		light = append(light, p.Alert("storm.on_land", "heavy_rain.warning", "severity: Extreme", "severity: Moderate",
			`level: "4"`, `level: "2"`, `value: "4"`, `value: "2"`, `wind: "12-13"`, "rain: \"100-200\"\n      rain_max: \"300\"", "Bão số 3", "Mưa lớn"))
	}
	p.AwaitTaken(n / 5)
	id, hash := p.Submit()
	for _, b := range light {
		p.InTheMiddle(b, "the Extreme alert")
	}
	began := historytest.Monotonic()
	p.Approve(id, hash)
	p.Finish(id, within)
	for _, b := range light {
		p.Finish(b, within)
	}
	first, late := int64(0), 0
	type span struct{ from, to int64 }
	waits := map[string]*span{}
	p.Records(func(e historytest.Event) {
		if e.Kind == historytest.KindBacklog && e.T >= began {
			switch w := waits[string(e.Channel)]; {
			case e.Open && w == nil:
				waits[string(e.Channel)] = &span{from: e.T}
			case !e.Open && w != nil && w.to == 0:
				w.to = e.T
			}
		}
		if e.Kind == historytest.KindRequest && e.Priority == "p0" && e.T >= began && (first == 0 || e.T < first) {
			first = e.T
		}
	})
	p.Records(func(e historytest.Event) {
		w := waits[string(e.Channel)]
		if e.Kind == historytest.KindRequest && e.Priority == "p1" && w != nil && e.T > w.from+int64(time.Second) && e.T < w.to {
			late++
		}
	})
	after := time.Duration(first - began)
	r.note("first Extreme send after the approval was asked for", after.Round(time.Millisecond).String())
	r.note("lighter sends later than 1 s", late)
	if first == 0 || after > 500*time.Millisecond {
		r.Errorf("the first Extreme send came after %v", after)
	}
	if late > 0 {
		r.Errorf("%d lighter sends started later than 1 s after the Extreme alert waited", late)
	}
	if w := waits["sms"]; w == nil || w.to-w.from < int64(2*time.Second) {
		r.Errorf("the Extreme alert did not wait long enough on SMS to tell: %+v", w)
	}
	r.judgeAs(p, rig.Trial{Within: 5 * time.Minute})
}
