package delivery

import (
	"math/rand/v2"
	"slices"
	"time"

	"loa/channels"
)

// settle puts a returned call into its hold's step.
func (w *worker) settle(c *call, now time.Time) {
	h := c.h
	h.open--
	if c.bounced != made {
		w.e.m.bounced.WithLabelValues(string(h.Kind), bounceNames[c.bounced]).Inc()
	} else {
		w.count(c, max(1, len(c.items)))
	}
	if c.err != nil && c.err.Fault == channels.FaultContent && !h.told(c.err.Code) {
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

// told remembers that a code was reported and says whether it was before.
func (h *hold) told(code string) bool {
	if slices.Contains(h.codes, code) {
		return true
	}
	h.codes = append(h.codes, code)
	return false
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
	case c.bounced != made:
		w.unspent(h, &d)
	case c.err == nil:
		d.Outcome, d.ProviderRef = c.ack.Outcome, c.ack.ProviderRef
	default:
		w.fault(h, &d, c.err)
	}
	h.Marks[index] = NewMark(d.Outcome, attempt)
	h.step.Settle = append(h.step.Settle, d)
}

// unspent is a send that certainly was not made or taken and costs no attempt:
// the recipient is started again in this lease or the next, with no row. One
// that an earlier call may have reached keeps its row, and so its doubts.
func (w *worker) unspent(h *hold, d *Delta) {
	d.Outcome = channels.Pending
	if x, ok := h.before[d.Index]; ok {
		x.stays(d, d.At)
		d.Fault = channels.FaultThrottled
	}
	h.again = append(h.again, pick{index: int32(d.Index), reuse: true}) //nolint:gosec // a batch has at most 1,000 recipients
}

// fault says what a failed call means for its recipient.
func (w *worker) fault(h *hold, d *Delta, e *channels.Error) {
	before, again := h.before[d.Index]
	d.Fault, d.Code = e.Fault, e.Code
	switch e.Fault {
	case channels.FaultThrottled:
		w.unspent(h, d)
		return
	case channels.FaultProvider:
		d.Outcome, d.Due = channels.Pending, d.At.Add(afterProvider())
	case channels.FaultTransient:
		d.Outcome, d.Due = channels.Pending, d.At.Add(w.e.backOff(d.Attempt))
	case channels.FaultAddress:
		d.Outcome, d.Retire = channels.Failed, true
	case channels.FaultContent:
		d.Outcome = channels.Failed
	default:
		d.Outcome, d.Doubt = channels.Ambiguous, true
		if h.Resend && !again {
			d.Due = d.At.Add(w.e.opt.ResendAfter)
		}
	}
	if d.Exception = true; again && e.Fault != channels.FaultAmbiguous {
		d.Outcome = before.outcome // this call was not taken; the earlier one may have been
	}
}

// afterProvider is how long a recipient waits after a provider fault, which
// spends no attempt. Others go first: the fault may be about this recipient
// alone, who must not be every probe.
func afterProvider() time.Duration {
	const most = 10 * time.Second
	return most/2 + time.Duration(rand.Int64N(int64(most/2))) //nolint:gosec // jitter
}

// backOff is exponential with full jitter.
func (e *Engine) backOff(attempt uint8) time.Duration {
	ceiling := e.opt.MaxBackOff
	if n := max(int(attempt), 1) - 1; n < 20 {
		ceiling = min(ceiling, e.opt.FirstBackOff<<n)
	}
	return time.Duration(rand.Int64N(int64(ceiling)) + 1) //nolint:gosec // jitter
}
