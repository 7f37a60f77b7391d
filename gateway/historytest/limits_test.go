package historytest

import (
	"slices"
	"testing"

	"loa/channels"
)

// The last moment that is allowed, and the first that is not.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, invariant string
		want            State
		change          func(w *world)
	}{
		{"a call 1 s after the stop", "I4", Valid, func(w *world) { w.try(w.of("A", channels.WebPush)[0], w.stopAt+sec, nil) }},
		{"and 1 ns", "I4", Invalid, func(w *world) { w.try(w.of("A", channels.WebPush)[0], w.stopAt+sec+1, nil) }},
		{"a call 1 ns before the expiry", "I5", Valid, func(w *world) { w.try(w.of("B", channels.SMS)[0], w.expiresB-1, nil) }},
		{"a call at the expiry", "I5", Invalid, func(w *world) { w.try(w.of("B", channels.SMS)[0], w.expiresB, nil) }},
		{"105 %", "I9", Valid, func(w *world) { w.burst(21, 1) }},
		{"more", "I9", Invalid, func(w *world) { w.burst(22, 1) }},
		{"more, over 1 s", "I9", Valid, func(w *world) { w.burst(22, sec/21+1) }},
		{"a bulletin 1 s after Extreme appeared", "I10", Valid, func(w *world) { w.try(w.of("C", channels.SMS)[0], w.backlogAt+sec, nil) }},
		{"and 1 ns", "I10", Invalid, func(w *world) { w.try(w.of("C", channels.SMS)[0], w.backlogAt+sec+1, nil) }},
		{"proofs of 5 min", "I7", Valid, func(w *world) { w.change(KindApproval, "B", func(_ int, e *Event) { e.StepUp = 300 * sec }) }},
		{"and 1 ns", "I7", Invalid, func(w *world) { w.change(KindApproval, "B", func(_ int, e *Event) { e.StepUp = 300*sec + 1 }) }},
		{"break-glass by one", "I7", Valid, func(w *world) {
			w.change(KindApproval, "B", func(_ int, e *Event) { e.Person, e.BreakGlass = "lan", true })
		}},
		{"a bulletin by nobody but one", "I7", Valid, func(w *world) { w.change(KindSubmit, "B", func(_ int, e *Event) { e.Severity = "Minor" }) }},
		{"an area of everywhere", "I8", Valid, func(w *world) {
			w.change(KindSubmit, "B", func(_ int, e *Event) { e.Areas = []string{Everywhere} })
		}},
		{"an empty area", "I8", Unknown, func(w *world) { w.change(KindSubmit, "B", func(_ int, e *Event) { e.Areas = nil }) }},
		{"an open recipient, early", "I1", Unknown, func(w *world) { w.params.TerminalDeadline = 1 << 60; w.forget() }},
		{"an open recipient, late", "I1", Invalid, func(w *world) { w.forget() }},
		{"cancelled, and nobody says why", "I1", Unknown, func(w *world) { w.ends("cancelled", "") }},
		{"cancelled, as the address is gone", "I1", Valid, func(w *world) { w.ends("cancelled", "gone") }},
		{"expired in an alert that lives", "I1", Invalid, func(w *world) {
			w.change(KindSubmit, "B", func(_ int, e *Event) { e.Expires = 1 << 61 })
			w.ends("expired", "")
		}},
	} {
		w := example(3)
		c.change(w)
		r := Check(Of(w.sealed()...), w.params)
		if v := r.Of(c.invariant); v.State != c.want {
			t.Errorf("%s:\n%s", c.name, v)
		}
	}
}

// burst makes n calls, each some time after the other.
func (w *world) burst(n int, apart int64) {
	for i := range int64(n) {
		w.try(w.of("B", channels.SMS)[0], w.quietAt+i*apart, nil)
	}
}

// ends gives a recipient of B a last outcome.
func (w *world) ends(outcome, reason string) {
	b := w.of("B", channels.SMS)[0]
	w.events = append(w.events, Event{T: w.quietAt, Kind: KindOutcome, Batch: b.Batch, Attempt: 9, Outcome: outcome, Reason: reason})
}

// forget adds a recipient that nobody ever called, of an alert without an end.
func (w *world) forget() {
	w.change(KindSubmit, "B", func(_ int, e *Event) { e.Expires = 1 << 61 })
	w.change(KindEligible, "B", func(i int, e *Event) {
		if i == 0 {
			e.IDs = append(slices.Clip(e.IDs), 999_999)
		}
	})
}

func TestAuditCutShort(t *testing.T) {
	t.Parallel()
	w := example(5)
	events := w.sealed()
	w.params.AuditLast = events[len(events)-1].Hash
	if r := Check(Of(events...), w.params); r.Of("I14").State != Valid {
		t.Errorf("whole:\n%s", r.Of("I14"))
	}
	if r := Check(Of(events[:len(events)-1]...), w.params); r.Of("I14").State != Invalid {
		t.Errorf("cut:\n%s", r.Of("I14"))
	}
}
