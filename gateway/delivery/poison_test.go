package delivery

import (
	"context"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/area"
)

// cursed addresses cannot be opened: whatever tries panics.
type cursed struct {
	*modelAddresses
	bad map[int64]bool
}

func (c *cursed) Open(ctx context.Context, k channels.Kind, a area.Code, l string, ids []int64) ([]channels.Address, error) {
	for _, id := range ids {
		if c.bad[id] {
			panic("cannot be opened")
		}
	}
	return c.modelAddresses.Open(ctx, k, a, l, ids)
}

func TestAddressThatPanicsIsSetAside(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin"}
		told := make(chan Poison, 10)
		r := newRig(t, func(o *Options) {
			o.Addresses = &cursed{&modelAddresses{gone: map[int64]bool{77: true}}, map[int64]bool{3: true, 612: true}}
			o.OnPoison = func(p Poison) { told <- p }
		}, smsLane(b))
		r.run()
		r.send(batch(channels.SMS, 1, 1000))
		r.finish(time.Minute)
		r.want(channels.Accepted, 997)
		r.want(channels.Cancelled, 1)
		r.want(channels.Failed, 2)
		for _, x := range r.store.rows() {
			if x.Code != CodePoison || x.Index != 2 && x.Index != 611 {
				t.Errorf("row %+v", x)
			}
		}
		if len(told) != 2 || r.metric("poison_total", "sms") != 2 || r.metric("panics_total", "addresses") == 0 {
			t.Errorf("told %d times, counted %v", len(told), r.metric("poison_total"))
		}
		if p := <-told; p.Alert != "VN-1" || p.Kind != channels.SMS || p.Batch != 1 {
			t.Errorf("told %+v", p)
		}
		r.stop()
	})
}

// A recipient during whose call the process dies, every time: a few processes
// later it is set aside, and everybody else has been reached.
func TestRecipientThatCrashesEveryHolder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const poison = 500
		die, gone := make(chan struct{}, 100), make(chan struct{})
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		b.answer = func(_ int, m channels.Message) (channels.Ack, error) {
			if m.To == addressOf(poison) {
				die <- struct{}{}
				<-gone // nothing of this process goes on
			}
			return channels.Ack{Outcome: channels.Accepted}, nil
		}
		told := make(chan Poison, 10)
		s := newModelStore()
		hints := newModelHints()
		first := true
		deaths := 0
		for !s.allDone() || first {
			dead := &severed{modelStore: s}
			r := newRig(t, func(o *Options) { o.Store, o.Hints, o.OnPoison = dead, hints, func(p Poison) { told <- p } }, smsLane(b))
			r.store = s
			ctx, cancel := context.WithCancel(t.Context())
			go func() { _ = r.e.Run(ctx) }()
			if first {
				r.send(batch(channels.SMS, 1, 1000))
				first = false
			}
			for end := time.Now().Add(3 * time.Minute); time.Now().Before(end) && !s.allDone(); {
				select {
				case <-die:
					deaths++
					dead.dead.Store(true)
					end = time.Now()
				case <-time.After(time.Second):
				}
			}
			cancel()
			if deaths > 5 {
				t.Fatal("it goes on killing")
			}
		}
		got := map[channels.Outcome]int{}
		for _, bb := range s.batches {
			for _, m := range bb.Marks {
				got[m.Outcome()]++
			}
		}
		if got[channels.Accepted] != 999 || got[channels.Ambiguous] != 1 || deaths != 2 {
			t.Errorf("%v after %d deaths", got, deaths)
		}
		if len(told) != 1 {
			t.Fatalf("told %d times", len(told))
		}
		if p := <-told; p.Index != poison-1 {
			t.Errorf("told %+v", p)
		}
		if n := b.times[addressOf(poison)]; n != 2 {
			t.Errorf("%d calls to it", n)
		}
		close(gone)
		time.Sleep(time.Minute)
	})
}

// After more than five holders in a row that vanished before they settled
// anything, a batch is worked one recipient at a time.
func TestCautiousAfterManyCrashes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		r := newRig(t, nil, Lane{Kind: channels.SMS, Providers: []Provider{{Sender: b, PerSecond: 1000}}, Workers: 1, Window: 16})
		r.send(batch(channels.SMS, 1, 30))
		for range cautiousAfter + 2 {
			leases, err := r.store.Claim(t.Context(), ClaimRequest{Kind: channels.SMS, Max: 1, Now: time.Now()})
			if err != nil || len(leases) != 1 {
				t.Fatal(len(leases), err)
			}
			time.Sleep(LeaseFor)
		}
		r.run()
		r.finish(time.Minute)
		r.want(channels.Accepted, 30)
		if b.peak != 1 || r.metric("crashed_claims_total", "sms") != 1 {
			t.Errorf("%d calls at once, %v crashed claims", b.peak, r.metric("crashed_claims_total"))
		}
		r.stop()
	})
}
