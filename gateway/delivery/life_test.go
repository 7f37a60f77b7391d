package delivery

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
)

func TestStopAlert(t *testing.T) {
	for _, c := range []struct {
		name string
		tell bool
		by   time.Duration // no call starts later than this after the stop
	}{{"told", true, time.Millisecond}, {"found by asking", false, 300 * time.Millisecond}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := &book{kind: channels.SMS, name: "standin", takes: 3 * time.Second}
				r := newRig(t, nil, smsLane(b))
				r.store.commit = 2 * time.Millisecond
				r.run()
				for i := range 4 {
					r.send(batch(channels.SMS, int64(1+1000*i), 200))
				}
				time.Sleep(4 * time.Second)
				r.store.stop("VN-1")
				stopped, before := time.Now(), b.count()
				if c.tell {
					r.e.StopAlert("VN-1")
				}
				if before == 0 || before == 800 {
					t.Fatalf("%d calls before the stop: it proves nothing", before)
				}
				time.Sleep(10 * time.Second)
				for _, call := range b.made() {
					if late := call.at.Sub(stopped); late > c.by {
						t.Errorf("a call started %v after the stop", late)
					}
				}
				got := r.store.outcomes()
				if got[channels.Sending] != 0 || got[channels.Ambiguous] != 0 || got[channels.Accepted] != b.count() {
					t.Errorf("%d calls, outcomes %v", b.count(), got)
				}
				for _, bb := range r.store.batches {
					if bb.leased {
						t.Errorf("batch %d is still leased", bb.ID)
					}
				}
				r.stop()
			})
		})
	}
}

// Calls that were marked and not yet made when the stop came are not made.
func TestStopBetweenMarkAndCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin"}
		r := newRig(t, nil, smsLane(b))
		h := r.store.cut(batch(channels.SMS, 1, 2))
		l, err := r.store.Claim(context.Background(), ClaimRequest{Kind: channels.SMS, Max: 1, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		call := func() *call {
			hd := newHold(l[0], r.e.lanes[0], &flag{}, now, now)
			return &call{h: hd, p: r.e.lanes[0].providers[0], until: hd.until, flight: &flight{ctx: context.Background()}, to: addressOf(1), attempt: 1}
		}
		stopped, late, expired, down := call(), call(), call(), call()
		stopped.h.alert.dead.Store(true)
		late.until = now
		expired.h.Expires = now
		r.e.perform(stopped)
		r.e.perform(late)
		r.e.perform(expired)
		down.p.breaker.trip(now)
		r.e.perform(down)
		for i, c := range []struct{ got, want bounce }{
			{stopped.bounced, bounceStop}, {late.bounced, bounceLease}, {expired.bounced, bounceExpired}, {down.bounced, bounceProvider},
		} {
			if c.got != c.want {
				t.Errorf("%d: %s, want %s", i, bounceNames[c.got], bounceNames[c.want])
			}
		}
		if b.count() != 0 || h.Batch != 1 {
			t.Errorf("%d calls were made", b.count())
		}
	})
}

func TestExpiry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 700 * time.Millisecond}
		b.answer = func(k int, m channels.Message) (channels.Ack, error) {
			if m.To == addressOf(1) || k == 0 && m.To == addressOf(2) {
				return channels.Ack{}, errors.New("timeout")
			}
			return channels.Ack{Outcome: channels.Accepted}, nil
		}
		l := smsLane(b)
		l.Workers, l.Window = 1, 8
		r := newRig(t, nil, l)
		r.run()
		x := batch(channels.SMS, 1, 600)
		x.Expires = time.Now().Add(30 * time.Second)
		r.send(x)
		r.finish(2 * time.Minute)
		for _, c := range b.made() {
			if !c.at.Before(x.Expires) {
				t.Errorf("a call started %v after the alert had expired", c.at.Sub(x.Expires))
			}
		}
		got := r.store.outcomes()
		if got[channels.Expired] == 0 || got[channels.Ambiguous] != 2 || got[channels.Accepted]+got[channels.Expired] != 598 {
			t.Errorf("outcomes %v", got)
		}
		for _, row := range r.store.rows() {
			if row.Waits() {
				t.Errorf("still waits: %+v", row)
			}
		}
		r.stop()
	})
}

// Extreme comes while a bulletin is being sent: the bulletin starts nothing
// more, spends nothing and goes on afterwards.
func TestPreemption(t *testing.T) {
	for _, c := range []struct {
		name  string
		hints bool
	}{{"queue", true}, {"ledger", false}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := &book{kind: channels.SMS, name: "standin", takes: 400 * time.Millisecond}
				r := newRig(t, func(o *Options) {
					if !c.hints {
						o.Hints = nil
					}
				}, smsLane(b))
				r.store.commit = time.Millisecond
				r.run()
				for i := range 6 {
					x := batch(channels.SMS, int64(1+1000*i), 1000)
					x.Alert, x.Priority, x.Resend, x.Urgent = "B-1", P3, false, false
					r.send(x)
				}
				time.Sleep(3 * time.Second)
				came := time.Now()
				x := batch(channels.SMS, 100_001, 1000)
				r.send(x)
				r.until(time.Minute, func() bool {
					r.store.mu.Lock()
					defer r.store.mu.Unlock()
					return r.store.batches[6].Done()
				})
				done := time.Now()
				first := time.Time{}
				for _, call := range b.made() {
					switch {
					case call.msg.Alert == "VN-1" && first.IsZero():
						first = call.at
					case call.msg.Alert == "B-1" && call.at.After(came.Add(time.Second)) && call.at.Before(done):
						t.Fatalf("a bulletin's send started %v after Extreme came", call.at.Sub(came))
					}
				}
				if d := first.Sub(came); d > 500*time.Millisecond {
					t.Errorf("first Extreme send after %v", d)
				}
				r.finish(5 * time.Minute)
				r.want(channels.Accepted, 7000)
				if b.most() != 1 {
					t.Errorf("%d calls to one address", b.most())
				}
				for _, bb := range r.store.batches {
					for _, m := range bb.Marks {
						if m.Attempt() != 1 {
							t.Fatalf("pre-emption spent an attempt: %d", m.Attempt())
						}
					}
				}
				r.stop()
			})
		})
	}
}

func TestHintsAreRepeatedInventedAndLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		r := newRig(t, nil, smsLane(b))
		r.run()
		var hs []Hint
		for i := range 30 {
			hs = append(hs, r.store.cut(batch(channels.SMS, int64(1+1000*i), 200)))
		}
		for range 5 {
			r.e.Hint(context.Background(), hs...)
		}
		r.e.Hint(context.Background(), Hint{Batch: 999, Kind: channels.SMS}, Hint{Batch: 1, Kind: channels.SMS, Priority: P3}, Hint{Batch: 5, Kind: channels.Handoff})
		time.Sleep(500 * time.Millisecond)
		r.hints.forget()
		r.finish(time.Minute)
		r.want(channels.Accepted, 6000)
		if b.most() != 1 || b.count() != 6000 {
			t.Errorf("%d calls, at most %d to one address", b.count(), b.most())
		}
		if r.metric("hints_total", "rebuild") == 0 {
			t.Error("nothing was hinted again")
		}
		r.stop()
	})
}

// A batch nobody hinted at is found in the ledger.
func TestSweeper(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin"}
		r := newRig(t, nil, smsLane(b))
		r.run()
		time.Sleep(10 * time.Second)
		r.store.cut(batch(channels.SMS, 1, 10))
		began := time.Now()
		r.finish(time.Minute)
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("found after %v", d)
		}
		r.stop()
	})
}

func TestDirectModeComesAndGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		r := newRig(t, nil, smsLane(b))
		r.run()
		r.send(batch(channels.SMS, 1, 50))
		r.finish(time.Second)
		if h := r.e.Health(); h.Mode != ModeQueue {
			t.Fatalf("mode %s", h.Mode)
		}
		r.hints.setFail(errors.New("connection refused"))
		away := time.Now()
		r.send(batch(channels.SMS, 1001, 50))
		r.finish(10 * time.Second)
		if d := time.Since(away); d > 3*time.Second {
			t.Errorf("the first batch without a queue was done after %v", d)
		}
		if h := r.e.Health(); h.Mode != ModeDirect || r.metric("direct_mode") != 1 {
			t.Errorf("health %+v, direct_mode %v", h, r.metric("direct_mode"))
		}
		time.Sleep(time.Minute)
		r.hints.setFail(nil)
		r.hints.forget()
		r.until(5*time.Second, func() bool { return r.e.Health().Mode == ModeQueue })
		r.send(batch(channels.SMS, 2001, 50))
		r.finish(10 * time.Second)
		r.want(channels.Accepted, 150)
		if b.most() != 1 || r.metric("direct_mode") != 0 || r.metric("failures_total", "queue") == 0 {
			t.Errorf("at most %d calls to one, direct_mode %v", b.most(), r.metric("direct_mode"))
		}
		r.stop()
	})
}

// severed is a store whose process is dead to the ledger, or frozen.
type severed struct {
	*modelStore
	dead   atomic.Bool
	frozen atomic.Int64 // nanoseconds the next advance takes
}

func (s *severed) Advance(ctx context.Context, now time.Time, steps []Step) ([]Verdict, error) {
	if d := s.frozen.Swap(0); d > 0 {
		time.Sleep(time.Duration(d))
		now = time.Now()
	}
	if s.dead.Load() {
		return nil, errModel
	}
	return s.modelStore.Advance(ctx, now, steps)
}

func (s *severed) Claim(ctx context.Context, r ClaimRequest) ([]Lease, error) {
	if s.dead.Load() {
		return nil, errModel
	}
	return s.modelStore.Claim(ctx, r)
}

// A process dies between mark and result: its open calls become ambiguous, at
// most workers times window of them, and another process does the rest.
func TestCrash(t *testing.T) {
	for _, resend := range []bool{true, false} {
		bubbleRun(t, map[bool]string{true: "resend", false: "bulletin"}[resend], func(t *testing.T) {
			b := &book{kind: channels.SMS, name: "standin", takes: 500 * time.Millisecond}
			s := &severed{modelStore: newModelStore()}
			r := newRig(t, func(o *Options) { o.Store = s }, smsLane(b))
			r.store = s.modelStore
			r.run()
			for i := range 8 {
				x := batch(channels.SMS, int64(1+1000*i), 250)
				x.Resend = resend
				r.send(x)
			}
			time.Sleep(3 * time.Second)
			s.dead.Store(true)
			crashed := time.Now()
			second := newRig(t, nil, smsLane(b))
			second.store = s.modelStore
			e, err := New(Options{Store: s.modelStore, Addresses: r.addrs, Hints: r.hints, RefKey: make([]byte, 16), Node: "two", Lanes: []Lane{smsLane(b)}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx) }()
			second.finish(5 * time.Minute)
			got := r.store.outcomes()
			copies := b.count() - 2000
			if copies < 0 || copies > 4*16 {
				t.Errorf("%d second calls, want at most workers times window", copies)
			}
			if !resend && (copies != 0 || got[channels.Ambiguous] == 0 || got[channels.Ambiguous] > 64) {
				t.Errorf("a bulletin: %d second calls, outcomes %v", copies, got)
			}
			if resend && (got[channels.Accepted] != 2000 || copies == 0) {
				t.Errorf("%d second calls, outcomes %v", copies, got)
			}
			resumed := 0
			for _, c := range b.made() {
				if d := c.at.Sub(crashed); d > time.Second && d < 12*time.Second {
					resumed++
				}
			}
			if resumed == 0 {
				t.Error("no call between 1 and 12 s after the crash")
			}
			cancel()
			<-done
			s.dead.Store(false)
			r.stop()
		})
	}
}

func bubbleRun(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { bubble(t, f) })
}

// A worker freezes in the middle and loses its leases: it starts nothing any
// more, and what its open calls came to is still merged.
func TestLeaseLoss(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 300 * time.Millisecond}
		s := &severed{modelStore: newModelStore()}
		l := smsLane(b)
		l.Workers = 1
		r := newRig(t, func(o *Options) { o.Store = s }, l)
		r.store = s.modelStore
		r.run()
		for i := range 2 {
			x := batch(channels.SMS, int64(1+1000*i), 400)
			x.Resend = false
			r.send(x)
		}
		time.Sleep(2 * time.Second)
		s.frozen.Store(int64(30 * time.Second))
		e, err := New(Options{Store: s.modelStore, Addresses: r.addrs, RefKey: make([]byte, 16), Node: "two", Lanes: []Lane{l}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		r.finish(5 * time.Minute)
		time.Sleep(40 * time.Second)
		if b.most() != 1 || b.count() != 800 {
			t.Errorf("%d calls, at most %d to one address", b.count(), b.most())
		}
		r.want(channels.Accepted, 800)
		if r.metric("leases_lost_total") == 0 {
			t.Error("no lease was lost: the test proves nothing")
		}
		cancel()
		<-done
		r.stop()
	})
}

func TestLedgerFailsForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 100 * time.Millisecond}
		s := &severed{modelStore: newModelStore()}
		r := newRig(t, func(o *Options) { o.Store = s }, smsLane(b))
		r.store = s.modelStore
		r.run()
		for i := range 4 {
			r.send(batch(channels.SMS, int64(1+1000*i), 300))
		}
		time.Sleep(time.Second)
		s.dead.Store(true)
		before := b.count()
		time.Sleep(5 * time.Second)
		if n := b.count() - before; n > 64 {
			t.Errorf("%d calls while the ledger took nothing", n)
		}
		s.dead.Store(false)
		r.finish(time.Minute)
		r.want(channels.Accepted, 1200)
		if b.most() != 1 || r.metric("failures_total", "advance") == 0 {
			t.Errorf("at most %d calls to one, %v failures", b.most(), r.metric("failures_total", "advance"))
		}
		r.stop()
	})
}

// A stop in order: open calls finish and are settled, leases are given back,
// and another process goes on at once without a doubt.
func TestOrderlyStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 2 * time.Second}
		r := newRig(t, nil, smsLane(b))
		r.run()
		r.send(batch(channels.SMS, 1, 700))
		time.Sleep(3 * time.Second)
		began := time.Now()
		r.stop()
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("stopped after %v", d)
		}
		got := r.store.outcomes()
		if got[channels.Sending] != 0 || got[channels.Ambiguous] != 0 || got[channels.Accepted] != b.count() {
			t.Errorf("%d calls, outcomes %v", b.count(), got)
		}
		if err := r.e.Run(context.Background()); !errors.Is(err, ErrRunning) {
			t.Errorf("a second run: %v", err)
		}
		if err := r.e.Add(smsLane(b)); !errors.Is(err, ErrRunning) {
			t.Errorf("a late lane: %v", err)
		}
		e, err := New(Options{Store: r.store, Addresses: r.addrs, Hints: r.hints, RefKey: make([]byte, 16), Lanes: []Lane{smsLane(b)}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		r.finish(2 * time.Minute)
		r.want(channels.Accepted, 700)
		if b.most() != 1 {
			t.Errorf("%d calls to one address", b.most())
		}
		cancel()
		<-done
	})
}

func TestStopIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		b := &book{kind: channels.SMS, name: "standin", answer: func(int, channels.Message) (channels.Ack, error) {
			<-release // deaf to its context
			return channels.Ack{Outcome: channels.Accepted}, nil
		}}
		r := newRig(t, nil, smsLane(b))
		r.run()
		r.send(batch(channels.SMS, 1, 30))
		time.Sleep(time.Second)
		began := time.Now()
		r.stop()
		if d := time.Since(began); d > 7*time.Second {
			t.Errorf("stopped after %v", d)
		}
		close(release)
	})
}
