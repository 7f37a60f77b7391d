package delivery

import (
	"context"
	"errors"
	"testing"
	"time"

	"loa/channels"
)

// knowing is a book that can be asked.
type knowing struct {
	*book
	tell func(n int, m channels.Message, since time.Time) (*channels.Receipt, error)
	asks []entry
}

func (k *knowing) Lookup(_ context.Context, m channels.Message, since time.Time) (*channels.Receipt, error) {
	k.mu.Lock()
	n := len(k.asks)
	k.asks = append(k.asks, entry{at: time.Now(), msg: m})
	k.mu.Unlock()
	return k.tell(n, m, since)
}

func TestDoubtsAreAskedAbout(t *testing.T) {
	doubt := errors.New("cut off")
	type tell = func(int, channels.Message, time.Time) (*channels.Receipt, error)
	found := func(after int, o channels.Outcome) tell {
		return func(n int, m channels.Message, _ time.Time) (*channels.Receipt, error) {
			if n < after {
				return nil, nil
			}
			return &channels.Receipt{Kind: channels.SMS, Ref: m.Ref, Outcome: o, ProviderRef: "SM2"}, nil
		}
	}
	missing := func(int, channels.Message, time.Time) (*channels.Receipt, error) { return nil, nil }
	deaf := func(int, channels.Message, time.Time) (*channels.Receipt, error) {
		return nil, errors.New("HTTP status 503")
	}
	for _, c := range []struct {
		name   string
		errs   int
		tell   tell
		once   bool // a bulletin
		want   channels.Outcome
		calls  int
		asks   []time.Duration // after the first call
		metric string
	}{
		{name: "found at once", errs: 1, tell: found(0, channels.Accepted), want: channels.Accepted, calls: 1, asks: []time.Duration{20 * time.Second}, metric: "found"},
		{name: "found delivered", errs: 1, tell: found(0, channels.Delivered), want: channels.Delivered, calls: 1, asks: []time.Duration{20 * time.Second}, metric: "found"},
		{name: "a bulletin found", errs: 1, once: true, tell: found(1, channels.Accepted), want: channels.Accepted, calls: 1, asks: []time.Duration{20 * time.Second, time.Minute}, metric: "found"},
		{name: "a bulletin not found", errs: 1, once: true, tell: missing, want: channels.Ambiguous, calls: 1, asks: []time.Duration{20 * time.Second, time.Minute}, metric: "missing"},
		{name: "not found, sent once more", errs: 1, tell: missing, want: channels.Accepted, calls: 2, asks: []time.Duration{20 * time.Second, time.Minute}, metric: "missing"},
		{name: "twice in doubt, found then", errs: 2, tell: found(2, channels.Accepted), want: channels.Accepted, calls: 2, asks: []time.Duration{20 * time.Second, time.Minute, 80 * time.Second}, metric: "found"},
		{name: "twice in doubt, never found", errs: 9, tell: missing, want: channels.Ambiguous, calls: 2, asks: []time.Duration{20 * time.Second, time.Minute, 80 * time.Second, 2 * time.Minute}, metric: "missing"},
		{name: "never answered", errs: 1, tell: deaf, want: channels.Accepted, calls: 2, asks: []time.Duration{20 * time.Second, time.Minute, 70 * time.Second, 80 * time.Second}, metric: "failed"},
		{name: "the lookup panics", errs: 1, once: true, tell: func(int, channels.Message, time.Time) (*channels.Receipt, error) { panic("no") }, want: channels.Ambiguous, calls: 1, asks: []time.Duration{20 * time.Second, time.Minute, 70 * time.Second, 80 * time.Second}, metric: "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				k := &knowing{book: &book{kind: channels.SMS, name: "standin", answer: script(repeat(doubt, c.errs)...)}, tell: c.tell}
				r := newRig(t, nil, Lane{Kind: channels.SMS, Providers: []Provider{{Sender: k}}, Workers: 2, Window: 16})
				r.run()
				x := batch(channels.SMS, 1, 1)
				x.Resend = !c.once
				r.send(x)
				r.finish(10 * time.Minute)
				time.Sleep(10 * time.Minute) // nothing may follow
				r.want(c.want, 1)
				if k.count() != c.calls {
					t.Errorf("%d calls, want %d", k.count(), c.calls)
				}
				first := k.made()[0].at
				if len(k.asks) != len(c.asks) {
					t.Fatalf("%d lookups, want %d", len(k.asks), len(c.asks))
				}
				for i, a := range k.asks {
					if d := a.at.Sub(first) - c.asks[i]; d < -10*time.Millisecond || d > 5*time.Second {
						t.Errorf("lookup %d after %v, want %v", i, a.at.Sub(first), c.asks[i])
					}
					if a.msg.To != addressOf(1) || string(a.msg.Body) != "Bão số 3" || a.msg.Ref == "" {
						t.Errorf("asked about %+v", a.msg)
					}
				}
				if r.metric("lookups_total", c.metric) == 0 {
					t.Errorf("lookups_total of %s did not move", c.metric)
				}
				r.stop()
			})
		})
	}
}

// A fifth of a hundred is in doubt while a crash takes the first holder away:
// another goes on asking where it stopped, everybody is found, nobody is sent
// a second copy; and lookups keep to their share of the rate.
func TestAsksSurviveACrash(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := &knowing{book: &book{kind: channels.SMS, name: "standin", takes: 100 * time.Millisecond}}
		doubts := 0
		k.answer = func(n int, m channels.Message) (channels.Ack, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			if m.To.Reveal()[11]%5 == 0 {
				doubts++
				return channels.Ack{}, errors.New("cut off")
			}
			return channels.Ack{Outcome: channels.Accepted}, nil
		}
		k.tell = func(_ int, m channels.Message, since time.Time) (*channels.Receipt, error) {
			for _, e := range k.made() {
				if e.msg.To == m.To && !e.at.Before(since) {
					return &channels.Receipt{Kind: channels.SMS, Ref: m.Ref, Outcome: channels.Accepted}, nil
				}
			}
			return nil, nil
		}
		lane := Lane{Kind: channels.SMS, Providers: []Provider{{Sender: k, PerSecond: 100}}, Workers: 2, Window: 16}
		s := &severed{modelStore: newModelStore()}
		r := newRig(t, func(o *Options) { o.Store = s }, lane)
		r.store = s.modelStore
		r.run()
		r.send(batch(channels.SMS, 1, 100), batch(channels.SMS, 1001, 100), batch(channels.SMS, 2001, 1000))
		time.Sleep(4 * time.Second)
		s.dead.Store(true)
		second := newRig(t, func(o *Options) { o.Store, o.Hints, o.Node = s.modelStore, r.hints, "two" }, lane)
		second.store = s.modelStore
		second.run()
		second.finish(3 * time.Minute)
		second.want(channels.Accepted, 1200)
		if doubts < 100 || len(k.asks) < doubts || k.most() != 1 {
			t.Errorf("%d doubts, %d lookups, at most %d calls to one person", doubts, len(k.asks), k.most())
		}
		checkRate(t, k.asks, 22*2)
		second.stop()
		s.dead.Store(false)
		r.stop()
	})
}

// A lookup that was planned and is not made leaves room for another.
func TestLookupThatIsNotMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin"}
		r := newRig(t, nil, smsLane(b))
		w := r.e.lanes[0].workers[0]
		h := newHold(Lease{Batch: batch(channels.SMS, 1, 2)}, w.l, r.e.flags.hold("a"), mono(), time.Now())
		for name, undo := range map[string]func(){
			"the lease was lost": func() { w.judge(h, Verdict{Lost: true}, mono()) },
			"the ledger failed": func() {
				w.stepped = []*hold{h}
				w.failed()
			},
		} {
			h.calls = append(h.calls, &call{h: h, ask: true}, &call{h: h, ask: true})
			w.asking = 2
			if undo(); w.asking != 0 || len(h.calls) != 0 {
				t.Errorf("%s: %d lookups are counted, %d calls kept", name, w.asking, len(h.calls))
			}
		}
	})
}
