package delivery

import (
	"time"

	"loa/channels"
)

// settle puts a returned call into its hold's step.
func (w *worker) settle(c *call, now time.Time) {
	h := c.h
	h.open--
	if c.ask {
		w.settleAsk(c, now)
		return
	}
	if c.late {
		h.suspect = false
	}
	if c.bounced != made {
		w.e.m.bounced.WithLabelValues(string(h.Kind), bounceNames[c.bounced]).Inc()
	} else {
		w.count(c, max(1, len(c.items)))
	}
	if c.err != nil && c.err.Fault == channels.FaultContent && h.text.tells(h.ID, c.err.Code) {
		w.e.opt.OnContent(ContentRefusal{Batch: h.ID, Alert: h.Alert, Revision: h.Revision, Kind: h.Kind, Code: c.err.Code})
	}
	if c.items == nil {
		w.settleOne(c, c.index, c.attempt, now)
		return
	}
	for _, it := range c.items {
		w.settleOne(c, it.index, it.attempt, now)
	}
}

func (w *worker) count(c *call, n int) {
	at := resAccepted
	switch {
	case c.err != nil:
		at = resFault + int(c.err.Fault)
	case c.ack.Outcome == channels.Delivered:
		at = resDelivered
	}
	c.p.counts[at].Add(float64(n))
}

func (w *worker) settleOne(c *call, index int, attempt uint8, now time.Time) {
	h := c.h
	d := Delta{Index: index, Attempt: attempt, At: now}
	before, again := h.before[index]
	switch {
	case c.bounced == bounceExpired:
		if d.Outcome = channels.Expired; again {
			before.stays(&d, time.Time{})
		}
	case c.bounced == bounceGone:
		if d.Outcome = channels.Cancelled; again {
			before.stays(&d, time.Time{})
		}
	case c.bounced == bouncePoison:
		d.Outcome, d.Exception, d.Fault, d.Code = channels.Failed, true, channels.FaultAddress, CodePoison
		if again {
			before.stays(&d, time.Time{})
		}
		w.e.poisoned(h, index)
	case c.bounced != made:
		w.unspent(h, &d, c.late)
	case c.err == nil:
		d.Outcome, d.ProviderRef = c.ack.Outcome, c.ack.ProviderRef
	default:
		w.fault(c, &d)
	}
	h.Marks[index] = NewMark(d.Outcome, attempt)
	h.settled(d)
}

// unspent is a send that certainly was not made or taken and costs no attempt:
// the recipient is started again in this lease or the next, with no row. One
// that an earlier call may have reached keeps its row, and so its doubts.
func (w *worker) unspent(h *hold, d *Delta, late bool) {
	d.Outcome = channels.Pending
	if x, ok := h.before[d.Index]; ok {
		x.stays(d, d.At) // and so is looked at again at once
		d.Fault = channels.FaultThrottled
		return
	}
	p := pick{index: int32(d.Index), reuse: true} //nolint:gosec // a batch has at most 1,000 recipients
	if late {
		h.suspects = append(h.suspects, p)
		return
	}
	h.again = append(h.again, p)
}

// fault says what a failed call means for its recipient.
func (w *worker) fault(c *call, d *Delta) {
	h, e := c.h, c.err
	before, again := h.before[d.Index]
	d.Fault, d.Code, d.Provider, d.Asks = e.Fault, e.Code, c.p.name, before.row.Asks
	switch e.Fault {
	case channels.FaultThrottled:
		if alone := e.RetryAfter > yieldAfter && c.p.pause(mono()) == 0; !h.throttledOften(d.Index) && !alone {
			w.unspent(h, d, c.late)
			return
		}
		d.Outcome, d.Due = channels.Pending, d.At.Add(min(max(e.RetryAfter, throttleWait), maxPause)+time.Duration(w.e.opt.Jitter(int64(throttleWait))))
	case channels.FaultProvider:
		d.Outcome, d.Due = channels.Pending, d.At.Add(w.e.afterProvider())
	case channels.FaultTransient:
		d.Outcome, d.Due = channels.Pending, d.At.Add(w.e.backOff(d.Attempt))
	case channels.FaultAddress:
		d.Outcome, d.Retire = channels.Failed, true
	case channels.FaultContent:
		d.Outcome = channels.Failed
		if h.refused |= c.p.bit(); h.another(d.Index) {
			d.Outcome, d.Due = channels.Pending, d.At
			h.bars(int32(d.Index), c.p.name) //nolint:gosec // a batch has at most 1,000 recipients
		}
	default:
		w.inDoubt(c, d, again)
	}
	if d.Exception = true; again && e.Fault != channels.FaultAmbiguous {
		d.Outcome = before.outcome // this call was not taken; the earlier one may have been
	}
}

// A recipient who alone is throttled, while others are not, waits: the provider
// is not left alone for it.
const (
	throttleRow  = 3 // throttles of a recipient under one lease before it waits
	throttleWait = time.Second
)

func (h *hold) throttledOften(index int) bool {
	if h.throttled == nil {
		h.throttled = make(map[int]int)
	}
	h.throttled[index]++
	return h.throttled[index] >= throttleRow
}

// inDoubt is a call that may have been taken: a provider that can be asked is,
// and else one more send follows, if the batch allows it and this is the first
// doubt. A driver that panics is not called a third time.
func (w *worker) inDoubt(c *call, d *Delta, again bool) {
	d.Outcome, d.Doubt, d.Asks = channels.Ambiguous, true, 0
	switch resend := c.h.Resend && !again; {
	case d.Code == CodePanic && !resend:
		d.Code = CodePoison
		w.e.poisoned(c.h, d.Index)
	case c.p.lookup != nil:
		d.Due = d.At.Add(w.e.opt.LookupAfter[0])
	case resend:
		d.Due, d.Asks = d.At.Add(w.e.opt.ResendAfter), asked
	}
}

// another reports whether a provider is left that has not refused the text.
func (h *hold) another(index int) bool {
	for _, p := range h.lane.providers {
		if h.refused&p.bit() == 0 && h.not[int32(index)] != p.name && h.guard(p) == nil { //nolint:gosec // a batch has at most 1,000 recipients
			return true
		}
	}
	return false
}

// afterProvider is how long a recipient waits after a provider fault, which
// spends no attempt. Others go first: the fault may be about this recipient
// alone, who must not be every probe.
func (e *Engine) afterProvider() time.Duration {
	const most = 10 * time.Second
	return most/2 + time.Duration(e.opt.Jitter(int64(most/2)))
}

// backOff is exponential with full jitter.
func (e *Engine) backOff(attempt uint8) time.Duration {
	ceiling := e.opt.MaxBackOff
	if n := max(int(attempt), 1) - 1; n < 20 {
		ceiling = min(ceiling, e.opt.FirstBackOff<<n)
	}
	return time.Duration(e.opt.Jitter(int64(ceiling)) + 1)
}
