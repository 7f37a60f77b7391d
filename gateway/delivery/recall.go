package delivery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

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

// recallAtOnce is how many lookups of a recall are open at once. Each waits for
// its answer over the network, so that one by one they would not come to the
// pace that lookups may have.
const recallAtOnce = 16

// AskPace is how many recipients of the channel Recall asks about a second at
// most; 0: no provider can be asked.
func (e *Engine) AskPace(k channels.Kind) float64 {
	l := e.lane(k)
	if l == nil || !l.asks() {
		return 0
	}
	pace := math.Inf(1)
	for _, p := range l.providers {
		if p.lookup != nil {
			pace = min(pace, p.askLimit())
		}
	}
	return pace
}

// Recall asks the providers of the batch's channel whether they took its message
// since then for its recipients from index from on who are pending, sending or
// in doubt, at most so many, some at once and at the pace of lookups; what they
// hold is merged. It starts no send and needs no lease. next is the index to go
// on from, the number of recipients at the end. Once ctx has ended nobody more is
// asked about; the answers of those who were are waited for.
func (e *Engine) Recall(ctx context.Context, b Batch, from int, since time.Time, most int) (sum Recalled, next int, err error) {
	l := e.lane(b.Kind)
	if l == nil || !l.asks() {
		return sum, len(b.Marks), nil
	}
	r := recall{e: e, l: l, b: &b, since: since}
	r.calls.SetLimit(recallAtOnce)
	asked := 0
	for next = from; next < len(b.Marks) && asked < most; next++ {
		switch b.Marks[next].Outcome() {
		case channels.Pending, channels.Sending, channels.Ambiguous:
		default:
			continue
		}
		begun, failed := r.begin(ctx, next)
		if failed != nil {
			err = failed
			break
		}
		if begun {
			asked++
		}
	}
	if failed := r.end(ctx); failed != nil {
		return r.sum, from, errors.Join(err, failed)
	}
	return r.sum, next, err
}

// recall is the questions about one batch.
type recall struct {
	e     *Engine
	l     *lane
	b     *Batch
	since time.Time
	calls errgroup.Group

	mu  sync.Mutex
	sum Recalled
	es  []Evidence
}

// begin begins to ask about a recipient, when the pace allows. It returns false
// if there is no address to ask about, an error if nobody was asked.
func (r *recall) begin(ctx context.Context, index int) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	b := r.b
	addrs, err := r.e.opt.Addresses.Open(ctx, b.Kind, b.Commune, b.Language, b.Recipients[index:index+1])
	if err != nil || addrs[0] == "" {
		return false, err
	}
	d := Delta{Index: index, Attempt: max(1, b.Marks[index].Attempt())}
	m := channels.Message{
		Ref: r.e.Ref(b.ID, d.Index, d.Attempt), Alert: string(b.Alert), Revision: b.Revision, Code: b.Code, Status: b.Status, Urgent: b.Urgent,
		Language: b.Language, Expires: b.Expires, To: addrs[0], Body: b.Body,
	}
	i := slices.IndexFunc(r.l.providers, func(p *provider) bool { return p.lookup != nil })
	paced := r.e.awaitAsk(ctx, r.l.providers[i])
	if err := ctx.Err(); err != nil {
		return false, err
	}
	r.calls.Go(func() error {
		// An answer that is on its way is kept even if who asked has gone.
		got, err := r.e.recallOne(context.WithoutCancel(ctx), r.l, i, paced, m, r.since)
		r.note(d, got, err)
		return nil
	})
	return true, nil
}

// note counts what came of one recipient.
func (r *recall) note(d Delta, got *channels.Receipt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Asked++
	switch {
	case got != nil && r.e.late(*got, &d, r.e.opt.Now()) == nil:
		r.sum.Found++
		r.es = append(r.es, Evidence{Batch: r.b.ID, Delta: d})
	case err != nil || got != nil:
		r.sum.Failed++
	default:
		r.sum.Missing++
	}
}

// end waits for the answers and makes what was learned durable.
func (r *recall) end(ctx context.Context) error {
	_ = r.calls.Wait() // none returns an error
	if len(r.es) == 0 {
		return nil
	}
	return r.e.commit(context.WithoutCancel(ctx), r.es)
}

// recallOne asks each provider until one has the message. An answer of all of
// them is needed to say that none has. The first that can be asked was waited
// for already, with the given result.
func (e *Engine) recallOne(ctx context.Context, l *lane, first int, paced error, m channels.Message, since time.Time) (*channels.Receipt, error) {
	var failed error
	for i, p := range l.providers {
		if p.lookup == nil {
			failed = errDown // it may have taken the message and cannot say
			continue
		}
		err := paced
		if i != first {
			err = e.awaitAsk(ctx, p)
		}
		if err != nil {
			return nil, err
		}
		r, err := e.recallFrom(ctx, p, m, since)
		if err == nil && r != nil {
			return r, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// recallFrom makes one lookup.
func (e *Engine) recallFrom(ctx context.Context, p *provider, m channels.Message, since time.Time) (r *channels.Receipt, err error) {
	ask, cancel := context.WithTimeout(ctx, e.opt.CallTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			e.opt.Log.Error("a driver panicked", "provider", p.name, "type", fmt.Sprintf("%T", v))
			r, err = nil, errPanic
		}
	}()
	return p.lookup.Lookup(ask, m, since)
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
