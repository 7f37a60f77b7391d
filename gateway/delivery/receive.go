package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"loa/channels"
	"loa/gateway/alert"
)

// receiveTimeout bounds one ledger commit of receipts.
const receiveTimeout = 10 * time.Second

// inbox commits receipts in groups: while one commit runs, the receipts that
// come in gather for the next.
type inbox struct {
	slot chan struct{} // held by the group that commits

	mu   sync.Mutex
	next *group
}

type group struct {
	es   []Evidence
	done chan struct{}
	err  error
}

// Sink takes receipts from drivers: see channels.Sink. A receipt that is not
// ours makes the answer ErrUnknownRef, after the others were merged.
func (e *Engine) Sink() channels.Sink { return e.SinkOf("") }

// SinkOf is Sink for the receipts of the provider with this name, so that what
// they say of it is known to be about it. One that is not named is the first of
// the receipt's channel.
func (e *Engine) SinkOf(provider string) channels.Sink {
	return func(ctx context.Context, rs ...channels.Receipt) error { return e.receive(ctx, provider, rs) }
}

func (e *Engine) receive(ctx context.Context, provider string, rs []channels.Receipt) error {
	es := make([]Evidence, 0, len(rs))
	var unknown error
	for _, r := range rs {
		ev, err := e.evidence(ctx, r)
		switch {
		case errors.Is(err, channels.ErrUnknownRef):
			e.m.unknown.Inc()
			unknown = err
		case err != nil:
			return err
		default:
			es = append(es, ev)
		}
	}
	if len(es) > 0 {
		if err := e.commit(ctx, es); err != nil {
			return err
		}
		e.tell(provider, rs[0].Kind, es)
	}
	return unknown
}

// evidence resolves a receipt to its recipient.
func (e *Engine) evidence(ctx context.Context, r channels.Receipt) (Evidence, error) {
	b, index, attempt, err := e.find(ctx, r)
	if err != nil {
		return Evidence{}, err
	}
	d := Delta{Index: index, Attempt: attempt}
	if err := e.late(r, &d, e.opt.Now()); err != nil {
		return Evidence{}, err
	}
	return Evidence{Batch: b, Delta: d}, nil
}

// overflowAfter is how long a message that a provider dropped from a full queue
// waits before its one retry, if the receipt names no time.
const overflowAfter = 30 * time.Second

// late makes the delta say what a receipt does.
func (e *Engine) late(r channels.Receipt, d *Delta, now time.Time) error {
	switch r.Outcome {
	case channels.Accepted, channels.Delivered, channels.Confirmed, channels.Failed, channels.Expired:
	default:
		return fmt.Errorf("delivery: a receipt cannot say %s", r.Outcome)
	}
	*d = Delta{Index: d.Index, Attempt: d.Attempt, Outcome: r.Outcome, ProviderRef: r.ProviderRef, Code: r.Code, At: r.At}
	if d.At.IsZero() {
		d.At = now
	}
	if r.Outcome != channels.Failed && r.Outcome != channels.Expired {
		return nil
	}
	d.Outcome, d.Exception, d.Fault, d.Asks = channels.Failed, true, r.Fault, asked
	d.Retire = r.Fault == channels.FaultAddress
	wait := e.opt.RetryAfter
	switch {
	case r.Outcome == channels.Failed && r.Fault == channels.FaultThrottled:
		if wait = r.RetryAfter; wait <= 0 {
			wait = overflowAfter
		}
	case r.Outcome == channels.Failed && r.Fault == channels.FaultTransient:
	default:
		return nil
	}
	if d.Attempt == 1 {
		// Its first call was taken and came to nothing. One retry follows; the
		// doubt sees to it that no third call does.
		d.Due, d.Doubt = now.Add(wait), true
	}
	return nil
}

func (e *Engine) find(ctx context.Context, r channels.Receipt) (BatchID, int, uint8, error) {
	if r.Ref != "" {
		s := e.macs.Get().(*signer)
		defer e.macs.Put(s)
		b, index, attempt, err := s.open(r.Ref)
		for _, key := range e.opt.OldRefKeys {
			if err == nil {
				break
			}
			b, index, attempt, err = newSigner(key).open(r.Ref)
		}
		return b, index, attempt, err
	}
	if r.Alert == "" || r.From == "" {
		return 0, 0, 0, channels.ErrUnknownRef
	}
	id, err := e.opt.Addresses.Find(ctx, r.Kind, r.From)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("delivery: find the install: %w", err)
	}
	if id == 0 {
		return 0, 0, 0, channels.ErrUnknownRef
	}
	b, index, attempt, err := e.opt.Store.Locate(ctx, alert.ID(r.Alert), r.Revision, r.Kind, id)
	if errors.Is(err, ErrNotFound) {
		return 0, 0, 0, channels.ErrUnknownRef
	}
	return b, index, attempt, err
}

// commit merges evidence together with what others bring meanwhile. The
// caller may give up waiting; its evidence is merged all the same.
func (e *Engine) commit(ctx context.Context, es []Evidence) error {
	in := &e.inbox
	in.mu.Lock()
	g, leads := in.next, false
	if g == nil {
		g, leads = &group{done: make(chan struct{})}, true
		in.next = g
	}
	g.es = append(g.es, es...)
	in.mu.Unlock()
	if leads {
		e.lead(context.WithoutCancel(ctx), g)
	}
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Engine) lead(ctx context.Context, g *group) {
	in := &e.inbox
	in.slot <- struct{}{}
	defer func() { <-in.slot }()
	in.mu.Lock()
	in.next = nil
	in.mu.Unlock()
	defer close(g.done)
	ctx, cancel := context.WithTimeout(ctx, receiveTimeout)
	defer cancel()
	unknown, err := e.opt.Store.Receive(ctx, e.opt.Now(), g.es)
	e.m.unknown.Add(float64(unknown))
	if err != nil {
		e.m.failures.WithLabelValues("receive").Inc()
		g.err = fmt.Errorf("delivery: receive: %w", err)
	}
}

// tell counts what was merged and reports refused texts.
func (e *Engine) tell(provider string, kind channels.Kind, es []Evidence) {
	l, p := e.provider(kind, provider)
	for _, ev := range es {
		if p != nil {
			e.heardLate(l, p, ev)
		}
		e.m.receipts.WithLabelValues(string(kind), ev.Outcome.String()).Inc()
		if ev.Outcome == channels.Failed && ev.Fault == channels.FaultContent {
			e.opt.OnContent(ContentRefusal{Batch: ev.Batch, Kind: kind, Code: ev.Code})
		}
	}
}

// provider is the lane's with the name, or its first.
func (e *Engine) provider(kind channels.Kind, name string) (*lane, *provider) {
	l := e.lane(kind)
	if l == nil {
		return nil, nil
	}
	for _, p := range l.providers {
		if p.name == name {
			return l, p
		}
	}
	return l, l.providers[0]
}

// heardLate takes note of what a receipt says of the provider: that it refuses
// a text, or that its queue is full.
func (e *Engine) heardLate(l *lane, p *provider, ev Evidence) {
	var err *channels.Error
	if ev.Outcome == channels.Failed {
		err = &channels.Error{Fault: ev.Fault, Code: ev.Code}
	}
	if err == nil || err.Fault == channels.FaultContent {
		e.judgeText(l, l.texts.sentIn(ev.Batch), p, true, err)
	}
	if err != nil && err.Fault == channels.FaultThrottled {
		p.overflowed(mono())
	}
}
