package dispatch

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
)

// correct stores a live correction "c" of the alert "old", whose outcomes the
// world holds.
func (w *world) correct() {
	r := w.warn("c", "00001", "00002")
	r.Areas, r.Reached, r.Cause = nil, &Reached{Alert: "old", Revision: 1}, Correction
	w.states["old"] = alert.Superseded
}

// after moves the clock and works.
func (w *world) after(t *testing.T, d *Dispatcher, wait time.Duration) {
	t.Helper()
	w.mu.Lock()
	w.now = w.now.Add(wait)
	w.mu.Unlock()
	d.drain(t.Context())
}

func TestACorrectionGoesToExactlyTheReached(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(9000, smsA, smsB, pushA, smsEN)
	for _, p := range w.people {
		w.outcomes[p.id] = channels.Outcome(p.id % int64(channels.OutcomeCount))
		if w.outcomes[p.id] == channels.Sending {
			w.outcomes[p.id] = channels.Accepted
		}
	}
	w.correct()
	d := w.dispatcher(t)
	d.drain(t.Context())
	reached := func(p person) bool { return w.outcomes[p.id].Reached() }
	once(t, w.cut("c"), reached, w.people)
	if w.batches[0].Priority != delivery.P0 {
		t.Errorf("priority %d", w.batches[0].Priority)
	}
	for range 20 {
		w.after(t, d, time.Minute)
	}
	once(t, w.cut("c"), reached, w.people)
}

func TestACorrectionFollowsCallsAndReceipts(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(6, smsA)
	w.outcomes[1], w.outcomes[2], w.outcomes[3], w.outcomes[4] = channels.Delivered, channels.Sending, channels.Failed, channels.Sending
	w.correct()
	d := w.dispatcher(t)
	expect := func(when string, ids ...int64) {
		t.Helper()
		for id, n := range w.cut("c") {
			if n != 1 || !slices.Contains(ids, id) {
				t.Fatalf("%s: recipient %d was cut %d times", when, id, n)
			}
		}
		if len(w.cut("c")) != len(ids) {
			t.Fatalf("%s: %d were cut, want %d", when, len(w.cut("c")), len(ids))
		}
	}
	d.drain(t.Context())
	expect("at once", 1)
	w.outcomes[2] = channels.Accepted
	for range 3 {
		w.after(t, d, time.Second)
		expect("one call still in flight", 1)
	}
	w.outcomes[4] = channels.Failed
	w.after(t, d, time.Second)
	expect("the calls have ended", 1, 2)
	w.outcomes[3] = channels.Delivered
	w.after(t, d, 10*time.Second)
	expect("a late receipt", 1, 2, 3)
	w.outcomes[5] = channels.Confirmed
	w.after(t, d, 10*time.Minute)
	expect("a very late receipt", 1, 2, 3, 5)
	if w.jobs[0].Cursor.Done {
		t.Error("the correction ended before its expiry")
	}
	w.outcomes[6] = channels.Delivered
	w.after(t, d, 6*time.Hour)
	expect("after the expiry", 1, 2, 3, 5)
	if !w.jobs[0].Cursor.Done {
		t.Error("the correction did not end with its expiry")
	}
}

func TestACallThatNeverReturnsIsCorrectedAfterTenSeconds(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(2, smsA)
	w.outcomes[1], w.outcomes[2] = channels.Accepted, channels.Sending
	w.correct()
	d := w.dispatcher(t)
	d.drain(t.Context())
	for i := range 9 {
		w.after(t, d, time.Second)
		if len(w.cut("c")) != 1 {
			t.Fatalf("after %d s it was cut while its call may return", i+1)
		}
	}
	w.after(t, d, time.Second)
	if got := w.cut("c"); len(got) != 2 || got[2] != 1 {
		t.Errorf("after 10 s: %v", got)
	}
}

func TestLateReceiptsAreAskedForLessAndLessOften(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for pass := settlePasses; pass < settlePasses+100; pass++ {
		next, wait := afterPass(pass, false)
		if next != pass+1 || wait < last || wait < lateFirst || wait > lateMost {
			t.Fatalf("pass %d: next %d after %s", pass, next, wait)
		}
		last = wait
	}
	if last != lateMost {
		t.Errorf("at last every %s", last)
	}
}

// TestCorrectionSet moves outcomes at random while a correction is cut, with
// dispatchers that come and go: in the end those ever reached were cut once.
func TestCorrectionSet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld()
		w.populate(rapid.IntRange(1, 40).Draw(rt, "people"), smsA, smsB, appA)
		w.correct()
		d := w.dispatcher(t)
		outcome := rapid.Custom(func(t *rapid.T) channels.Outcome {
			return channels.Outcome(rapid.IntRange(0, channels.OutcomeCount-1).Draw(t, "outcome"))
		})
		for _, p := range w.people {
			w.outcomes[p.id] = outcome.Draw(rt, "outcome")
		}
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			id := rapid.Int64Range(1, int64(len(w.people))).Draw(rt, "who")
			if o := outcome.Draw(rt, "outcome"); o.Reached() || !w.outcomes[id].Reached() {
				w.outcomes[id] = o // the reached set only grows
			}
			if rapid.Bool().Draw(rt, "crash") {
				d = w.dispatcher(t)
			}
			w.after(t, d, time.Duration(rapid.IntRange(0, 20).Draw(rt, "seconds"))*time.Second)
		}
		for id, o := range w.outcomes {
			if o == channels.Sending {
				w.outcomes[id] = channels.Ambiguous
			}
		}
		w.after(t, d, lateMost)
		w.after(t, d, lateMost)
		once(rt, w.cut("c"), func(p person) bool { return w.outcomes[p.id].Reached() }, w.people)
	})
}

func TestSubtractAndIntersect(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.Custom(func(t *rapid.T) []int64 {
			return slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.Int64Range(0, 60), 1, 50).Draw(t, "ids"))))
		})
		a, b := set.Draw(t, "a"), set.Draw(t, "b")
		in := func(id int64) bool { return slices.Contains(b, id) }
		less := slices.DeleteFunc(slices.Clone(a), in)
		both := slices.DeleteFunc(slices.Clone(a), func(id int64) bool { return !in(id) })
		if !slices.Equal(subtract(slices.Clone(a), b), less) || !slices.Equal(intersect(slices.Clone(a), b), both) {
			t.Fatal("not what the sets say")
		}
	})
}

func TestPriorityOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		cause    Cause
		severity alert.Severity
		want     delivery.Priority
	}{
		{Approved, alert.Extreme, delivery.P0}, {Approved, alert.Severe, delivery.P0}, {Approved, alert.Moderate, delivery.P1}, {Approved, "", delivery.P1},
		{Correction, alert.Minor, delivery.P0}, {Updated, alert.Minor, delivery.P0}, {Stopped, alert.Minor, delivery.P0},
		{Fallback, alert.Extreme, delivery.P2}, {Canary, alert.Minor, delivery.P2},
		{Scheduled, alert.Minor, delivery.P3}, {Scheduled, alert.Extreme, delivery.P3},
	} {
		if got := PriorityOf(tc.cause, tc.severity); got != tc.want {
			t.Errorf("%s %s: %d, want %d", tc.cause, tc.severity, got, tc.want)
		}
	}
}
