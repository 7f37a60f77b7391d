package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"loa/channels"
)

const (
	asked       = 255              // Exception.Asks: no provider is asked any more
	asksMore    = 2                // lookups after the last of LookupAfter, if that brought no answer
	asksGap     = 10 * time.Second // between those
	asksWindow  = 8                // part of a window that lookups may use
	sinceSlack  = time.Minute      // by which a provider's clock may be behind
	sinceCrash  = time.Hour        // before a crash was found, that a call may have been made
	lookFound   = "found"
	lookMissing = "missing"
	lookFailed  = "failed"
)

// errDown says that a provider could not be asked, because nothing is called on
// it now.
var errDown = errors.New("delivery: the provider is not called now")

// asks reports whether a provider of the lane can be asked what it took.
func (l *lane) asks() bool {
	for _, p := range l.providers {
		if p.lookup != nil {
			return true
		}
	}
	return false
}

// lookupAt is when a doubt found now is first asked about; zero if no provider
// can be.
func (l *lane) lookupAt(now time.Time, after []time.Duration) time.Time {
	if !l.asks() {
		return time.Time{}
	}
	return now.Add(after[0])
}

// toAsk is whom to ask about a doubt: the provider of the call, or all if it is
// not known. Those that are down are left out.
func (l *lane) toAsk(x Exception, now time.Time) (ps []*provider) {
	for _, p := range l.providers {
		if p.lookup != nil && (x.Provider == "" || p.name == x.Provider) && p.ready(now) == 0 {
			ps = append(ps, p)
		}
	}
	return ps
}

// planAsks starts lookups about the hold's recipients in doubt, few at once,
// and settles doubts about which nothing more is done.
func (w *worker) planAsks(ctx context.Context, h *hold, room *int, now, wall time.Time) time.Duration {
	most := max(1, w.l.Window/asksWindow)
	for len(h.asks) > 0 {
		p := h.asks[0]
		row := h.before[int(p.index)].row
		if p.act == actRest {
			w.rested(h, p, row)
			h.asks = h.asks[1:]
			continue
		}
		if w.asking >= most || *room <= 0 {
			return idleWait
		}
		ps := w.l.toAsk(row, now)
		if len(ps) == 0 {
			w.answer(h, p, row, nil, errDown, wall)
			h.asks = h.asks[1:]
			continue
		}
		if granted, wait := ps[0].takeAsks(1, now); granted == 0 {
			return wait
		}
		addrs, bad, err := w.e.openAll(ctx, h, []pick{p})
		if err != nil {
			w.e.m.failures.WithLabelValues("addresses").Inc()
			return idleWait
		}
		h.asks = h.asks[1:]
		if len(bad) > 0 || addrs[0] == "" {
			w.rested(h, p, row)
			continue
		}
		since := row.At.Add(-w.e.opt.CallTimeout - sinceSlack)
		if row.Provider == "" {
			since = row.At.Add(-sinceCrash)
		}
		c := w.newCall()
		c.h, c.ask, c.asked, c.since, c.index, c.attempt, c.to = h, true, ps, since, int(p.index), h.Marks[p.index].Attempt(), addrs[0]
		h.calls = append(h.calls, c)
		w.asking++
		*room--
	}
	return idleWait
}

// rested leaves a doubt as it is, for good.
func (w *worker) rested(h *hold, p pick, row Exception) {
	d := doubtOf(h, p, row)
	d.Asks = asked
	h.settled(d)
	if row.Code == CodePoison {
		w.e.poisoned(h, d.Index)
	}
}

// doubtOf is a delta that says what the row says, and waits for nothing.
func doubtOf(h *hold, p pick, row Exception) Delta {
	return Delta{
		Index: int(p.index), Attempt: h.Marks[p.index].Attempt(), Outcome: channels.Ambiguous, Exception: true,
		Fault: row.Fault, Code: row.Code, Provider: row.Provider, Asks: row.Asks, ProviderRef: row.ProviderRef, At: row.At,
	}
}

// ask makes one lookup: with each provider until one has the message.
func (e *Engine) ask(c *call) {
	m := e.message(c)
	for i, p := range c.asked {
		if p.ready(mono()) > 0 || i > 0 && e.awaitAsk(c.flight.ctx, p) != nil {
			c.askErr = errDown
			continue
		}
		r, err := e.lookup(c, p, m)
		if err == nil && r != nil {
			c.receipt, c.askErr = r, nil
			return
		}
		if err != nil {
			c.askErr = err
			if known := channels.AsError(err); known.Account || known.Fault == channels.FaultThrottled {
				p.result(known, "", probes{}, mono())
			}
		}
	}
}

func (e *Engine) lookup(c *call, p *provider, m channels.Message) (r *channels.Receipt, err error) {
	defer func() {
		if v := recover(); v != nil {
			e.m.panics.WithLabelValues(string(c.h.Kind), p.name).Inc()
			e.opt.Log.Error("a driver panicked", "kind", c.h.Kind, "provider", p.name, "batch", c.h.ID, "type", fmt.Sprintf("%T", v))
			r, err = nil, errPanic
		}
	}()
	return p.lookup.Lookup(c.flight.ctx, m, c.since)
}

// settleAsk puts what a lookup brought into the step. One that was not made
// after all leaves its row due.
func (w *worker) settleAsk(c *call, wall time.Time) {
	w.asking--
	h := c.h
	if c.bounced != made {
		w.e.m.bounced.WithLabelValues(string(h.Kind), bounceNames[c.bounced]).Inc()
		return
	}
	w.answer(h, pick{index: int32(c.index)}, h.before[c.index].row, c.receipt, c.askErr, wall) //nolint:gosec // a batch has at most 1,000 recipients
}

// answer says what a lookup means for its recipient.
func (w *worker) answer(h *hold, p pick, row Exception, r *channels.Receipt, err error, wall time.Time) {
	d := doubtOf(h, p, row)
	result := lookMissing
	switch {
	case r != nil && w.e.late(*r, &d, wall) == nil:
		result = lookFound
		h.Marks[d.Index] = NewMark(d.Outcome, d.Attempt)
	case err != nil || r != nil:
		result = lookFailed
		w.e.wait(h, &d, true, wall)
	default:
		w.e.wait(h, &d, false, wall)
	}
	w.e.m.lookups.WithLabelValues(string(h.Kind), result).Inc()
	h.settled(d)
}

// wait sets when a doubt that stays one is looked at again.
func (e *Engine) wait(h *hold, d *Delta, failed bool, wall time.Time) {
	after := e.opt.LookupAfter
	n := len(after)
	d.Asks = min(d.Asks, asked-1) + 1
	switch at := int(d.Asks); {
	case at < n:
		d.Due = wall.Add(after[at] - after[at-1])
	case failed && at < n+asksMore:
		d.Due = wall.Add(asksGap)
	default:
		d.Asks = asked
		if h.Resend && h.rows[d.Index].Doubts <= 1 {
			d.Due = wall
		}
	}
}
