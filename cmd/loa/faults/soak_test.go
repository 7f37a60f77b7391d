package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"loa/channels"
	carrier "loa/channels/sms/standin"
	push "loa/channels/webpush/standin"
	"loa/cmd/loa/rig"
)

var soakRows = []row{
	{id: "F70", fault: "an hour of alerts with a fault in each, every 30 s", pass: "live heap grows by less than 1 MB an hour, goroutines do not; every history is valid", from: long, alone: true, play: soak},
}

// The soak: an alert and a fault in each turn. The first turns warm caches and
// do not count for growth.
const (
	soakTurn   = 30 * time.Second
	soakWarm   = 10 // turns
	soakPeople = 700
	soakOpen   = 2 // alerts that may still be going on when the next begins
)

// soak plays alert after alert with a random fault in the middle of each. The
// first gateway is never ended, so that its memory can be watched.
func soak(r *run) {
	const turns = 120
	p := several(r, 3, rig.Options{People: soakPeople, PerSecond: soakPeople * 6 / 10 / 12, Ranges: []string{"+8491", "+8497"}})
	dice := rand.New(rand.NewPCG(70, 1)) // #nosec G404 -- a fault's dice
	faults := soakFaults(r, p)
	met := map[string]int{}
	var heap, routines []float64
	var open []string
	finish := func(most int) {
		for len(open) > most {
			p.FinishInDoubt(open[0], within)
			p.HaltForGood(open[0]) // no more than a few are in force at once
			open = open[1:]
		}
	}
	for i := range turns {
		began := time.Now()
		if i%len(faults) == 0 {
			dice.Shuffle(len(faults), func(a, b int) { faults[a], faults[b] = faults[b], faults[a] })
		}
		f := faults[i%len(faults)]
		before := f.met()
		if f.name == pushed {
			f.play(dice, "")
		}
		id := p.Alert()
		rig.Eventually(r, time.Minute, "the alert to begin", func() (bool, string) {
			pending := p.Left(id, channels.Pending)
			return pending > 0 && pending < soakPeople*9/10, fmt.Sprint(pending, " pending")
		})
		r.last(time.Duration(dice.IntN(4000)) * time.Millisecond)
		p.InTheMiddle(id, f.name)
		r.Logf("turn %d: %s", i+1, f.name)
		if f.name != pushed {
			f.play(dice, id)
		}
		rig.Eventually(r, 10*time.Second, f.name+" to be met", func() (bool, string) { return f.met() > before, "" })
		met[f.name]++
		if f.name != stopped {
			open = append(open, id)
		}
		finish(soakOpen)
		live := p.Nodes[0].Metric("go_memstats_next_gc_bytes") / 2 / (1 << 20)
		heap, routines = append(heap, live), append(routines, p.Nodes[0].Metric("go_goroutines"))
		r.Logf("turn %d took %v: live heap %.2f MiB, goroutines %.0f", i+1, time.Since(began).Round(time.Second), live, routines[i])
		if rest := soakTurn - time.Since(began); rest > 0 && i+1 < turns {
			r.last(rest)
		}
	}
	finish(0)
	r.note("alerts, each with a fault", turns)
	r.note("faults of each kind", fmt.Sprint(met))
	r.steady(heap[soakWarm:], routines[soakWarm:])
	r.judge(p, "I4", "I12")
}

// steady judges growth: live heap is half of what the collector next runs at.
func (r *run) steady(heap, routines []float64) {
	r.Helper()
	perHour := slope(heap) * float64(time.Hour/soakTurn)
	quarter := len(routines) / 4
	early, late := median(routines[:quarter]), median(routines[len(routines)-quarter:])
	r.note("live heap, MiB, median", fmt.Sprintf("%.2f", median(heap)))
	r.note("its slope, MB an hour", fmt.Sprintf("%.2f", perHour*1.048576))
	r.note("goroutines, first and last quarter", fmt.Sprintf("%.0f, %.0f", early, late))
	if perHour*1.048576 >= 1 {
		r.Errorf("live heap grew by %.2f MB an hour: %.2f", perHour*1.048576, heap)
	}
	if late > early*1.1+5 {
		r.Errorf("goroutines went from %.0f to %.0f", early, late)
	}
}

// slope is the median of the slopes between any two of the values (Theil, Sen),
// per step.
func slope(values []float64) float64 {
	var all []float64
	for i := range values {
		for j := range i {
			all = append(all, (values[i]-values[j])/float64(i-j))
		}
	}
	return median(all)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

const (
	// stopped is the one fault that is a person's.
	stopped = "stopped and corrected"
	// pushed must be there before the alert: its pushes have gone when its SMS
	// are in their middle.
	pushed = "push service answers 429"
)

type soakFault struct {
	name string
	play func(dice *rand.Rand, id string)
	met  func() float64 // grows when the fault is met
}

// soakFaults are those of the other rows that a machine can go through every
// half minute.
func soakFaults(r *run, p *rig.Rig) []soakFault {
	other := func(dice *rand.Rand) *rig.Node { return p.Nodes[1+dice.IntN(len(p.Nodes)-1)] }
	acted := 0.0 // what fails the row unless it succeeds
	atNode := func(name string, play func(n *rig.Node)) soakFault {
		return soakFault{name, func(dice *rand.Rand, _ string) {
			n := other(dice)
			play(n)
			acted++
		}, func() float64 { return acted }}
	}
	refused := func() float64 { return p.Nodes[0].Metric("loa_delivery_failures_total", `call="queue"`) }
	atRedis := func(name string, span time.Duration, begin, end func()) soakFault {
		return soakFault{name, func(*rand.Rand, string) {
			begin()
			r.last(span)
			end()
		}, refused}
	}
	cli := func(args ...string) func() { return func() { p.Redis.CLI(args...) } }
	atCarrier := func(name string, span time.Duration, f carrier.Faults) soakFault {
		return soakFault{name, func(*rand.Rand, string) {
			p.BreakCarrier(f)
			r.last(span)
			p.BreakCarrier(carrier.Faults{})
		}, func() float64 { return float64(p.CarrierStats().Broken) }}
	}
	great := 0
	return []soakFault{
		atNode("gateway killed", func(n *rig.Node) { n.Kill(); n.Serve() }),
		atNode("gateway ended by SIGTERM", func(n *rig.Node) {
			n.Signal(syscall.SIGTERM)
			<-n.Ended()
			n.Serve()
		}),
		atNode("gateway frozen for 5 s", func(n *rig.Node) {
			n.Freeze()
			r.last(5 * time.Second)
			if !n.Frozen() {
				r.Error("the gateway was not frozen")
			}
			n.Thaw()
			n.AwaitReady(10 * time.Second)
		}),
		atRedis("Redis killed", 4*time.Second, func() { p.Redis.Kill() }, func() { p.Redis.Restart() }),
		atRedis("Redis paused for 5 s", 5*time.Second, cli("client", "pause", "5000", "all"), func() {}),
		atRedis("Redis read-only", 4*time.Second, cli("replicaof", "127.0.0.1", "1"), cli("replicaof", "no", "one")),
		atNode("FLUSHALL", func(*rig.Node) { p.Redis.CLI("flushall") }),
		atCarrier("carrier answers 503", 5*time.Second, carrier.Faults{Fault: carrier.FaultOutage, Share: 1}),
		atCarrier("carrier throttles 3 of 10", 8*time.Second, carrier.Faults{Fault: carrier.FaultThrottle, Share: 0.3, RetryAfter: 1}),
		atCarrier("carrier's answers lost", 5*time.Second, carrier.Faults{Fault: carrier.FaultError, Share: 0.1}),
		atCarrier("carrier's odd successes", 5*time.Second, carrier.Faults{Fault: carrier.FaultNameless, Share: 0.1}),
		atCarrier("one range of numbers down", 5*time.Second, carrier.Faults{Fault: carrier.FaultOutage, Share: 1, Prefix: "+8497"}),
		{pushed, func(*rand.Rand, string) {
			p.BreakPush(push.Faults{Status: 429, RetryAfter: "1", Times: 40})
		}, func() float64 { return float64(p.PushRefused()[429]) }},
		{"great requests", func(*rand.Rand, string) {
			for _, n := range greatRequests(r, p, 16) {
				great += n
			}
		}, func() float64 { return float64(great) }},
		{stopped, func(_ *rand.Rand, id string) {
			p.Halt(id)
			by := p.Correct(id)
			p.FinishSome(id, within)
			p.FinishSome(by, within)
			acted++
		}, func() float64 { return acted }},
	}
}
