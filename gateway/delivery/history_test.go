package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/alert"
)

// plan of one run, drawn by rapid: everything that may go wrong.
type fate struct {
	seed       uint64
	batches    int
	size       int
	takes      time.Duration
	commit     time.Duration
	perSecond  int
	ambiguous  float64
	transient  float64
	throttled  float64
	address    float64
	stopAfter  time.Duration // of alert A; 0: never
	extremeAt  time.Duration // p0 comes then; 0: never
	expiresIn  time.Duration // of alert B
	killAfter  time.Duration // of the first process; 0: never
	queueDown  bool
	queueWiped bool
	noQueue    bool
}

func drawFate(rt *rapid.T) fate {
	ms := func(name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(rt, name)) * time.Millisecond
	}
	share := func(name string) float64 { return float64(rapid.IntRange(0, 15).Draw(rt, name)) / 100 }
	return fate{
		seed: rapid.Uint64().Draw(rt, "seed"), batches: rapid.IntRange(1, 6).Draw(rt, "batches"), size: rapid.IntRange(1, 80).Draw(rt, "size"),
		takes: ms("takes", 400), commit: ms("commit", 5), perSecond: rapid.SampledFrom([]int{0, 0, 40, 200}).Draw(rt, "per second"),
		ambiguous: share("ambiguous"), transient: share("transient"), throttled: share("throttled"), address: share("address"),
		stopAfter: ms("stop", 3000), extremeAt: ms("extreme", 3000), expiresIn: 2*time.Second + ms("expires", 100_000), killAfter: ms("kill", 3000),
		queueDown: rapid.Bool().Draw(rt, "queue down"), queueWiped: rapid.Bool().Draw(rt, "queue wiped"), noQueue: rapid.Bool().Draw(rt, "no queue"),
	}
}

// carrier is the provider: what it took is the truth.
type carrier struct {
	f   fate
	mu  sync.Mutex
	rng *rand.Rand
	log []taken
}

type taken struct {
	at     time.Time
	msg    channels.Message
	answer string
}

func (c *carrier) Kind() channels.Kind { return channels.SMS }
func (c *carrier) Provider() string    { return "standin" }
func (c *carrier) Live() bool          { return true }

func (c *carrier) Send(ctx context.Context, m channels.Message) (channels.Ack, error) {
	c.mu.Lock()
	x := c.rng.Float64()
	d := time.Duration(c.rng.Int64N(int64(c.f.takes) + 1))
	at := len(c.log)
	c.log = append(c.log, taken{at: time.Now(), msg: m, answer: "open"})
	c.mu.Unlock()
	time.Sleep(d)
	var answer string
	var err error
	switch f := c.f; {
	case x < f.ambiguous:
		answer, err = "ambiguous", errors.New("reset")
	case x < f.ambiguous+f.transient:
		answer, err = "transient", fault(channels.FaultTransient, "")
	case x < f.ambiguous+f.transient+f.throttled:
		answer, err = "throttled", fault(channels.FaultThrottled, "")
	case x < f.ambiguous+f.transient+f.throttled+f.address:
		answer, err = "address", fault(channels.FaultAddress, "21211")
	default:
		answer = "accepted"
	}
	c.mu.Lock()
	c.log[at].answer = answer
	c.mu.Unlock()
	return channels.Ack{Outcome: channels.Accepted}, err
}

// history is what happened, for the checker.
type history struct {
	f        fate
	store    *modelStore
	calls    []taken
	began    time.Time
	stopped  time.Time
	extreme  time.Time
	killed   time.Time
	window   int // workers times window
	stopName alert.ID
}

func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFate(rt)
		var h *history
		synctest.Test(t, func(t *testing.T) { h = live(t, f) })
		for _, broken := range h.check() {
			rt.Errorf("%+v: %s", f, broken)
		}
	})
}

// live runs the fate to its end.
func live(t *testing.T, f fate) *history {
	t.Helper()
	c := &carrier{f: f, rng: rand.New(rand.NewPCG(f.seed, 1))}
	lane := Lane{Kind: channels.SMS, Workers: 2, Window: 8, Providers: []Provider{{Sender: c, PerSecond: f.perSecond}}}
	s := &severed{modelStore: newModelStore()}
	s.commit = f.commit
	r := newRig(t, func(o *Options) {
		o.Store = s
		if f.noQueue {
			o.Hints = nil
		}
	}, lane)
	r.store = s.modelStore
	h := &history{f: f, store: s.modelStore, began: time.Now(), window: 16, stopName: "A"}
	r.run()
	for i := range f.batches {
		x := batch(channels.SMS, int64(1+1000*i), f.size)
		x.Alert = []alert.ID{"A", "B", "C"}[i%3]
		x.Priority = []Priority{P1, P1, P3}[i%3]
		x.Resend, x.Urgent = x.Alert != "C", x.Alert != "C"
		if x.Alert == "B" {
			x.Expires = h.began.Add(f.expiresIn)
		}
		r.send(x)
	}
	second := h.disturb(r, s, lane)
	for end := time.Now().Add(time.Hour); !r.store.allDone() && time.Now().Before(end); {
		time.Sleep(time.Second)
	}
	time.Sleep(15 * time.Second)
	second()
	s.dead.Store(false)
	r.stop()
	h.calls = c.log
	return h
}

// disturb does what the fate says, each at its time, and returns how to end
// the second process.
func (h *history) disturb(r *rig, s *severed, lane Lane) func() {
	f := h.f
	end := func() {}
	for ms := range 3001 {
		at := time.Duration(ms) * time.Millisecond
		if at > 0 && at == f.extremeAt {
			x := batch(channels.SMS, 500_001, f.size)
			x.Alert = "P0"
			r.send(x)
			h.extreme = time.Now()
		}
		if at > 0 && at == f.stopAfter {
			s.stop(h.stopName)
			h.stopped = time.Now()
			r.e.StopAlert(h.stopName)
		}
		if at > 0 && at == f.killAfter {
			s.dead.Store(true)
			h.killed = time.Now()
			r.end() // it starts nothing more, and can settle nothing
			end = another(r, s.modelStore, lane)
		}
		if at == 500*time.Millisecond && f.queueDown {
			r.hints.setFail(errors.New("connection refused"))
		}
		if at == 3000*time.Millisecond {
			r.hints.setFail(nil)
		}
		if at == 700*time.Millisecond && f.queueWiped {
			r.hints.forget()
		}
		time.Sleep(time.Millisecond)
	}
	return end
}

// another process takes part.
func another(r *rig, s *modelStore, lane Lane) func() {
	o := r.e.opt
	o.Store, o.Node, o.Registerer, o.Lanes = s, "two", nil, []Lane{lane}
	e, err := New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	return func() {
		cancel()
		<-done
	}
}

// check holds the history against the invariants and returns what is broken.
func (h *history) check() (broken []string) {
	type key struct {
		alert string
		to    channels.Address
	}
	tooOpen := 0
	accepted, maybe := map[key]int{}, map[key]int{}
	for _, c := range h.calls {
		k := key{c.msg.Alert, c.msg.To}
		switch c.answer {
		case "accepted":
			accepted[k]++
		case "ambiguous", "open":
			maybe[k]++
		}
		if !h.stopped.IsZero() && c.msg.Alert == string(h.stopName) && c.at.After(h.stopped.Add(time.Second)) {
			broken = append(broken, "I4: a call started more than 1 s after the stop")
		}
		if c.msg.Alert == "B" && !c.at.Before(h.began.Add(h.f.expiresIn)) {
			broken = append(broken, "I5: a call started after the expiry")
		}
		if !h.extreme.IsZero() && c.msg.Alert == "C" && c.at.After(h.extreme.Add(time.Second)) && h.killed.IsZero() && h.extremeOpen(c.at) {
			broken = append(broken, "I10: a bulletin's call started while Extreme waited")
		}
	}
	crashed := 0
	for _, b := range h.store.batches {
		for i, m := range b.Marks {
			k := key{string(b.Alert), addressOf(b.Recipients[i])}
			n, doubts := accepted[k], maybe[k]
			if !h.store.dead[b.Alert] && !m.Outcome().Final() {
				broken = append(broken, "I1: a recipient of a live alert is left "+m.Outcome().String())
			}
			if n+doubts > 2 || !b.Resend && n+doubts > 1 {
				broken = append(broken, "I3: more calls may have been taken than promised")
			}
			if n > 1+doubts {
				crashed++ // a copy after the holder died with the call open
			}
			if n > 0 && !m.Outcome().Reached() {
				broken = append(broken, "I11: taken by the provider, but "+m.Outcome().String())
			}
			if m.Outcome() == channels.Accepted && n == 0 {
				broken = append(broken, "I2: accepted, but the provider never took it")
			}
		}
	}
	if h.killed.IsZero() && crashed > 0 || crashed > h.window {
		broken = append(broken, "I3: second copies without a doubt")
	}
	if h.f.perSecond > 0 && h.killed.IsZero() {
		for i := range h.calls {
			n := 0
			for j := i; j < len(h.calls) && h.calls[j].at.Sub(h.calls[i].at) < time.Second; j++ {
				n++
			}
			if tooOpen = max(tooOpen, n); n > h.f.perSecond+max(h.f.perSecond/20, 1)+h.window {
				broken = append(broken, "I9: too many calls in a second")
				break
			}
		}
	}
	return broken
}

// extremeOpen says whether calls of the Extreme alert were still to come.
func (h *history) extremeOpen(at time.Time) bool {
	first := map[channels.Address]bool{}
	for _, c := range h.calls {
		if c.msg.Alert == "P0" && !c.at.After(at) {
			first[c.msg.To] = true
		}
	}
	return len(first) < h.f.size
}
