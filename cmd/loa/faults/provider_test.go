package faults

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"loa/channels"
	"loa/channels/sms/standin"
	"loa/cmd/loa/rig"
)

// last lets a fault last.
func (r *run) last(d time.Duration) {
	r.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		r.Fatal(r.Context().Err())
	}
}

// doubts is how many calls to SMS providers may have been taken or not.
func doubts(p *rig.Rig) int {
	return int(p.Nodes[0].Metric("loa_delivery_sends_total", `kind="sms"`, `outcome="ambiguous"`))
}

// ends waits for the end of an alert and holds it against the books: there may
// be as many second copies as there were doubts.
func (r *run) ends(p *rig.Rig, id string) {
	r.Helper()
	p.Finish(id, within)
	s := p.Compare(id, doubts(p))
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
}

// awaitCarrier waits until the first carrier has taken so many.
func awaitCarrier(r *run, p *rig.Rig, n int) {
	r.Helper()
	rig.Eventually(r, time.Minute, "the carrier to take messages", func() (bool, string) {
		taken := p.TakenBy(p.CarrierBooks())
		return taken >= n, fmt.Sprintf("%d of %d", taken, n)
	})
}

// carrierOut has the carrier answer 503 for a while.
func carrierOut(r *run) {
	n, down := r.pick(1000, 3000, 10000), time.Duration(r.pick(5, 30, 300))*time.Second
	rate := n * 6 / 10 / 30
	p := rig.New(r, rig.Options{People: n, PerSecond: rate})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	awaitCarrier(r, p, n/10)
	p.BreakCarrier(standin.Faults{Fault: standin.FaultOutage, Share: 1})
	p.InTheMiddle(id, "the outage")
	rig.Eventually(r, 10*time.Second, "the breaker to open", func() (bool, string) {
		return node.Metric("loa_delivery_breaker_open", `provider="twilio"`) == 1, node.Ready()
	})
	opened := time.Now()
	r.last(down)
	if got, all := p.TakenBy(p.PushBooks()), n*3/10; got != all {
		r.Errorf("push stood at %d of %d in the outage", got, all)
	}
	p.BreakCarrier(standin.Faults{})
	mended := time.Now()
	r.ends(p, id)
	var probes []time.Time
	for _, x := range p.Refusals() {
		if x.At.After(opened) {
			probes = append(probes, x.At)
		}
	}
	if len(probes) == 0 {
		r.Error("the outage was never met")
	}
	r.note("calls while the breaker was open", len(probes))
	r.note("most of them in a second", most(probes, time.Second))
	if got := most(probes, time.Second); got > 1 {
		r.Errorf("%d probes in one second", got)
	}
	var after []time.Time
	for _, e := range p.Messages() {
		if e.At.After(mended) {
			after = append(after, e.At)
		}
	}
	again := reaches(after, rate*8/10)
	r.note("full rate after", again.Sub(mended).Round(100*time.Millisecond).String())
	if again.IsZero() || again.Sub(mended) > 15*time.Second {
		r.Errorf("full rate %v after the repair", again.Sub(mended))
	}
	r.judge(p)
}

// most is the greatest number of moments within a span.
func most(at []time.Time, span time.Duration) int {
	slices.SortFunc(at, time.Time.Compare)
	best, from := 0, 0
	for i := range at {
		for at[i].Sub(at[from]) >= span {
			from++
		}
		best = max(best, i-from+1)
	}
	return best
}

// reaches is the first moment that is followed by n within a second.
func reaches(at []time.Time, n int) time.Time {
	slices.SortFunc(at, time.Time.Compare)
	for i := 0; i+n-1 < len(at); i++ {
		if at[i+n-1].Sub(at[i]) <= time.Second {
			return at[i]
		}
	}
	return time.Time{}
}

// throttled has the carrier take seven tenths of what it is offered, once
// without and once with Retry-After.
func throttled(r *run) {
	const limit = 56
	n := limit * r.pick(10, 25, 60) * 10 / 6
	for _, after := range []string{"0s", "1s"} {
		p := rig.New(r, rig.Options{People: n, PerSecond: limit * 10 / 7, CarrierArgs: []string{"--rate", strconv.Itoa(limit), "--burst", "3", "--retry-after", after}})
		p.Nodes[0].Serve()
		id := p.Alert()
		r.ends(p, id)
		s := p.CarrierStats()
		if s.Throttled == 0 {
			r.Error("nothing was answered 429")
		}
		var at []time.Time
		for _, e := range p.Messages() {
			at = append(at, e.At)
		}
		slices.SortFunc(at, time.Time.Compare)
		i := len(at) * 95 / 100
		rate := float64(i) / at[i].Sub(at[0]).Seconds()
		r.note("Retry-After "+after+": 429", s.Throttled)
		r.note("Retry-After "+after+": accepted of the limit", fmt.Sprintf("%.0f %%", 100*rate/limit))
		if rate < 0.85*limit {
			r.Errorf("Retry-After %s: %.1f a second were taken of %d", after, rate, limit)
		}
		r.judge(p)
	}
}

// answersLost has the carrier take some messages and never answer. Its
// callbacks settle some of them, where they come late its list does.
func answersLost(r *run) {
	n := r.pick(1000, 3000, 10000)
	for _, delay := range []string{"0s", "40s"} {
		p := rig.New(r, rig.Options{People: n, CallTimeout: 2 * time.Second, ResendAfter: time.Minute,
			CarrierArgs: []string{"--fault", string(standin.FaultHang), "--share", "0.05", "--callback-delay", delay}})
		node := p.Nodes[0]
		node.Serve()
		id := p.Alert()
		began := time.Now()
		r.ends(p, id)
		settled := time.Since(began)
		r.note("callbacks after "+delay+": all settled within", settled.Round(time.Second).String())
		if settled > 90*time.Second {
			r.Errorf("settled after %v", settled)
		}
		// A callback may settle a message while its call is still open.
		rig.Eventually(r, within, "the calls without an answer to end", func() (bool, string) {
			s := p.CarrierStats()
			return s.Broken > 0 && int64(doubts(p)) == s.Broken, fmt.Sprintf("%d answers were withheld, %d were in doubt", s.Broken, doubts(p))
		})
		r.note("callbacks after "+delay+": in doubt", doubts(p))
		found := node.Metric("loa_delivery_lookups_total", `kind="sms"`, `result="found"`)
		r.note("callbacks after "+delay+": found in the carrier's list", found)
		if delay != "0s" && found == 0 {
			r.Errorf("the carrier's list settled nothing: %v were not in it, %v times it was not read",
				node.Metric("loa_delivery_lookups_total", `kind="sms"`, `result="missing"`), node.Metric("loa_delivery_lookups_total", `kind="sms"`, `result="failed"`))
		}
		r.judge(p)
	}
}

// oddSuccesses has the carrier take messages and answer nonsense.
func oddSuccesses(r *run) {
	n := r.pick(1000, 3000, 10000)
	p := rig.New(r, rig.Options{People: n, CallTimeout: 3 * time.Second, CarrierArgs: []string{"--fault", string(standin.FaultOdd), "--share", "0.1"}})
	p.Nodes[0].Serve()
	id := p.Alert()
	p.Finish(id, within)
	s := p.CarrierStats()
	if s.Broken == 0 || s.Poured == 0 || doubts(p) == 0 {
		r.Errorf("%d odd answers, %d octets of endless ones, %d in doubt", s.Broken, s.Poured, doubts(p))
	}
	sum := p.Compare(id, doubts(p))
	r.note("odd answers", s.Broken)
	r.note("in doubt", doubts(p))
	r.note("lost", sum.Lost)
	r.note("duplicates", sum.Second)
	endless := max(1, s.Broken/5)
	r.note("octets of an endless answer that left the carrier", s.Poured/endless)
	if s.Poured/endless > 16<<20 { // what the sockets between hold is not read
		r.Errorf("%d octets of each endless answer were taken", s.Poured/endless)
	}
	r.judge(p)
}

// prefixDown has the carrier answer 503 for one range of numbers.
func prefixDown(r *run) {
	n := r.pick(1000, 2000, 10000)
	rate := n * 6 / 10 / 15
	p95 := func(f standin.Faults) time.Duration {
		p := rig.New(r, rig.Options{People: n, PerSecond: rate, Ranges: []string{"+8491", "+8496", "+8498"}})
		p.Nodes[0].Serve()
		p.BreakCarrier(f)
		id := p.Alert()
		approved := time.Now()
		others := func() (took []time.Duration) {
			for _, e := range p.Messages() {
				if e.To[:5] != "+8496" {
					took = append(took, e.At.Sub(approved))
				}
			}
			return took
		}
		rig.Eventually(r, time.Minute, "the other ranges to be served", func() (bool, string) {
			got := len(others())
			return got >= n*6/10*2/3, fmt.Sprint(got)
		})
		if f.Fault != "" {
			if p.Left(id, channels.Failed) > 0 {
				r.Error("somebody was given up")
			}
			p.BreakCarrier(standin.Faults{})
			r.note("calls to the broken range", len(p.Refusals()))
			if len(p.Refusals()) == 0 {
				r.Error("the range was never called")
			}
		}
		r.ends(p, id)
		took := others()
		slices.Sort(took)
		r.judge(p)
		return took[len(took)*95/100]
	}
	well := p95(standin.Faults{})
	sick := p95(standin.Faults{Fault: standin.FaultOutage, Share: 1, Prefix: "+8496"})
	r.note("95 % of the other ranges, all well", well.Round(10*time.Millisecond).String())
	r.note("95 % of the other ranges, one range down", sick.Round(10*time.Millisecond).String())
	if float64(sick) > 1.1*float64(well) {
		r.Errorf("the others took %v, %v when all is well", sick, well)
	}
}
