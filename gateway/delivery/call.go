package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"loa/channels"
)

// bounce says why a marked call was not made after all.
type bounce uint8

const (
	made bounce = iota
	bounceStop
	bounceLease
	bounceExpired
	bounceProvider
	bounceGone
	bouncePoison
	bounceYield
)

var bounceNames = [...]string{"", "stop", "lease", "expired", "provider", "gone", "poison", "yield"}

// call is one call to a provider: to one recipient, or to the listeners of the
// batch's commune for all of items.
type call struct {
	h       *hold
	p       *provider
	flight  *flight
	index   int
	attempt uint8
	probes  probes
	until   time.Time
	to      channels.Address
	region  string
	ref     string
	items   []item // of a broadcast

	inLine  bool   // of its provider
	late    bool   // address and provider are found when it is made
	refused uint64 // then: providers that refuse the text

	ask     bool // it asks providers whether an earlier call was taken
	asked   []*provider
	since   time.Time
	receipt *channels.Receipt
	askErr  error

	bounced bounce
	ack     channels.Ack
	err     *channels.Error
}

type item struct {
	index   int
	attempt uint8
}

// flight is the calls launched together; they share one deadline.
type flight struct {
	ctx    context.Context
	cancel context.CancelFunc
	left   atomic.Int32
}

var (
	errAddresses = errors.New("delivery: addresses are not parallel to ids")
	errPanic     = errors.New("delivery: the driver panicked")
	errOutcome   = errors.New("delivery: the driver's answer is neither accepted nor delivered")
)

// window is a worker's open calls. Callers come as they are needed, at most as
// many as the window is wide.
type window struct {
	e       *Engine
	tasks   chan *call
	callers int
	busy    atomic.Int64

	mu   sync.Mutex
	back []*call
	want int           // tell again when so many are back
	ring chan struct{} // something is back
}

func newWindow(e *Engine, size int) *window {
	return &window{e: e, tasks: make(chan *call, size), ring: make(chan struct{}, 1)}
}

// launch makes the calls; open counts those and the ones still open.
func (w *window) launch(calls []*call, open int) {
	for ; w.callers < min(open, cap(w.tasks)); w.callers++ {
		go w.caller()
	}
	w.e.tally.open.Add(int64(len(calls)))
	for _, c := range calls {
		w.tasks <- c
	}
}

func (w *window) close() { close(w.tasks) }

func (w *window) caller() {
	for c := range w.tasks {
		w.busy.Add(1)
		w.e.perform(c)
		w.busy.Add(-1)
		if c.flight.left.Add(-1) == 0 {
			c.flight.cancel()
		}
		w.e.tally.open.Add(-1)
		w.put(c)
	}
}

func (w *window) put(c *call) {
	w.mu.Lock()
	w.back = append(w.back, c)
	tell := len(w.back) == 1 || len(w.back) == w.want
	w.mu.Unlock()
	if tell {
		w.tell()
	}
}

func (w *window) tell() {
	select {
	case w.ring <- struct{}{}:
	default:
	}
}

// gather asks to be told when n are back, and says how many are.
func (w *window) gather(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.want = n
	return len(w.back)
}

// take moves what is back into into.
func (w *window) take(into []*call) []*call {
	w.mu.Lock()
	defer w.mu.Unlock()
	into = append(into, w.back...)
	clear(w.back)
	w.back = w.back[:0]
	return into
}

// perform makes one call, unless it must not be made any more.
func (e *Engine) perform(c *call) {
	if c.bounced = e.barred(c); c.bounced == made && c.late {
		c.bounced = e.choose(c)
	}
	if c.bounced == made {
		p := c.p
		if c.ask {
			p = c.asked[0]
		}
		c.bounced = e.admit(c.flight.ctx, p, func() bounce { return e.barred(c) })
	}
	if c.bounced != made {
		c.drop()
		return
	}
	c.leave()
	if c.ask {
		e.ask(c)
		return
	}
	var err error
	c.ack, err = e.invoke(c)
	if err == nil && c.ack.Outcome != channels.Accepted && c.ack.Outcome != channels.Delivered {
		err = errOutcome
	}
	c.err = channels.AsError(err)
	if c.err != nil && c.err.Fault == channels.FaultAmbiguous && c.err.Code == "" && errors.Is(err, context.DeadlineExceeded) {
		c.err = &channels.Error{Fault: channels.FaultAmbiguous, Code: CodeTimeout}
	}
	c.p.result(c.err, c.region, c.probes, mono())
	if c.err == nil || c.err.Fault == channels.FaultContent {
		e.judgeText(c.h.lane, c.h.text, c.p, false, c.err)
	}
}

// drop takes a call that is not made out of its provider's line, and gives back
// the probes that it would have been.
func (c *call) drop() {
	c.leave()
	if c.probes.provider {
		c.p.breaker.dropped()
	}
	if c.probes.region {
		c.p.regions.dropped(c.region)
	}
}

func (e *Engine) message(c *call) channels.Message {
	h := c.h
	return channels.Message{
		Ref: c.ref, Alert: string(h.Alert), Revision: h.Revision, Code: h.Code, Status: h.Status, Urgent: h.Urgent,
		Language: h.Language, Expires: h.Expires, To: c.to, Body: h.Body,
	}
}

func (e *Engine) invoke(c *call) (ack channels.Ack, err error) {
	defer func() {
		if r := recover(); r != nil {
			e.m.panics.WithLabelValues(string(c.h.Kind), c.p.name).Inc()
			e.opt.Log.Error("a driver panicked", "kind", c.h.Kind, "provider", c.p.name, "batch", c.h.ID, "type", fmt.Sprintf("%T", r))
			ack, err = channels.Ack{}, &channels.Error{Fault: channels.FaultAmbiguous, Code: CodePanic, Err: errPanic}
		}
	}()
	m := e.message(c)
	if c.p.broadcast != nil {
		return c.p.broadcast.Broadcast(c.flight.ctx, m, []string{string(c.h.Commune)})
	}
	return c.p.sender.Send(c.flight.ctx, m)
}
