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
func (e *Engine) Sink() channels.Sink { return e.receive }

func (e *Engine) receive(ctx context.Context, rs ...channels.Receipt) error {
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
		e.tell(rs, es)
	}
	return unknown
}

// evidence resolves a receipt to its recipient.
func (e *Engine) evidence(ctx context.Context, r channels.Receipt) (Evidence, error) {
	b, index, attempt, err := e.find(ctx, r)
	if err != nil {
		return Evidence{}, err
	}
	now := e.opt.Now()
	d := Delta{Index: index, Attempt: attempt, Outcome: r.Outcome, ProviderRef: r.ProviderRef, Code: r.Code, At: r.At}
	if d.At.IsZero() {
		d.At = now
	}
	switch r.Outcome {
	case channels.Accepted, channels.Delivered, channels.Confirmed:
	case channels.Failed, channels.Expired:
		d.Outcome, d.Exception, d.Fault = channels.Failed, true, r.Fault
		d.Retire = r.Fault == channels.FaultAddress
		if r.Outcome == channels.Failed && r.Fault == channels.FaultTransient && attempt == 1 {
			// Its first call was taken and came to nothing. One retry follows;
			// the doubt sees to it that no third call does.
			d.Due, d.Doubt = now.Add(e.opt.RetryAfter), true
		}
	default:
		return Evidence{}, fmt.Errorf("delivery: a receipt cannot say %s", r.Outcome)
	}
	return Evidence{Batch: b, Delta: d}, nil
}

func (e *Engine) find(ctx context.Context, r channels.Receipt) (BatchID, int, uint8, error) {
	if r.Ref != "" {
		s := e.macs.Get().(*signer)
		defer e.macs.Put(s)
		return s.open(r.Ref)
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
func (e *Engine) tell(rs []channels.Receipt, es []Evidence) {
	kind := rs[0].Kind
	for _, ev := range es {
		e.m.receipts.WithLabelValues(string(kind), ev.Outcome.String()).Inc()
		if ev.Outcome == channels.Failed && ev.Fault == channels.FaultContent {
			e.opt.OnContent(ContentRefusal{Batch: ev.Batch, Kind: kind, Code: ev.Code})
		}
	}
}
