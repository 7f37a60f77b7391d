package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"loa/channels"
	"loa/gateway/delivery"
)

// belt is a queue of hints that keeps no promise: it loses some, repeats some,
// gives them in another order, and forgets everything when it is told to.
type belt struct {
	d *dice

	mu      sync.Mutex
	down    bool
	next    int
	queued  []delivery.Entry
	popped  map[string]delivery.Entry
	epoch   string
	epochs  int
	arrived chan struct{}
	spent   map[string]map[int64]int // calls by provider and slot

	lost, repeated, wiped, refused int
}

func newBelt(d *dice) *belt {
	return &belt{d: d, popped: map[string]delivery.Entry{}, epoch: "first", arrived: make(chan struct{}), spent: map[string]map[int64]int{}}
}

var errAway = errors.New("the queue is away")

func (b *belt) fault() error {
	if b.down {
		b.refused++
		return errAway
	}
	return nil
}

func (b *belt) Push(_ context.Context, hs ...delivery.Hint) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fault(); err != nil {
		return err
	}
	for _, h := range hs {
		r := b.d.of("hint", h.Batch)
		copies := 1
		switch {
		case chance(r, 10):
			copies, b.lost = 0, b.lost+1
		case chance(r, 10):
			copies, b.repeated = 2, b.repeated+1
		}
		for range copies {
			b.next++
			en := delivery.Entry{Hint: h, Ref: fmt.Sprint(b.next)}
			at := len(b.queued)
			if chance(r, 20) {
				at = r.IntN(at + 1)
			}
			b.queued = slices.Insert(b.queued, at, en)
		}
	}
	close(b.arrived)
	b.arrived = make(chan struct{})
	return nil
}

func (b *belt) Pop(ctx context.Context, kind channels.Kind, lowest delivery.Priority, consumer string, limit int, block time.Duration) ([]delivery.Entry, error) {
	// Those that wait at the same time are served in a fixed order.
	time.Sleep(between(b.d.of("pop", consumer), time.Microsecond, 300*time.Microsecond))
	timeout := time.After(block)
	for {
		b.mu.Lock()
		err, arrived := b.fault(), b.arrived
		var out []delivery.Entry
		for p := delivery.P0; p <= lowest && len(out) == 0 && err == nil; p++ {
			b.queued = slices.DeleteFunc(b.queued, func(en delivery.Entry) bool {
				take := en.Kind == kind && en.Priority == p && len(out) < limit
				if take {
					out = append(out, en)
					b.popped[en.Ref] = en
				}
				return take
			})
		}
		b.mu.Unlock()
		if err != nil || len(out) > 0 || block == 0 {
			return out, err
		}
		select {
		case <-arrived:
			time.Sleep(between(b.d.of("arrived", consumer), time.Microsecond, 300*time.Microsecond))
		case <-timeout:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (b *belt) Done(_ context.Context, es ...delivery.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, en := range es {
		delete(b.popped, en.Ref)
	}
	return b.fault()
}

func (b *belt) Waiting(_ context.Context, kind channels.Kind) (n [4]int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, en := range b.queued {
		if en.Kind == kind {
			n[en.Priority]++
		}
	}
	for _, en := range b.popped {
		if en.Kind == kind {
			n[en.Priority]++
		}
	}
	return n, b.fault()
}

func (b *belt) Epoch(context.Context) (string, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.epoch == "" && !b.down {
		b.epochs++
		b.epoch = fmt.Sprint("again ", b.epochs)
		return b.epoch, false, nil
	}
	return b.epoch, true, b.fault()
}

// slot is a part of a second in which its part of a limit may start.
const slot = 50 * time.Millisecond

func (b *belt) Take(_ context.Context, provider string, perSecond, n int, _ time.Time) (int, time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fault(); err != nil {
		return 0, 0, err
	}
	now := time.Now()
	at := now.UnixNano() / int64(slot)
	if b.spent[provider] == nil {
		b.spent[provider] = map[int64]int{}
	}
	part := max(1, perSecond/int(time.Second/slot))
	granted := min(n, part-b.spent[provider][at])
	if granted <= 0 {
		return 0, now.Truncate(slot).Add(slot).Sub(now), nil
	}
	b.spent[provider][at] += granted
	return granted, 0, nil
}

// forget is what deleting every key does.
func (b *belt) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queued, b.epoch = nil, ""
	b.wiped++
	clear(b.popped)
	clear(b.spent)
}

func (b *belt) setDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// wasDown reports whether somebody has found it away.
func (b *belt) wasDown() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused > 0
}

// line is a node's connection to the belt; it ends with the node.
type line struct {
	*belt
	n *node
}

func (l line) Push(ctx context.Context, hs ...delivery.Hint) error {
	if l.n.gone() {
		return errGone
	}
	return l.belt.Push(ctx, hs...)
}

func (l line) Pop(ctx context.Context, kind channels.Kind, lowest delivery.Priority, consumer string, limit int, block time.Duration) ([]delivery.Entry, error) {
	if l.n.gone() {
		return nil, errGone
	}
	return l.belt.Pop(ctx, kind, lowest, l.n.name+consumer, limit, block)
}

func (l line) Done(ctx context.Context, es ...delivery.Entry) error {
	if l.n.gone() {
		return errGone
	}
	return l.belt.Done(ctx, es...)
}

func (l line) Take(ctx context.Context, provider string, perSecond, n int, now time.Time) (int, time.Duration, error) {
	if l.n.gone() {
		return 0, 0, errGone
	}
	return l.belt.Take(ctx, provider, perSecond, n, now)
}
