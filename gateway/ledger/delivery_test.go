package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
)

func TestLeaseHoldsTheBatch(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		approve(t, l, "a1")
		want := batch("a1", 5, 3)
		want.ID = cut(t, l, "a1", want)[0]
		want.Marks = make([]delivery.Mark, 3)
		leases := claim(t, l, noon)
		if diff := cmp.Diff([]delivery.Lease{{Batch: want, Fence: 1}}, leases); diff != "" {
			t.Fatalf("lease (-want +got):\n%s", diff)
		}
		if again := claim(t, l, noon); len(again) != 0 {
			t.Errorf("claimed twice: %v", again)
		}
		if due := got(l.Delivery().Due(t.Context(), noon, delivery.Hint{}, 10))(t); len(due) != 0 {
			t.Errorf("a leased batch is due: %v", due)
		}
	})
}

func TestAdvanceSettlesAndStarts(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		approve(t, l, "a1")
		id := cut(t, l, "a1", batch("a1", 1, 4))[0]
		fence := claim(t, l, noon, id)[0].Fence
		step := func(s delivery.Step, want delivery.Verdict) {
			t.Helper()
			s.Batch, s.Fence = id, fence
			if diff := cmp.Diff(want, advance(t, l, noon, s)); diff != "" {
				t.Fatalf("verdict (-want +got):\n%s", diff)
			}
		}
		step(delivery.Step{Start: []int{0, 1, 2, 3}}, delivery.Verdict{Started: 4})
		step(delivery.Step{Start: []int{0}}, delivery.Verdict{})
		later := noon.Add(time.Minute)
		step(delivery.Step{Return: true, Settle: []delivery.Delta{
			{Index: 0, Attempt: 1, Outcome: channels.Accepted},
			{Index: 1, Attempt: 1, Outcome: channels.Pending, Exception: true, Due: later, Fault: channels.FaultTransient, At: noon},
			{Index: 2, Attempt: 1, Outcome: channels.Failed, Exception: true, Fault: channels.FaultAddress, Code: "21211", At: noon},
			{Index: 3, Attempt: 1, Outcome: channels.Delivered},
		}}, delivery.Verdict{})
		step(delivery.Step{Start: []int{1}}, delivery.Verdict{Lost: true})
		if early := claim(t, l, noon); len(early) != 0 {
			t.Fatalf("claimed before it was due: %v", early)
		}
		lease := claim(t, l, later)[0]
		marks := []delivery.Mark{
			delivery.NewMark(channels.Accepted, 1), delivery.NewMark(channels.Pending, 1), delivery.NewMark(channels.Failed, 1), delivery.NewMark(channels.Delivered, 1),
		}
		if diff := cmp.Diff(marks, lease.Marks); diff != "" {
			t.Errorf("marks (-want +got):\n%s", diff)
		}
		exceptions := []delivery.Exception{
			{Index: 1, Attempt: 1, Due: later, Fault: channels.FaultTransient, At: noon},
			{Index: 2, Attempt: 1, Fault: channels.FaultAddress, Code: "21211", At: noon},
		}
		if diff := cmp.Diff(exceptions, lease.Exceptions); diff != "" {
			t.Errorf("exceptions (-want +got):\n%s", diff)
		}
		fence = lease.Fence
		step(delivery.Step{Start: []int{1}}, delivery.Verdict{Started: 1})
		step(delivery.Step{Settle: []delivery.Delta{{Index: 1, Attempt: 2, Outcome: channels.Accepted}}}, delivery.Verdict{Done: true})
		if n := got(l.Delivery().Outstanding(t.Context(), channels.SMS))(t); n != 0 {
			t.Errorf("%d outstanding, want 0", n)
		}
	})
}

// What has work keeps lower priorities back, whoever holds it.
func TestBusiest(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		c := approve(t, l, "a1")
		busiest := func(at time.Time, want delivery.Priority) {
			t.Helper()
			if got := got(l.Delivery().Busiest(t.Context(), at, channels.SMS))(t); got != want {
				t.Errorf("busiest %d, want %d", got, want)
			}
		}
		busiest(noon, delivery.P3)
		first, second := batch("a1", 1, 1), batch("a1", 10, 1)
		first.Priority, second.Priority = delivery.P1, delivery.P0
		ids := cut(t, l, "a1", first, second)
		busiest(noon, delivery.P0)
		fence := claim(t, l, noon, ids[1])[0].Fence
		busiest(noon, delivery.P0)
		advance(t, l, noon, delivery.Step{Batch: ids[1], Fence: fence, Start: []int{0}})
		later := noon.Add(time.Minute)
		advance(t, l, noon, delivery.Step{Batch: ids[1], Fence: fence, Return: true, Settle: []delivery.Delta{
			{Index: 0, Attempt: 1, Outcome: channels.Pending, Exception: true, Due: later, Fault: channels.FaultTransient, At: noon},
		}})
		busiest(noon, delivery.P1)
		busiest(later, delivery.P0)
		same(t, "another channel", delivery.P3, got(l.Delivery().Busiest(t.Context(), later, channels.WebPush))(t))
		stop(t, l, c, alert.Stopped)
		busiest(later, delivery.P3)
	})
}

// A call that is still open after an earlier one was proved to have arrived
// keeps the correction back, as one that is the only one does.
func TestSecondCallHoldsTheCorrectionBack(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		c := approve(t, l, "a1")
		id := cut(t, l, "a1", batch("a1", 1, 2))[0]
		fence := claim(t, l, noon, id)[0].Fence
		advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Start: []int{0, 1}})
		advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Settle: []delivery.Delta{
			{Index: 0, Attempt: 1, Outcome: channels.Ambiguous, Exception: true, Doubt: true, Due: noon, At: noon},
			{Index: 1, Attempt: 1, Outcome: channels.Delivered},
		}})
		same(t, "sent once more", 1, advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Start: []int{0}}).Started)
		_, err := l.Delivery().Receive(t.Context(), noon, []delivery.Evidence{{Batch: id, Delta: delivery.Delta{Index: 0, Attempt: 1, Outcome: channels.Delivered}}})
		must(t, err)
		stop(t, l, c, alert.Stopped)
		r := dispatch.Reached{Alert: "a1", Revision: 1, Settled: true}
		cell := dispatch.Cell{Kind: channels.SMS, Commune: batch("a1", 1, 2).Commune, Language: "vi"}
		reached := func() []int64 { return got(l.Dispatch().ReachedIDs(t.Context(), r, cell, 0, 10))(t) }
		same(t, "while the second call is open", []int64{3}, reached())
		same(t, "in flight", 1, got(l.Dispatch().InFlight(t.Context(), r))(t))
		advance(t, l, noon, delivery.Step{Batch: id, Fence: fence, Return: true, Settle: []delivery.Delta{{Index: 0, Attempt: 2, Outcome: channels.Accepted}}})
		same(t, "after it", []int64{1, 3}, reached())
		same(t, "in flight after it", 0, got(l.Dispatch().InFlight(t.Context(), r))(t))
	})
}

func TestStopStartsNothingMore(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		clock := func() time.Time { return noon }
		l := open(t, Options{Now: clock})
		c := approve(t, l, "a1")
		ids := cut(t, l, "a1", batch("a1", 1, 4), batch("a1", 101, 2))
		fence := claim(t, l, noon, ids[0])[0].Fence
		advance(t, l, noon, delivery.Step{Batch: ids[0], Fence: fence, Start: []int{0, 1}})
		r := dispatch.Reached{Alert: "a1", Revision: 1}
		if n := got(l.Dispatch().InFlight(t.Context(), r))(t); n != 2 {
			t.Errorf("%d in flight, want 2", n)
		}
		stop(t, l, c, alert.Stopped)
		v := advance(t, l, noon, delivery.Step{Batch: ids[0], Fence: fence, Start: []int{2}, Settle: []delivery.Delta{{Index: 0, Attempt: 1, Outcome: channels.Accepted}}})
		if diff := cmp.Diff(delivery.Verdict{Dead: true}, v); diff != "" {
			t.Errorf("verdict (-want +got):\n%s", diff)
		}
		if leases := claim(t, l, noon); len(leases) != 0 {
			t.Errorf("claimed of a dead alert: %v", leases)
		}
		if dead := got(l.Delivery().Dead(t.Context(), noon, []alert.ID{"a1", "nobody"}))(t); len(dead) != 2 {
			t.Errorf("dead: %v", dead)
		}
		cells := got(l.Coverage().Cells(t.Context(), "a1", 1))(t)
		if len(cells) != 1 || cells[0].Eligible() != 6 || cells[0].Count(channels.Accepted) != 1 || cells[0].Count(channels.Sending) != 1 || cells[0].Count(channels.Cancelled) != 4 {
			t.Errorf("coverage: %+v", cells)
		}
		if reached := got(l.Dispatch().ReachedIDs(t.Context(), r, dispatch.Cell{Kind: channels.SMS, Commune: "06649", Language: "vi"}, 0, 10))(t); !cmp.Equal(reached, []int64{1, 3}) {
			t.Errorf("reached: %v", reached)
		}
	})
}
