package simulation_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/coverage"
	"loa/gateway/historytest"
)

// truth adds what the ledger says in the end.
func (w *world) truth(p *process) {
	ctx := context.Background()
	w.audit(ctx, p)
	w.mu.Lock()
	cases := maps.Clone(w.cases)
	byAlert := map[alert.ID][]*batch{}
	for _, id := range slices.Sorted(maps.Keys(w.batches)) {
		byAlert[w.batches[id].alert] = append(byAlert[w.batches[id].alert], w.batches[id])
	}
	w.mu.Unlock()
	for id, c := range cases {
		stored, err := p.ledger.Desk().Case(ctx, id)
		if err != nil || stored.State != c.State {
			w.fail("alert %s: was seen to be %s, and the ledger says %v, %v", id, c.State, stored, err)
		}
		if c.ApprovedAt.IsZero() {
			continue
		}
		rev := c.Submission.Revision
		w.record(historytest.Event{Kind: historytest.KindExpiry, Alert: string(id), Revision: rev.Number, Expires: w.until(rev.Expires())})
		w.outcomes(p, c.ID, byAlert[id])
	}
	for i := range w.events {
		if e := &w.events[i]; e.Kind == historytest.KindEligible {
			e.IDs = slices.DeleteFunc(slices.Clone(e.IDs), func(id int64) bool {
				at, gone := w.retired[id]
				return gone && at <= w.lastCut[alert.ID(e.Alert)] && !w.attempted(alert.ID(e.Alert), id)
			})
		}
	}
}

// attempted reports whether somebody is in a batch of the alert.
func (w *world) attempted(id alert.ID, recipient int64) bool {
	for _, b := range w.batches {
		if b.alert == id && slices.Contains(b.ids, recipient) {
			return true
		}
	}
	return false
}

func (w *world) outcomes(p *process, id alert.ID, batches []*batch) {
	n, k := 0, 0
	err := p.ledger.Coverage().Recipients(context.Background(), id, 1, func(r coverage.Recipient) error {
		for n < len(batches) && k == len(batches[n].ids) {
			n, k = n+1, 0
		}
		if n == len(batches) || batches[n].ids[k] != r.Endpoint {
			return fmt.Errorf("recipient %d of alert %s stands in the ledger and was not seen to be cut", r.Endpoint, id)
		}
		b := batches[n]
		if r.Outcome == channels.Ambiguous {
			if w.inDoubt[id] == nil {
				w.inDoubt[id] = map[int64]bool{}
			}
			w.inDoubt[id][r.Endpoint] = true
		}
		w.record(historytest.Event{Kind: historytest.KindOutcome, Batch: int64(b.id), Index: k, Attempt: b.attempts[k], Outcome: r.Outcome.String(), Reason: b.reasons[k]})
		k++
		return nil
	})
	if err != nil {
		w.fail("outcomes: %v", err)
	}
}

// until places a wall time: the last moment before which the wall clock was
// earlier.
func (w *world) until(at time.Time) int64 {
	crossing := int64(at.Sub(w.begin.Round(0))) + 1
	end := int64(1<<63 - 1)
	for _, s := range slices.Backward(append([]clockStep{{at: 1}}, w.steps...)) {
		if x := crossing - int64(s.total); x > s.at {
			return min(x, end)
		}
		end = s.at
	}
	return crossing
}

// params are what a run keeps to. Devices and the age of proofs are the
// account's, for whom the tests stand in. An Extreme batch whose hint was lost
// is found by the sweeper: until then bulletins may go on.
func (w *world) params() historytest.Params {
	p := historytest.Params{
		Workers: 8, Concurrency: 8, RatePerSecond: map[string]int{"one": smsRate, "two": smsRate}, TerminalDeadline: terminal,
		NotApplicable: []string{"I13"}, Unrecorded: []historytest.Fact{historytest.FactDevice, historytest.FactStepUp},
	}
	if w.belt != nil {
		p.YieldWithin = 3 * time.Second
		if w.belt.wiped > 0 { // it forgot what had started in a slot, and let one more start
			p.RatePerSecond["one"], p.RatePerSecond["two"] = smsRate+1, smsRate+1
		}
	}
	return p
}

// judge says what is wrong with a run. A life in which nothing was stopped, or
// no bulletin was sent, or nothing at all, has nothing to show of that; nothing
// else may be unknown.
func (w *world) judge() (wrong []string) {
	report := historytest.Check(historytest.Of(w.events...), w.params())
	sent := slices.ContainsFunc(w.events, func(e historytest.Event) bool { return e.Kind == historytest.KindRequest })
	for _, v := range report.Verdicts {
		if v.State == historytest.Invalid || v.State == historytest.Unknown && v.Examined > 0 && sent {
			wrong = append(wrong, v.String())
		}
	}
	return append(w.broken, wrong...)
}

// run lives one life and gives the world after it.
func run(t *testing.T, seed uint64, f fault) *world {
	t.Helper()
	folder, people := copyTemplate(t)
	var w *world
	synctest.Test(t, func(*testing.T) {
		w = newWorld(seed, folder, people)
		w.fault = f
		w.live()
	})
	return w
}

// print is the history in a form in which equal ones are equal: what happened
// at the same moment has no order.
func (w *world) print() string {
	var lines []string
	for _, e := range w.events {
		e.Prev, e.Hash = "", ""
		lines = append(lines, fmt.Sprintf("%014d %+v", e.T, e))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
