package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"loa/channels"
)

func fault(f channels.Fault, code string) error {
	return &channels.Error{Fault: f, Code: code, Err: errors.New("refused")}
}

// script answers the n-th call to an address with the n-th error; nil and
// whatever comes after is accepted.
func script(errs ...error) func(int, channels.Message) (channels.Ack, error) {
	return func(n int, _ channels.Message) (channels.Ack, error) {
		if n < len(errs) && errs[n] != nil {
			return channels.Ack{}, errs[n]
		}
		return channels.Ack{Outcome: channels.Accepted}, nil
	}
}

func repeat(err error, n int) []error {
	out := make([]error, n)
	for i := range out {
		out[i] = err
	}
	return out
}

func TestFaults(t *testing.T) {
	plain := errors.New("reset by peer +84000000001")
	for _, c := range []struct {
		name    string
		errs    []error
		once    bool // no resend
		want    channels.Outcome
		calls   int
		attempt uint8
		rows    int
		metric  string
		check   func(t *testing.T, r *rig, b *book)
	}{
		{name: "accepted", want: channels.Accepted, calls: 1, attempt: 1, metric: "accepted"},
		{name: "ambiguous, then accepted", errs: []error{plain}, want: channels.Accepted, calls: 2, attempt: 2, metric: "ambiguous", check: gap(time.Minute, 62*time.Second)},
		{name: "ambiguous twice", errs: []error{plain, plain}, want: channels.Ambiguous, calls: 2, attempt: 2, rows: 1, metric: "ambiguous"},
		{name: "ambiguous, a bulletin", errs: []error{plain}, once: true, want: channels.Ambiguous, calls: 1, attempt: 1, rows: 1, metric: "ambiguous"},
		{name: "ambiguous by name", errs: []error{fault(channels.FaultAmbiguous, "20500")}, once: true, want: channels.Ambiguous, calls: 1, attempt: 1, rows: 1, metric: "ambiguous"},
		{name: "transient", errs: repeat(fault(channels.FaultTransient, ""), 6), want: channels.Accepted, calls: 7, attempt: 7, metric: "transient"},
		{name: "transient for long", errs: repeat(fault(channels.FaultTransient, ""), 40), want: channels.Accepted, calls: 41, attempt: MaxAttempt, metric: "transient"},
		{name: "transient, a bulletin", errs: repeat(fault(channels.FaultTransient, ""), 2), once: true, want: channels.Accepted, calls: 3, attempt: 3, metric: "transient"},
		{name: "throttled", errs: repeat(&channels.Error{Fault: channels.FaultThrottled, RetryAfter: 7 * time.Second}, 3), want: channels.Accepted, calls: 4, attempt: 1, metric: "throttled", check: gap(7*time.Second, 9*time.Second)},
		{name: "throttled without a time", errs: repeat(fault(channels.FaultThrottled, "20429"), 3), once: true, want: channels.Accepted, calls: 4, attempt: 1, metric: "throttled"},
		{name: "address", errs: repeat(fault(channels.FaultAddress, "21211"), 1), want: channels.Failed, calls: 1, attempt: 1, rows: 1, metric: "address", check: retired},
		{name: "content", errs: repeat(fault(channels.FaultContent, "30007"), 1), want: channels.Failed, calls: 1, attempt: 1, rows: 1, metric: "content"},
		{name: "provider", errs: repeat(fault(channels.FaultProvider, "20003"), 3), want: channels.Accepted, calls: 4, attempt: 1, metric: "provider", check: gap(time.Second, 12*time.Second)},
		{name: "ambiguous, then transient, then ambiguous", errs: []error{plain, fault(channels.FaultTransient, ""), plain}, want: channels.Ambiguous, calls: 3, attempt: 3, rows: 1, metric: "transient"},
		{name: "ambiguous, then throttled, then ambiguous", errs: []error{plain, fault(channels.FaultThrottled, ""), plain}, want: channels.Ambiguous, calls: 3, attempt: 2, rows: 1, metric: "throttled"},
		{name: "ambiguous, then provider, then accepted", errs: []error{plain, fault(channels.FaultProvider, "")}, want: channels.Accepted, calls: 3, attempt: 2, metric: "provider"},
		{name: "ambiguous, then address", errs: []error{plain, fault(channels.FaultAddress, "21610")}, want: channels.Ambiguous, calls: 2, attempt: 2, rows: 1, metric: "address", check: retired},
		{name: "ambiguous, then content", errs: []error{plain, fault(channels.FaultContent, "30007")}, want: channels.Ambiguous, calls: 2, attempt: 2, rows: 1, metric: "content"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := &book{kind: channels.SMS, name: "standin", answer: script(c.errs...)}
				r := newRig(t, nil, smsLane(b))
				r.run()
				x := batch(channels.SMS, 1, 1)
				x.Resend = !c.once
				r.send(x)
				r.finish(24 * time.Hour)
				time.Sleep(10 * time.Minute) // nothing may follow
				r.want(c.want, 1)
				if b.count() != c.calls {
					t.Errorf("%d calls, want %d", b.count(), c.calls)
				}
				if m := r.store.batches[0].Marks[0]; m.Attempt() != c.attempt {
					t.Errorf("attempt %d, want %d", m.Attempt(), c.attempt)
				}
				if rows := r.store.rows(); len(rows) != c.rows || c.rows == 1 && rows[0].Waits() {
					t.Errorf("rows %+v, want %d that do not wait", rows, c.rows)
				}
				if r.metric("sends_total", "standin", c.metric) == 0 {
					t.Errorf("sends_total of %s did not move", c.metric)
				}
				if c.check != nil {
					c.check(t, r, b)
				}
				r.stop()
			})
		})
	}
}

// gap checks the time between the calls.
func gap(least, most time.Duration) func(*testing.T, *rig, *book) {
	return func(t *testing.T, _ *rig, b *book) {
		t.Helper()
		calls := b.made()
		for i := 1; i < len(calls); i++ {
			if d := calls[i].at.Sub(calls[i-1].at); d < least || d > most {
				t.Errorf("%v between calls, want %v to %v", d, least, most)
			}
		}
	}
}

func retired(t *testing.T, r *rig, _ *book) {
	t.Helper()
	if !r.store.retired[1] {
		t.Error("the endpoint was not retired")
	}
}

func TestBackOffIsBounded(t *testing.T) {
	r := newRig(t, nil)
	for attempt := range uint8(MaxAttempt + 1) {
		ceiling := min(5*time.Minute, time.Second<<(max(attempt, 1)-1))
		var longest time.Duration
		for range 200 {
			d := r.e.backOff(attempt)
			if d <= 0 || d > ceiling {
				t.Fatalf("attempt %d: %v, want up to %v", attempt, d, ceiling)
			}
			longest = max(longest, d)
		}
		if longest < ceiling/2 {
			t.Errorf("attempt %d: at most %v of %v: no full jitter", attempt, longest, ceiling)
		}
	}
}

func TestContentIsToldOncePerBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", answer: script(fault(channels.FaultContent, "30007"))}
		told := make(chan ContentRefusal, 1000)
		r := newRig(t, func(o *Options) { o.OnContent = func(c ContentRefusal) { told <- c } }, smsLane(b))
		r.run()
		r.send(batch(channels.SMS, 1, 50))
		r.finish(10 * time.Minute)
		r.want(channels.Failed, 50)
		if len(told) != 1 {
			t.Fatalf("told %d times", len(told))
		}
		if c := <-told; c != (ContentRefusal{Batch: 1, Alert: "VN-1", Revision: 1, Kind: channels.SMS, Code: "30007"}) {
			t.Errorf("told %+v", c)
		}
		r.stop()
	})
}

func TestPanicIsAmbiguous(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", answer: func(_ int, m channels.Message) (channels.Ack, error) {
			if m.To == addressOf(3) {
				panic("cannot send to " + m.To.Reveal())
			}
			return channels.Ack{Outcome: channels.Accepted}, nil
		}}
		r := newRig(t, nil, smsLane(b))
		r.run()
		r.send(batch(channels.SMS, 1, 100))
		r.finish(10 * time.Minute)
		r.want(channels.Accepted, 99)
		r.want(channels.Ambiguous, 1)
		if b.times[addressOf(3)] != 2 || r.metric("panics_total", "standin") != 2 {
			t.Errorf("%d calls, %v panics counted, want 2", b.times[addressOf(3)], r.metric("panics_total"))
		}
		if rows := r.store.rows(); len(rows) != 1 || rows[0].Code != CodePoison {
			t.Errorf("rows %+v", rows)
		}
		if !strings.Contains(r.log.String(), "panicked") {
			t.Error("the panic was not logged")
		}
		r.stop()
	})
}

func TestAnswersThatAreNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, o := range []channels.Outcome{channels.Pending, channels.Failed, channels.Cancelled, 99} {
			b := &book{kind: channels.SMS, name: "standin", answer: func(int, channels.Message) (channels.Ack, error) { return channels.Ack{Outcome: o}, nil }}
			r := newRig(t, nil, smsLane(b))
			r.run()
			x := batch(channels.SMS, 1, 1)
			x.Resend = false
			r.send(x)
			r.finish(time.Minute)
			r.want(channels.Ambiguous, 1)
			r.stop()
		}
	})
}

func TestCallThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: time.Hour}
		r := newRig(t, nil, smsLane(b))
		r.run()
		x := batch(channels.SMS, 1, 1)
		x.Resend = false
		r.send(x)
		began := time.Now()
		r.finish(time.Minute)
		if d := time.Since(began); d < 10*time.Second || d > 11*time.Second {
			t.Errorf("settled after %v, want the call's 10 s", d)
		}
		r.want(channels.Ambiguous, 1)
		if rows := r.store.rows(); len(rows) != 1 || rows[0].Code != CodeTimeout {
			t.Errorf("rows %+v", rows)
		}
		r.stop()
	})
}

func TestGoneAddressesAreCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin"}
		r := newRig(t, nil, smsLane(b))
		for id := range int64(301) {
			r.addrs.gone[id] = id%3 == 0 || id > 200
		}
		r.run()
		r.send(batch(channels.SMS, 1, 300))
		r.finish(time.Minute)
		r.want(channels.Cancelled, 166)
		r.want(channels.Accepted, 134)
		if b.count() != 134 {
			t.Errorf("%d calls", b.count())
		}
		r.stop()
	})
}

func TestAddressesFail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin"}
		r := newRig(t, nil, smsLane(b))
		r.addrs.fail = errors.New("sealed with another key")
		r.run()
		r.send(batch(channels.SMS, 1, 30))
		time.Sleep(10 * time.Second)
		if b.count() != 0 || r.metric("failures_total", "addresses") == 0 {
			t.Errorf("%d calls, %v failures", b.count(), r.metric("failures_total", "addresses"))
		}
		r.addrs.mu.Lock()
		r.addrs.fail = nil
		r.addrs.mu.Unlock()
		r.finish(time.Minute)
		r.want(channels.Accepted, 30)
		r.stop()
	})
}

// A provider whose account is revoked hears few further calls, and one that
// comes back is used again; nobody is marked failed and no attempt is spent.
func TestProviderDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var revoked, back time.Time
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		b.answer = func(int, channels.Message) (channels.Ack, error) {
			if now := time.Now(); now.After(revoked) && now.Before(back) {
				return channels.Ack{}, fault(channels.FaultProvider, "20003")
			}
			return channels.Ack{Outcome: channels.Accepted}, nil
		}
		revoked = time.Now().Add(500 * time.Millisecond)
		back = revoked.Add(5 * time.Minute)
		r := newRig(t, nil, smsLane(b))
		r.run()
		for i := range 20 {
			r.send(batch(channels.SMS, int64(1+1000*i), 500))
		}
		time.Sleep(2 * time.Second)
		if h := r.e.Health(); len(h.Down) != 1 || h.Down[0] != (Down{channels.SMS, "standin", channels.FaultProvider, "20003"}) || r.metric("breaker_open", "standin") != 1 {
			t.Errorf("health %+v, breaker_open %v", h, r.metric("breaker_open"))
		}
		r.finish(10 * time.Minute)
		r.want(channels.Accepted, 10000)
		probes := 0
		var last time.Time
		for _, c := range b.made() {
			if c.at.Before(revoked.Add(100*time.Millisecond)) || c.at.After(back) {
				continue
			}
			if probes++; !last.IsZero() && c.at.Sub(last) < time.Second {
				t.Errorf("probes %v apart", c.at.Sub(last))
			}
			last = c.at
		}
		if probes == 0 || probes > 40 {
			t.Errorf("%d calls while the provider was down", probes)
		}
		for _, bb := range r.store.batches {
			for _, m := range bb.Marks {
				if m.Attempt() != 1 {
					t.Fatalf("attempt %d was spent on a provider that is down", m.Attempt())
				}
			}
		}
		if len(r.e.Health().Down) != 0 || r.metric("breaker_open", "standin") != 0 {
			t.Error("the breaker stays open")
		}
		r.stop()
	})
}

// Whom no provider takes costs the others nothing: the fault is about the few,
// and their turn comes after everybody else's.
func TestProviderFaultsOfAFewHoldNobodyBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const few = 20
		b := &book{kind: channels.SMS, name: "standin", takes: 50 * time.Millisecond}
		r := newRig(t, nil, smsLane(b))
		bad := map[channels.Address]bool{}
		var ids []int64
		for i := range int64(few) {
			ids = append(ids, 1+97*i)
		}
		addrs, err := r.addrs.Open(t.Context(), channels.SMS, "06655", "vi", ids)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			bad[a] = true
		}
		b.answer = func(_ int, m channels.Message) (channels.Ack, error) {
			if bad[m.To] {
				return channels.Ack{}, fault(channels.FaultProvider, "21612")
			}
			return channels.Ack{Outcome: channels.Accepted}, nil
		}
		r.run()
		for i := range int64(10) {
			r.send(batch(channels.SMS, 1+1000*i, 1000))
		}
		r.until(30*time.Second, func() bool { return r.store.outcomes()[channels.Accepted] == 10_000-few })
		if r.metric("sends_total", "standin", "provider") < few {
			t.Error("the few were not called")
		}
		r.want(channels.Pending, few)
		r.stop()
	})
}

func TestManyDoubtsOpenTheBreaker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 10 * time.Millisecond, answer: script(repeat(errors.New("502"), 1000)...)}
		l := smsLane(b)
		l.Providers[0].Breaker = Breaker{Failures: 5, Open: 5 * time.Second, MaxOpen: 5 * time.Second}
		r := newRig(t, nil, l)
		r.run()
		r.send(batch(channels.SMS, 1, 1000))
		time.Sleep(4 * time.Second)
		if n := b.count(); n > 4*16 {
			t.Errorf("%d people were called through a provider that fails", n)
		}
		r.stop()
	})
}

func TestSecondProvider(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first := &book{kind: channels.SMS, name: "first", answer: script(repeat(fault(channels.FaultProvider, "20003"), 1000)...)}
		second := &book{kind: channels.SMS, name: "second"}
		r := newRig(t, nil, Lane{Kind: channels.SMS, Providers: []Provider{{Sender: first}, {Sender: second}}, Workers: 2, Window: 8})
		r.run()
		r.send(batch(channels.SMS, 1, 500))
		r.finish(time.Minute)
		r.want(channels.Accepted, 500)
		if first.count() == 0 || second.count() != 500 || second.most() != 1 {
			t.Errorf("first %d, second %d, at most %d", first.count(), second.count(), second.most())
		}
		r.stop()
	})
}

func TestRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 30 * time.Millisecond}
		l := smsLane(b)
		l.Providers[0].PerSecond = 200
		r := newRig(t, nil, l)
		r.store.commit = time.Millisecond
		r.run()
		r.send(batch(channels.SMS, 1, 1000), batch(channels.SMS, 2001, 1000))
		r.finish(time.Minute)
		r.want(channels.Accepted, 2000)
		checkRate(t, b.made(), 210)
		calls := b.made()
		if d := calls[len(calls)-1].at.Sub(calls[0].at); d > 12*time.Second {
			t.Errorf("2,000 calls at 200 per second took %v", d)
		}
		r.stop()
	})
}

func checkRate(t *testing.T, calls []entry, limit int) {
	t.Helper()
	for i, j := 0, 0; i < len(calls); i++ {
		for j < len(calls) && calls[j].at.Sub(calls[i].at) < time.Second {
			j++
		}
		if j-i > limit {
			t.Fatalf("%d calls in a second, want at most %d", j-i, limit)
		}
	}
}

// sharedRate grants what it was told to and counts.
type sharedRate struct{ asked, granted int }

func (s *sharedRate) Take(_ context.Context, provider string, perSecond, n int, _ time.Time) (int, time.Duration, error) {
	if provider != "standin" || perSecond != 100 {
		return 0, 0, fmt.Errorf("asked for %s at %d", provider, perSecond)
	}
	s.asked++
	if s.asked%2 == 1 {
		return 0, 20 * time.Millisecond, nil
	}
	s.granted++
	return 1, 0, nil
}

func TestSharedRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin"}
		l := smsLane(b)
		l.Workers, l.Providers[0].PerSecond = 1, 100
		s := &sharedRate{}
		r := newRig(t, func(o *Options) { o.Rate = s }, l)
		r.run()
		r.send(batch(channels.SMS, 1, 40))
		r.finish(time.Minute)
		if s.granted != 40 || b.count() != 40 {
			t.Errorf("granted %d, called %d", s.granted, b.count())
		}
		r.stop()
	})
}
