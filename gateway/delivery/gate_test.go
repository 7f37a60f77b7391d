package delivery

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
)

// slotted grants a limit in slots of 50 ms, as the shared budget does.
type slotted struct {
	mu         sync.Mutex
	slot, used int64
}

func (s *slotted) Take(_ context.Context, _ string, perSecond, n int, now time.Time) (int, time.Duration, error) {
	const slots = 20
	s.mu.Lock()
	defer s.mu.Unlock()
	at := now.UnixNano() / int64(time.Second/slots)
	if at != s.slot {
		s.slot, s.used = at, 0
	}
	left := int64(perSecond)/slots - s.used
	if left <= 0 {
		return 0, time.Unix(0, (at+1)*int64(time.Second/slots)).Sub(now), nil
	}
	granted := min(int64(n), left)
	s.used += granted
	return int(granted), 0, nil
}

// A ledger whose commits take longer now and then makes calls start late: in no
// second do more start than may, and hardly fewer than could.
func TestRateWhileCommitsAreUneven(t *testing.T) {
	const limit, seconds = 200, 30
	for slow, least := range map[time.Duration]int{200 * time.Millisecond: 95, 1500 * time.Millisecond: 60} { // in a hundred
		t.Run(slow.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
				l := smsLane(b)
				l.Workers, l.Providers[0].PerSecond = 4, limit
				shared := &slotted{}
				r := newRig(t, func(o *Options) { o.Rate = shared }, l)
				var n atomic.Int64
				r.store.uneven = func() time.Duration {
					if n.Add(1)%20 == 0 {
						return slow
					}
					return 2 * time.Millisecond
				}
				r.run()
				for i := range int64(20) {
					r.send(batch(channels.SMS, 1+1000*i, 1000))
				}
				time.Sleep(seconds * time.Second)
				calls := b.made()
				checkRate(t, calls, limit*105/100)
				t.Logf("%.0f a second", float64(len(calls))/seconds)
				if len(calls) < seconds*limit*least/100 {
					t.Errorf("%d calls in %d s", len(calls), seconds)
				}
				r.stop()
			})
		})
	}
}

// sleepy answers after a while that it has no answer.
type sleepy struct{ asked atomic.Int64 }

func (s *sleepy) Take(context.Context, string, int, int, time.Time) (int, time.Duration, error) {
	s.asked.Add(1)
	time.Sleep(250 * time.Millisecond)
	return 0, 0, context.DeadlineExceeded
}

// A shared budget that hardly answers takes little of the rate, and a stop is
// heard by the calls that wait for it.
func TestBudgetAnswersLate(t *testing.T) {
	const limit, seconds = 100, 20
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		l := smsLane(b)
		l.Providers[0].PerSecond = limit
		shared := &sleepy{}
		r := newRig(t, func(o *Options) { o.Rate = shared }, l)
		r.run()
		for i := range int64(4) {
			r.send(batch(channels.SMS, 1+1000*i, 1000))
		}
		time.Sleep(seconds * time.Second)
		calls := b.made()
		checkRate(t, calls, limit*105/100)
		if len(calls) < limit*seconds*55/100 {
			t.Errorf("%d calls in %d s at %d a second", len(calls), seconds, limit)
		}
		if n := shared.asked.Load(); n < seconds {
			t.Errorf("asked %d times only", n)
		}
		r.stop()
	})
}

// Several gateways that share a provider's limit keep to it together, whenever
// each of them gets to start what it was granted.
func TestGatewaysShareARate(t *testing.T) {
	const limit, seconds, nodes = 100, 20, 3
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		shared := &slotted{}
		var rigs []*rig
		for i := range nodes {
			l := smsLane(b)
			l.Workers, l.Providers[0].PerSecond = 2, limit
			r := newRig(t, func(o *Options) { o.Rate, o.Nodes = shared, nodes }, l)
			var n atomic.Int64
			r.store.uneven = func() time.Duration {
				if n.Add(1)%int64(5+i) == 0 {
					return time.Duration(150*(i+1)) * time.Millisecond
				}
				return 2 * time.Millisecond
			}
			r.run()
			for k := range int64(10) {
				r.send(batch(channels.SMS, 1+1000*k, 1000))
			}
			rigs = append(rigs, r)
		}
		time.Sleep(seconds * time.Second)
		calls := b.made()
		checkRate(t, calls, limit*105/100)
		if len(calls) < seconds*limit*85/100 {
			t.Errorf("%d calls in %d s at %d a second", len(calls), seconds, limit)
		}
		for _, r := range rigs {
			r.stop()
		}
	})
}

// failing is a shared budget that answers for a while and then never again.
type failing struct {
	slotted
	sleepy
	until time.Time
}

func (f *failing) Take(ctx context.Context, provider string, perSecond, n int, now time.Time) (int, time.Duration, error) {
	if time.Now().Before(f.until) {
		return f.slotted.Take(ctx, provider, perSecond, n, now)
	}
	return f.sleepy.Take(ctx, provider, perSecond, n, now)
}

// A node that has had the whole of a shared budget goes on at its own share when
// the budget stops to answer, at small rates too.
func TestBudgetAnswersNoMore(t *testing.T) {
	for _, c := range []struct{ limit, nodes int }{{100, 2}, {40, 3}, {20, 1}, {20, 4}, {20, 30}} {
		t.Run(fmt.Sprintf("%d a second, %d nodes", c.limit, c.nodes), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const after, seconds = 6 * time.Second, 60
				b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
				l := smsLane(b)
				l.Providers[0].PerSecond = c.limit
				shared := &failing{until: time.Now().Add(after)}
				r := newRig(t, func(o *Options) { o.Rate, o.Nodes = shared, c.nodes }, l)
				r.run()
				for i := range int64(8) {
					r.send(batch(channels.SMS, 1+1000*i, 1000))
				}
				time.Sleep(after + seconds*time.Second)
				calls := b.made()
				checkRate(t, calls, max(c.limit+1, c.limit*105/100))
				alone := 0
				for _, call := range calls {
					if call.at.After(shared.until) {
						alone++
					}
				}
				if least := seconds * c.limit / c.nodes * 55 / 100; alone < least || len(calls)-alone < int(after.Seconds()-2)*c.limit*8/10 {
					t.Errorf("%d calls while the budget answered and %d in %d s after, want %d", len(calls)-alone, alone, seconds, least)
				}
				r.stop()
			})
		})
	}
}
