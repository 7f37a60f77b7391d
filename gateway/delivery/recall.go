package delivery

import (
	"context"
	"errors"
	"time"

	"loa/channels"
)

// Recalled counts what came of asking about recipients.
type Recalled struct {
	Asked   int `json:"asked"`
	Found   int `json:"found"`   // a provider holds the message: recorded
	Missing int `json:"missing"` // every provider answered, none holds it
	Failed  int `json:"failed"`  // no answer: nothing is known
}

// Add sums.
func (r *Recalled) Add(o Recalled) {
	r.Asked, r.Found, r.Missing, r.Failed = r.Asked+o.Asked, r.Found+o.Found, r.Missing+o.Missing, r.Failed+o.Failed
}

// CanAsk reports whether a provider of the channel can be asked what it took.
func (e *Engine) CanAsk(k channels.Kind) bool {
	l := e.lane(k)
	return l != nil && l.asks()
}

// Recall asks the providers of the batch's channel whether they took its message
// since then for its recipients from index from on who are pending, sending or
// in doubt, at most so many, at the pace of lookups; what they hold is merged.
// It starts no send and needs no lease. next is the index to go on from, the
// number of recipients at the end.
func (e *Engine) Recall(ctx context.Context, b Batch, from int, since time.Time, most int) (sum Recalled, next int, err error) {
	l := e.lane(b.Kind)
	if l == nil || !l.asks() {
		return sum, len(b.Marks), nil
	}
	var es []Evidence
	for next = from; next < len(b.Marks) && sum.Asked < most && ctx.Err() == nil; next++ {
		switch b.Marks[next].Outcome() {
		case channels.Pending, channels.Sending, channels.Ambiguous:
		default:
			continue
		}
		addrs, err := e.opt.Addresses.Open(ctx, b.Kind, b.Commune, b.Language, b.Recipients[next:next+1])
		if err != nil {
			return sum, next, err
		}
		if addrs[0] == "" {
			continue
		}
		sum.Asked++
		d := Delta{Index: next, Attempt: max(1, b.Marks[next].Attempt())}
		m := channels.Message{
			Ref: e.Ref(b.ID, d.Index, d.Attempt), Alert: string(b.Alert), Revision: b.Revision, Code: b.Code, Status: b.Status, Urgent: b.Urgent,
			Language: b.Language, Expires: b.Expires, To: addrs[0], Body: b.Body,
		}
		r, err := e.recallOne(ctx, l, m, since)
		switch {
		case r != nil && e.late(*r, &d, e.opt.Now()) == nil:
			sum.Found++
			es = append(es, Evidence{Batch: b.ID, Delta: d})
		case err != nil || r != nil:
			sum.Failed++
		default:
			sum.Missing++
		}
	}
	if len(es) > 0 {
		// What was learned is kept even if who asked has gone.
		if err := e.commit(context.WithoutCancel(ctx), es); err != nil {
			return sum, from, err
		}
	}
	return sum, next, ctx.Err()
}

// recallOne asks each provider until one has the message. An answer of all of
// them is needed to say that none has.
func (e *Engine) recallOne(ctx context.Context, l *lane, m channels.Message, since time.Time) (*channels.Receipt, error) {
	var failed error
	for _, p := range l.providers {
		if p.lookup == nil {
			failed = errDown // it may have taken the message and cannot say
			continue
		}
		if err := e.awaitAsk(ctx, p); err != nil {
			return nil, err
		}
		ask, cancel := context.WithTimeout(ctx, e.opt.CallTimeout)
		r, err := p.lookup.Lookup(ask, m, since)
		cancel()
		if err == nil && r != nil {
			return r, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// awaitAsk waits until the provider may be asked, unless that takes long.
func (e *Engine) awaitAsk(ctx context.Context, p *provider) error {
	for {
		granted, wait := p.takeAsks(1, mono())
		if granted > 0 {
			if e.admit(ctx, p, func() bounce { return made }) != made {
				return ctx.Err()
			}
			return nil
		}
		if wait > e.opt.CallTimeout {
			return errDown
		}
		t := time.NewTimer(max(wait, time.Millisecond))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}
