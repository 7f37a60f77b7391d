package delivery

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"loa/channels"
)

func twoProviders(a, b *book, change func(ps []Provider)) Lane {
	ps := []Provider{{Sender: a}, {Sender: b}}
	if change != nil {
		change(ps)
	}
	return Lane{Kind: channels.SMS, Providers: ps, Workers: 2, Window: 8}
}

// The routing decision: prefix first, then cost, then the order of the
// configuration; health and what the provider has refused take one out.
func TestRoute(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name     string
		prefixes [2][]string
		cost     [2]int
		priority Priority
		region   string
		spoil    func(h *hold, a, b *provider)
		full     string
		want     string
		aside    bool
	}{
		{name: "the first of equals", region: "+8491", want: "a"},
		{name: "the cheaper", cost: [2]int{3, 2}, region: "+8491", want: "b"},
		{name: "its prefix before the cheaper", prefixes: [2][]string{nil, {"+8491"}}, cost: [2]int{1, 9}, region: "+8491", want: "b"},
		{name: "the longer prefix", prefixes: [2][]string{{"+84"}, {"+8491"}}, region: "+8491", want: "b"},
		{name: "none before another's", prefixes: [2][]string{{"+8496"}, nil}, region: "+8491", want: "b"},
		{name: "another's rather than nobody", prefixes: [2][]string{{"+8496"}, nil}, region: "+8491", spoil: func(_ *hold, _, b *provider) { b.breaker.trip(now) }, want: "a"},
		{name: "the first is down", region: "+8491", spoil: func(_ *hold, a, _ *provider) { a.breaker.trip(now) }, want: "b"},
		{name: "its range is down", region: "+8491", spoil: func(_ *hold, a, _ *provider) { a.regions.suspect("+8491", a.breaker).trip(now) }, want: "b"},
		{name: "another range is down", region: "+8496", spoil: func(_ *hold, a, _ *provider) { a.regions.suspect("+8491", a.breaker).trip(now) }, want: "a"},
		{name: "its range is down on both", region: "+8491", spoil: func(_ *hold, a, b *provider) {
			a.regions.suspect("+8491", a.breaker).trip(now)
			b.regions.suspect("+8491", b.breaker).trip(now)
		}, aside: true},
		{name: "it refused the text", region: "+8491", spoil: func(h *hold, a, _ *provider) { h.refused |= a.bit() }, want: "b"},
		{name: "it refused it for this recipient", region: "+8491", spoil: func(h *hold, _, _ *provider) { h.bars(0, "a") }, want: "b"},
		{name: "urgent goes past a full one", region: "+8491", full: "a", want: "b"},
		{name: "a bulletin waits for it", region: "+8491", priority: P3, full: "a"},
		{name: "a bulletin goes past one that is away for long", region: "+8491", priority: P3, spoil: func(_ *hold, a, _ *provider) { a.pauseFor(time.Minute, now) }, want: "b"},
		{name: "both are down", region: "+8491", spoil: func(_ *hold, a, b *provider) { a.breaker.trip(now); b.breaker.trip(now) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b := &book{kind: channels.SMS, name: "a"}, &book{kind: channels.SMS, name: "b"}
			r := newRig(t, nil, twoProviders(a, b, func(ps []Provider) {
				for i := range ps {
					ps[i].Prefixes, ps[i].Cost = c.prefixes[i], c.cost[i]
				}
			}))
			l := r.e.lanes[0]
			x := batch(channels.SMS, 1, 1)
			x.Priority, x.Marks = c.priority, make([]Mark, 1)
			h := newHold(Lease{Batch: x}, l, &flag{}, now, now)
			if c.spoil != nil {
				c.spoil(h, l.providers[0], l.providers[1])
			}
			out := map[*provider]bool{}
			for _, p := range l.providers {
				out[p] = p.name == c.full
			}
			p, aside, _ := h.route(l.order(c.region), 0, c.region, out, now)
			got := ""
			if p != nil {
				got = p.name
			}
			if got != c.want || aside != c.aside {
				t.Errorf("%q (aside %v), want %q (%v)", got, aside, c.want, c.aside)
			}
		})
	}
}

// One provider dies in the middle: the other gets whom it certainly did not
// take, and nobody about whom it left a doubt.
func TestFailover(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		both bool // people may have got it from both
	}{
		{"transient", fault(channels.FaultTransient, ""), false},
		{"throttled", &channels.Error{Fault: channels.FaultThrottled, RetryAfter: time.Minute}, false},
		{"provider", fault(channels.FaultProvider, "21606"), false},
		{"revoked", &channels.Error{Fault: channels.FaultProvider, Account: true, Code: "20003"}, false},
		{"content", fault(channels.FaultContent, "30007"), false},
		{"ambiguous", errors.New("cut off"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b := &book{kind: channels.SMS, name: "a", takes: 20 * time.Millisecond}, &book{kind: channels.SMS, name: "b", takes: 20 * time.Millisecond}
				var n int
				a.answer = func(int, channels.Message) (channels.Ack, error) {
					a.mu.Lock()
					defer a.mu.Unlock()
					if n++; n > 400 {
						return channels.Ack{}, c.err
					}
					return channels.Ack{Outcome: channels.Accepted}, nil
				}
				r := newRig(t, nil, twoProviders(a, b, nil))
				r.run()
				x := batch(channels.SMS, 1, 1000)
				x.Resend = c.both
				r.send(x)
				r.finish(10 * time.Minute)
				got := r.store.outcomes()
				left := got[channels.Ambiguous] // in doubt twice: the second call was a probe of the first provider
				if got[channels.Accepted]+left != 1000 || left > 0 && !c.both || left > 8 {
					t.Errorf("%v", got)
				}
				taken := map[channels.Address]int{}
				doubts := map[channels.Address]time.Time{}
				for _, e := range a.made() {
					if e.ok {
						taken[e.msg.To]++
					} else {
						doubts[e.msg.To] = e.at
					}
				}
				if len(taken) != 400 || len(doubts) == 0 {
					t.Fatalf("the first took %d and failed %d: no failure in the middle", len(taken), len(doubts))
				}
				for _, e := range b.made() {
					if taken[e.msg.To]++; taken[e.msg.To] > 1 {
						t.Errorf("%d copies", taken[e.msg.To])
					}
					if at, doubt := doubts[e.msg.To]; c.both && doubt && e.at.Sub(at) < time.Minute {
						t.Errorf("%v after a doubt that was not settled", e.at.Sub(at))
					}
				}
				if len(taken) != 1000-left {
					t.Errorf("%d people were reached", len(taken))
				}
				r.stop()
			})
		})
	}
}

// No provider takes a text only when all have refused it.
func TestContentRefusedByAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		no := script(repeat(fault(channels.FaultContent, "30007"), 9)...)
		a, b := &book{kind: channels.SMS, name: "a", answer: no}, &book{kind: channels.SMS, name: "b", answer: no}
		r := newRig(t, nil, twoProviders(a, b, nil))
		r.run()
		r.send(batch(channels.SMS, 1, 5))
		r.finish(time.Minute)
		r.want(channels.Failed, 5)
		if a.most() != 1 || b.count() != 5 || b.most() != 1 {
			t.Errorf("a %d, b %d calls: each provider refuses a recipient once at most", a.count(), b.count())
		}
		r.stop()
	})
}

// A carrier that is down for one range of numbers holds no other back.
func TestRangeIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		var mended bool
		bad := 0
		b.answer = func(_ int, m channels.Message) (channels.Ack, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if !mended && (&lane{}).region(m.To) == "+8400" {
				bad++
				return channels.Ack{}, fault(channels.FaultTransient, "30008")
			}
			return channels.Ack{Outcome: channels.Accepted}, nil
		}
		events := make(chan ProviderEvent, 100)
		r := newRig(t, func(o *Options) { o.OnProvider = func(e ProviderEvent) { events <- e } }, smsLane(b))
		r.run()
		r.send(batch(channels.SMS, 20_500_000, 50)) // another range is known to work
		r.finish(time.Minute)
		began := time.Now()
		for i := range int64(10) { // each holds 200 of the bad range and 800 of another
			x := batch(channels.SMS, 0, 0)
			for k := range int64(200) {
				x.Recipients = append(x.Recipients, 1+1000*i+k)
			}
			for k := range int64(800) {
				x.Recipients = append(x.Recipients, 20_000_000+1000*i+k)
			}
			r.send(x)
		}
		r.until(10*time.Second, func() bool { return r.store.outcomes()[channels.Accepted] == 8050 })
		t.Logf("others done after %v, %d calls to the bad range", time.Since(began), bad)
		if bad < 20 || bad > 200 {
			t.Errorf("%d calls to a range that is down", bad)
		}
		if h := r.e.Health(); len(h.Down) != 0 {
			t.Errorf("down: %+v", h.Down)
		}
		b.mu.Lock()
		mended = true
		b.mu.Unlock()
		r.finish(10 * time.Minute)
		r.want(channels.Accepted, 10_050)
		time.Sleep(time.Second)
		var seen []string
		for len(events) > 0 {
			e := <-events
			seen = append(seen, fmt.Sprint(e.Prefix, e.Down, e.Code))
		}
		if len(seen) != 2 || seen[0] != "+8400true30008" || seen[1] != "+8400false30008" {
			t.Errorf("events %v", seen)
		}
		r.stop()
	})
}

// A revoked account is called no more but for a few probes, is told once, and
// costs nobody anything.
func TestRevoked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		var revoked bool
		var first time.Time
		further := 0
		b.answer = func(int, channels.Message) (channels.Ack, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if !revoked {
				return channels.Ack{Outcome: channels.Accepted}, nil
			}
			if now := time.Now(); first.IsZero() {
				first = now
			} else if now.After(first.Add(25 * time.Millisecond)) { // it was started after the first answer
				further++
			}
			return channels.Ack{}, &channels.Error{Fault: channels.FaultProvider, Account: true, Code: "20003"}
		}
		events := make(chan ProviderEvent, 100)
		r := newRig(t, func(o *Options) { o.OnProvider = func(e ProviderEvent) { events <- e } }, smsLane(b))
		r.run()
		for i := range int64(10) {
			r.send(batch(channels.SMS, 1+1000*i, 1000))
		}
		r.until(time.Minute, func() bool { return r.store.outcomes()[channels.Accepted] >= 3000 })
		b.mu.Lock()
		revoked = true
		b.mu.Unlock()
		time.Sleep(10 * time.Minute)
		got := r.store.outcomes()
		if further == 0 || further > 10 || got[channels.Failed]+got[channels.Ambiguous] != 0 || got[channels.Pending] == 0 {
			t.Errorf("%d further calls; %v", further, got)
		}
		if len(events) != 1 {
			t.Fatalf("%d events", len(events))
		}
		if e := <-events; !e.Down || e.Code != "20003" || e.Provider != "standin" || e.Kind != channels.SMS || e.Since.IsZero() {
			t.Errorf("event %+v", e)
		}
		b.mu.Lock()
		revoked = false
		b.mu.Unlock()
		r.finish(10 * time.Minute)
		r.want(channels.Accepted, 10_000)
		r.stop()
	})
}

// A text that the carrier filters is stopped, told, and holds no other text
// back; the receipts that say so count as well as the answers.
func TestFilteredText(t *testing.T) {
	for _, late := range []bool{false, true} {
		bubbleRun(t, map[bool]string{false: "answer", true: "receipt"}[late], func(t *testing.T) {
			b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
			events := make(chan ProviderEvent, 100)
			r := newRig(t, func(o *Options) { o.OnProvider = func(e ProviderEvent) { events <- e } }, smsLane(b))
			b.answer = func(_ int, m channels.Message) (channels.Ack, error) {
				if m.Alert != "VN-BAD" {
					return channels.Ack{Outcome: channels.Accepted}, nil
				}
				if !late {
					return channels.Ack{}, fault(channels.FaultContent, "30007")
				}
				go func() {
					_ = r.e.SinkOf("standin")(t.Context(), channels.Receipt{Kind: channels.SMS, Ref: m.Ref, Outcome: channels.Failed, Fault: channels.FaultContent, Code: "30007"})
				}()
				return channels.Ack{Outcome: channels.Accepted}, nil
			}
			r.run()
			bad := batch(channels.SMS, 1, 1000)
			bad.Alert = "VN-BAD"
			r.send(bad, batch(channels.SMS, 5001, 1000))
			r.until(10*time.Second, func() bool { return r.store.outcomes()[channels.Accepted] >= 1000 })
			time.Sleep(5 * time.Second)
			if got := r.store.outcomes(); got[channels.Pending] < 800 || got[channels.Failed] < textRefusals {
				t.Errorf("%v: the text was not stopped", got)
			}
			if len(events) != 1 {
				t.Fatalf("%d events", len(events))
			}
			if e := <-events; e.Alert != "VN-BAD" || !e.Down || e.Code != "30007" || e.Fault != channels.FaultContent {
				t.Errorf("event %+v", e)
			}
			r.stop()
		})
	}
}

// Push services that take no body so large hold nobody up who uses another.
func TestTooLargeForSomePushServices(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.WebPush, name: "vapid", takes: 20 * time.Millisecond}
		small := func(to channels.Address) bool { return to.Reveal()[len(to.Reveal())-1] == '7' }
		b.answer = func(_ int, m channels.Message) (channels.Ack, error) {
			if small(m.To) {
				return channels.Ack{}, fault(channels.FaultContent, "413")
			}
			return channels.Ack{Outcome: channels.Accepted}, nil
		}
		r := newRig(t, nil, Lane{Kind: channels.WebPush, Providers: []Provider{{Sender: b}}, Workers: 4, Window: 64})
		r.run()
		began := time.Now()
		r.send(batch(channels.WebPush, 1, 1000))
		r.finish(10 * time.Second)
		r.want(channels.Accepted, 900)
		r.want(channels.Failed, 100)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the others waited %v", took)
		}
		r.stop()
	})
}
