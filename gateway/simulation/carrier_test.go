package simulation_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"loa/channels"
	"loa/gateway/historytest"
)

// weather is how a provider is to be called now, in percent.
type weather struct {
	ambiguous, taken      int // answers lost, and how many of those calls were taken
	transient, throttled  int
	provider, panics      int
	slow                  int // calls that last longer than a caller waits
	takes                 time.Duration
	callback, late, twice int
}

var (
	fair   = weather{ambiguous: 1, taken: 50, transient: 1, takes: 700 * time.Millisecond, callback: 60, late: 20, twice: 10}
	gales  = weather{ambiguous: 20, taken: 50, transient: 10, throttled: 5, panics: 1, slow: 2, takes: 1500 * time.Millisecond, callback: 70, late: 50, twice: 20}
	floods = weather{throttled: 60, takes: 30 * time.Millisecond, callback: 50, late: 20}
	wreck  = weather{ambiguous: 30, taken: 20, provider: 50, transient: 20, slow: 2, takes: 300 * time.Millisecond, callback: 30, late: 90}
)

// carrier is a provider: its book is the truth.
type carrier struct {
	w    *world
	kind channels.Kind
	name string

	mu    sync.Mutex
	now   weather
	taken []taken
}

type taken struct {
	at  time.Time
	msg channels.Message
}

func (c *carrier) Kind() channels.Kind { return c.kind }
func (c *carrier) Provider() string    { return c.name }
func (c *carrier) Live() bool          { return true }

func (c *carrier) set(w weather) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = w
}

func (c *carrier) weather() weather {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// bad reports whether a number does not exist.
func bad(id int64) bool { return id%13 == 5 }

var errLost = errors.New("the answer was lost")

// Send answers as the weather is.
func (c *carrier) Send(ctx context.Context, m channels.Message) (channels.Ack, error) {
	r := c.w.dice.of("send", m.Ref)
	w := c.weather()
	takes := between(r, time.Millisecond, w.takes)
	lost := chance(r, w.ambiguous)
	take := !lost || chance(r, w.taken)
	if chance(r, w.slow) {
		takes, lost = 15*time.Second, true
	}
	pause := func(d time.Duration) bool {
		select {
		case <-time.After(d):
			return true
		case <-ctx.Done():
			return false
		}
	}
	if !pause(takes/2) && !chance(r, 30) {
		return channels.Ack{}, ctx.Err() // it was given up before it arrived
	}
	fault := func(f channels.Fault, code string) (channels.Ack, error) {
		c.book(m, historytest.Refused)
		pause(takes / 2)
		return channels.Ack{}, &channels.Error{Fault: f, Code: code}
	}
	switch {
	case bad(idOf(m.To)):
		return fault(channels.FaultAddress, "21211")
	case chance(r, w.throttled):
		return fault(channels.FaultThrottled, "429")
	case chance(r, w.transient):
		return fault(channels.FaultTransient, "")
	case chance(r, w.provider):
		return fault(channels.FaultProvider, "503")
	case !take:
		pause(takes / 2)
		return channels.Ack{}, errLost
	}
	c.take(m)
	if chance(r, w.panics) {
		panic("a driver that panics")
	}
	if !pause(takes/2) || lost {
		return channels.Ack{}, errLost
	}
	return channels.Ack{Outcome: channels.Accepted, ProviderRef: "SM" + m.Ref[:4]}, nil
}

func (c *carrier) take(m channels.Message) {
	c.mu.Lock()
	c.taken = append(c.taken, taken{time.Now(), m})
	c.mu.Unlock()
	c.book(m, channels.Accepted.String())
	r, w := c.w.dice.of("callback", m.Ref), c.weather()
	if !chance(r, w.callback) {
		return
	}
	times := 1
	if chance(r, w.twice) {
		times = 3
	}
	for range times {
		after := between(r, 20*time.Millisecond, 2*time.Second)
		if chance(r, w.late) {
			after = between(r, 2*time.Second, 20*time.Second)
		}
		c.w.later(after, func() { c.call(m) })
	}
}

func (c *carrier) book(m channels.Message, outcome string) {
	c.w.record(historytest.Event{Kind: historytest.KindBook, Channel: c.kind, Provider: c.name, Ref: m.Ref, Outcome: outcome})
}

// call tells the gateway what became of a message, and tries again while
// nobody answers.
func (c *carrier) call(m channels.Message) {
	for range 5 {
		if n := c.w.anyNode(); n != nil {
			c.w.record(historytest.Event{Kind: historytest.KindCallback, Ref: m.Ref, Outcome: channels.Delivered.String()})
			err := n.engine.SinkOf(c.name)(n.ctx, channels.Receipt{Kind: c.kind, Ref: m.Ref, Outcome: channels.Delivered, At: c.w.wall()})
			if err == nil {
				return
			}
		}
		time.Sleep(3 * time.Second)
	}
}

// Lookup says what the book has.
func (c *carrier) lookup(ctx context.Context, m channels.Message, since time.Time) (*channels.Receipt, error) {
	r := c.w.dice.of("lookup", m.Ref)
	select {
	case <-time.After(between(r, time.Millisecond, 500*time.Millisecond)):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if chance(r, 15) {
		return nil, errLost
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := slices.ContainsFunc(c.taken, func(t taken) bool { return t.msg.To == m.To && string(t.msg.Body) == string(m.Body) })
	if !found {
		return nil, nil //nolint:nilnil // it answered and has no such message
	}
	return &channels.Receipt{Kind: c.kind, Ref: m.Ref, Outcome: channels.Accepted, At: c.w.wall()}, nil
}

// wire is a node's way to a carrier; it ends with the node.
type wire struct {
	*carrier
	n *node
}

func (x wire) Send(ctx context.Context, m channels.Message) (ack channels.Ack, err error) {
	if x.n.gone() {
		return channels.Ack{}, errGone
	}
	e := x.n.request(m, x.kind, x.name)
	x.n.w.record(e)
	e.Kind = historytest.KindAnswer
	defer func() {
		if x.n.gone() {
			return // its answer died with it
		}
		e.Outcome = ack.Outcome.String()
		panicked := recover()
		if f := channels.AsError(err); f != nil || panicked != nil {
			e.Outcome = channels.FaultAmbiguous.String()
			if f != nil {
				e.Outcome = f.Fault.String()
			}
		}
		x.n.w.record(e)
		if panicked != nil {
			panic(panicked)
		}
	}()
	return x.carrier.Send(ctx, m)
}

// asked is a wire to a carrier that says what it took.
type asked struct{ wire }

func (x asked) Lookup(ctx context.Context, m channels.Message, since time.Time) (*channels.Receipt, error) {
	if x.n.gone() {
		return nil, errGone
	}
	return x.lookup(ctx, m, since)
}
