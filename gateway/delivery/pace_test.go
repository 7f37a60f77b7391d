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
				for i := range int64(90) {
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
				checkRate(t, calls, c.perSecond*105/100+1)
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
	p := &provider{name: "standin", nodes: 1, perSecond: limit, pace: pace{part: 1, at: now}, tokens: bucket{at: now}}
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
