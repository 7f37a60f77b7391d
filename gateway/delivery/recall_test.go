package delivery

import (
	"context"
	"errors"
	"testing"
	"time"

	"loa/channels"
)

// slow is a book whose lookups take a while. It counts those that are open.
func slow(takes time.Duration, took func(n int) bool) (k *knowing, peak func() int) {
	k = &knowing{book: &book{kind: channels.SMS, name: "standin"}}
	open, most := 0, 0
	k.tell = func(n int, m channels.Message, _ time.Time) (*channels.Receipt, error) {
		k.mu.Lock()
		open++
		most = max(most, open)
		k.mu.Unlock()
		time.Sleep(takes)
		k.mu.Lock()
		open--
		k.mu.Unlock()
		if !took(n) {
			return nil, nil
		}
		return &channels.Receipt{Kind: channels.SMS, Ref: m.Ref, Outcome: channels.Accepted, ProviderRef: "SM2"}, nil
	}
	return k, func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return most
	}
}

// Lookups that take long are open at once, as many as the pace needs and no more
// than are allowed, and never faster than the pace.
func TestRecallAsksSomeAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		perSecond int
		takes     time.Duration
		pace      float64
		peak      int
		lasts     time.Duration // at least; a second more at most
	}{
		"an answer in 200 ms":     {0, 200 * time.Millisecond, asksFree, 10, 190 * time.Second / asksFree},
		"slower than all at once": {0, 2 * time.Second, asksFree, recallAtOnce, 24 * time.Second},
		"a provider with a limit": {100, 200 * time.Millisecond, 20, 4, 190 * time.Second / 20},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const people = 200
				k, peak := slow(c.takes, func(n int) bool { return n%2 == 0 })
				r := newRig(t, nil, Lane{Kind: channels.SMS, Providers: []Provider{{Sender: k, PerSecond: c.perSecond}}, Workers: 2, Window: 16})
				if got := r.e.AskPace(channels.SMS); got != c.pace {
					t.Errorf("a pace of %v, want %v", got, c.pace)
				}
				b := batch(channels.SMS, 1, people)
				b.Marks = make([]Mark, people)
				b.ID = r.store.cut(b).Batch
				began := time.Now()
				sum, next, err := r.e.Recall(t.Context(), b, 0, began, people)
				if want := (Recalled{Asked: people, Found: people / 2, Missing: people / 2}); err != nil || sum != want || next != people {
					t.Errorf("%+v, next %d, %v", sum, next, err)
				}
				if took := time.Since(began); took < c.lasts || took > c.lasts+time.Second+c.takes {
					t.Errorf("it took %v, want about %v", took, c.lasts)
				}
				if n := peak(); n > recallAtOnce || n < c.peak-1 || n > c.peak+3 {
					t.Errorf("%d were open at once, want about %d", n, c.peak)
				}
				if len(k.asks) != people || k.count() != 0 {
					t.Errorf("%d lookups and %d sends", len(k.asks), k.count())
				}
				r.want(channels.Accepted, people/2)
				r.want(channels.Pending, people/2)
			})
		})
	}
}

// Who was not asked when the time is over is who comes next; answers that are on
// their way count.
func TestRecallGoesOnWhereItEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const people = 100
		k, _ := slow(300*time.Millisecond, func(int) bool { return true })
		r := newRig(t, nil, Lane{Kind: channels.SMS, Providers: []Provider{{Sender: k}}, Workers: 2, Window: 16})
		b := batch(channels.SMS, 1, people)
		b.Marks = make([]Mark, people)
		b.ID = r.store.cut(b).Batch
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first, next, err := r.e.Recall(ctx, b, 0, time.Now(), people)
		if !errors.Is(err, context.DeadlineExceeded) || first.Asked != next || first.Found != next || next < 40 || next > 60 {
			t.Errorf("%+v, next %d, %v", first, next, err)
		}
		rest, next, err := r.e.Recall(t.Context(), b, next, time.Now(), people)
		if err != nil || first.Asked+rest.Asked != people || rest.Failed != 0 || next != people {
			t.Errorf("%+v, next %d, %v", rest, next, err)
		}
		r.want(channels.Accepted, people)
	})
}

// A driver that panics is a lookup that failed.
func TestRecallOfADriverThatPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := &knowing{book: &book{kind: channels.SMS, name: "standin"}, tell: func(int, channels.Message, time.Time) (*channels.Receipt, error) { panic("no") }}
		r := newRig(t, nil, Lane{Kind: channels.SMS, Providers: []Provider{{Sender: k}}, Workers: 2, Window: 16})
		b := batch(channels.SMS, 1, 3)
		b.Marks = make([]Mark, 3)
		b.ID = r.store.cut(b).Batch
		if sum, _, err := r.e.Recall(t.Context(), b, 0, time.Now(), 3); err != nil || sum.Failed != 3 {
			t.Errorf("%+v, %v", sum, err)
		}
	})
}
