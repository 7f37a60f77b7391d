package delivery

import (
	"context"
	"errors"
	"testing"
	"time"

	"loa/channels"
)

// limited answers like a provider that takes so many a second and no more at
// once, and says 429 to the rest.
func limited(b *book, perSecond, burst float64, retryAfter time.Duration) {
	bucket := bucket{left: burst, at: time.Now()}
	b.answer = func(int, channels.Message) (channels.Ack, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if n, _ := bucket.take(perSecond, burst, 1, time.Now()); n == 0 {
			return channels.Ack{}, &channels.Error{Fault: channels.FaultThrottled, Code: "20429", RetryAfter: retryAfter}
		}
		return channels.Ack{Outcome: channels.Accepted}, nil
	}
}

// A provider that takes less than the configuration says is called at what it
// takes, whether it names a time or not; one that refuses three calls in ten
// whatever their rate is called at the whole rate that is allowed.
func TestAcceptedRateUnderThrottling(t *testing.T) {
	const seconds = 60
	for _, c := range []struct {
		name      string
		perSecond int
		takes     float64 // a second; 0: seven of ten
		after     time.Duration
		least     float64 // accepted a second
	}{
		{name: "30 % above, no time", perSecond: 286, takes: 200, least: 0.85 * 200},
		{name: "30 % above, a second", perSecond: 286, takes: 200, after: time.Second, least: 0.85 * 200},
		{name: "30 % above, 1,000 a second", perSecond: 1430, takes: 1000, after: time.Second, least: 0.85 * 1000},
		{name: "30 % above, 20 a second", perSecond: 29, takes: 20, after: time.Second, least: 0.85 * 20},
		{name: "no limit, 200 a second", takes: 200, least: 0.85 * 200},
		{name: "no limit, 1,500 a second", takes: 1500, after: time.Second, least: 0.8 * 1500},
		{name: "three in ten, no time", perSecond: 200, least: 0.85 * 0.7 * 200},
		{name: "three in ten, a second", perSecond: 200, after: time.Second, least: 0.85 * 0.7 * 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
				refused := 0
				if c.takes > 0 {
					limited(b, c.takes, max(2, c.takes/50), c.after)
				} else {
					n := 0
					b.answer = func(int, channels.Message) (channels.Ack, error) {
						b.mu.Lock()
						defer b.mu.Unlock()
						if n++; n%10 < 3 {
							return channels.Ack{}, &channels.Error{Fault: channels.FaultThrottled, Code: "20429", RetryAfter: c.after}
						}
						return channels.Ack{Outcome: channels.Accepted}, nil
					}
				}
				l := smsLane(b)
				l.Providers[0].PerSecond = c.perSecond
				r := newRig(t, nil, l)
				r.run()
				for i := range int64(120) {
					r.send(batch(channels.SMS, 1+1000*i, 1000))
				}
				time.Sleep(seconds * time.Second)
				calls := b.made()
				taken := 0
				for _, e := range calls {
					if e.ok {
						taken++
					} else {
						refused++
					}
				}
				t.Logf("%d accepted, %d refused: %.0f a second", taken, refused, float64(taken)/seconds)
				if refused == 0 {
					t.Error("nothing was throttled")
				}
				if got := float64(taken) / seconds; got < c.least {
					t.Errorf("%.0f accepted a second, want %.0f", got, c.least)
				}
				if c.perSecond > 0 {
					checkRate(t, calls, c.perSecond*105/100+1)
				}
				for _, m := range r.store.batches[0].Marks {
					if m.Attempt() > 1 {
						t.Fatal("a throttled send spent an attempt")
					}
				}
				r.stop()
			})
		})
	}
}

// sharedBudget fails every other time.
type sharedBudget struct{ asked, granted int }

func (s *sharedBudget) Take(_ context.Context, _ string, perSecond, n int, _ time.Time) (int, time.Duration, error) {
	if s.asked++; s.asked%2 == 0 {
		return 0, 0, errors.New("the answer was lost")
	}
	n = min(n, perSecond*s.asked/1000-s.granted)
	s.granted += max(0, n)
	return max(0, n), time.Millisecond, nil
}

// A shared budget that half fails and the own one together grant no more than
// the limit.
func TestHalfFailingBudget(t *testing.T) {
	const limit, seconds = 200, 10
	now := time.Now()
	p := &provider{name: "standin", nodes: 1, perSecond: limit, pace: pace{base: limit, part: 1, at: now}, tokens: bucket{at: now}}
	shared, granted := &sharedBudget{}, 0
	for range 1000 * seconds {
		now = now.Add(time.Millisecond)
		n, _ := p.rated(t.Context(), shared, 16, now, now)
		granted += n
	}
	if granted > limit*seconds*105/100 || granted < limit*seconds*9/10 {
		t.Errorf("%d calls in %d s at %d a second", granted, seconds, limit)
	}
	if shared.granted == 0 || shared.granted == granted {
		t.Errorf("%d of %d came of the shared budget", shared.granted, granted)
	}
}

// A number that alone is throttled is called again when the provider said, and
// keeps nobody else waiting.
func TestOneNumberIsThrottled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: 20 * time.Millisecond}
		var times []time.Time
		b.answer = func(_ int, m channels.Message) (channels.Ack, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if m.To != addressOf(7) || len(times) > throttleRow {
				return channels.Ack{Outcome: channels.Accepted}, nil
			}
			times = append(times, time.Now())
			return channels.Ack{}, &channels.Error{Fault: channels.FaultThrottled, Code: "20429", RetryAfter: 30 * time.Second}
		}
		r := newRig(t, nil, smsLane(b))
		r.run()
		r.send(batch(channels.SMS, 1, 1000))
		r.finish(5 * time.Minute)
		if len(times) != throttleRow+1 {
			t.Fatalf("called %d times", len(times))
		}
		for i := range throttleRow {
			if gap := times[i+1].Sub(times[i]); gap < 30*time.Second {
				t.Errorf("called again after %v", gap)
			}
		}
		others := 0
		for _, c := range b.made() {
			if c.ok && c.at.Before(times[0].Add(10*time.Second)) {
				others++
			}
		}
		if others != 999 {
			t.Errorf("%d others did not wait", others)
		}
		if m := r.store.batches[0].Marks[6]; m != NewMark(channels.Accepted, 1) {
			t.Errorf("in the end: %v, attempt %d", m.Outcome(), m.Attempt())
		}
		r.stop()
	})
}

// budgetOfTwo is one shared budget that is away for both nodes or for none.
type budgetOfTwo struct {
	away bool
	slot int64
	used int
}

func (s *budgetOfTwo) Take(_ context.Context, _ string, perSecond, n int, now time.Time) (int, time.Duration, error) {
	if s.away {
		return 0, 0, errors.New("away")
	}
	if slot := now.UnixNano() / int64(time.Second/20); slot != s.slot {
		s.slot, s.used = slot, 0
	}
	n = min(n, perSecond/20-s.used)
	s.used += n
	return n, time.Millisecond, nil
}

// While the shared budget comes and goes, two nodes that notice it at different
// times start no more than 1.05 times the limit in any second.
func TestNodesLeaveAndRejoinASharedBudget(t *testing.T) {
	const limit = 20
	began := time.Now()
	fresh := func() *provider {
		return &provider{name: "standin", nodes: 2, perSecond: limit, pace: pace{base: limit, part: 1, at: began}, tokens: bucket{at: began}}
	}
	nodes, budget := []*provider{fresh(), fresh()}, &budgetOfTwo{}
	var starts []time.Duration
	own := 0
	for ms := range 60_000 {
		at := time.Duration(ms) * time.Millisecond
		now := began.Add(at)
		budget.away = ms%7000 >= 4000
		for i, p := range nodes {
			shared := Rate(budget)
			if ms%7000 >= 5000 || ms > 7000 && ms%7000 < 240*i { // direct mode, left by each poller in its own time
				shared = nil
			}
			n, _ := p.rated(t.Context(), shared, 1, now, now)
			if n > 0 && (shared == nil || budget.away) {
				own += n
			}
			for range n {
				starts = append(starts, at)
			}
		}
	}
	for i := limit * 105 / 100; i < len(starts); i++ {
		if within := starts[i] - starts[i-limit*105/100]; within < time.Second {
			t.Fatalf("%d calls in %v, up to %v", limit*105/100+1, within, starts[i])
		}
	}
	if len(starts) < limit*60*8/10 || own == 0 {
		t.Errorf("%d calls in a minute, %d of them without the shared budget", len(starts), own)
	}
}
