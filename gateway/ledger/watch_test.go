package ledger

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
)

func TestInForceIsWhatIsApprovedAndNotOver(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{Now: func() time.Time { return noon }})
		approve(t, l, "a1")
		stop(t, l, approve(t, l, "a2"), alert.Stopped)
		must(t, l.Desk().Create(t.Context(), draft("a3"), record("alert.draft", "a3")))
		want := []InForce{{"a1", 1}}
		if d := cmp.Diff(want, got(l.InForce(t.Context(), noon))(t)); d != "" {
			t.Error(d)
		}
		if over := got(l.InForce(t.Context(), noon.Add(6*time.Hour)))(t); over != nil {
			t.Errorf("after its end: %v", over)
		}
	})
}

// A phone that could not be reached and an answer in doubt are sent to once
// more; what was certainly not taken is pending and no second attempt.
func TestSecondAttempts(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{Now: func() time.Time { return noon }})
		c := approve(t, l, "a1")
		id := cut(t, l, "a1", batch("a1", 10, 4))[0]
		lease := claim(t, l, noon, id)[0]
		advance(t, l, noon, delivery.Step{Batch: id, Fence: lease.Fence, Start: []int{0, 1, 2, 3}})
		due := func(d time.Duration) time.Time { return noon.Add(d).UTC() }
		advance(t, l, noon, delivery.Step{Batch: id, Fence: lease.Fence, Return: true, Settle: []delivery.Delta{
			{Index: 0, Attempt: 1, Outcome: channels.Accepted},
			{Index: 1, Attempt: 1, Outcome: channels.Ambiguous, Exception: true, Doubt: true, Fault: channels.FaultAmbiguous, Due: due(20 * time.Minute)},
			{Index: 2, Attempt: 1, Outcome: channels.Pending, Exception: true, Fault: channels.FaultTransient, Due: due(time.Minute)},
			{Index: 3, Attempt: 1, Outcome: channels.Accepted},
		}})
		got(l.Delivery().Receive(t.Context(), noon, []delivery.Evidence{{Batch: id, Delta: delivery.Delta{
			Index: 3, Attempt: 1, Outcome: channels.Failed, Exception: true, Doubt: true, Fault: channels.FaultTransient, Code: "30003", Due: due(10 * time.Minute),
		}}}))(t)
		s := got(l.Second(t.Context(), "a1", 1))(t)
		if s.Waiting != 2 || !s.Next.Equal(due(10*time.Minute)) {
			t.Errorf("%+v", s)
		}
		stop(t, l, c, alert.Stopped)
		if s := got(l.Second(t.Context(), "a1", 1))(t); s.Waiting != 0 || !s.Next.IsZero() {
			t.Errorf("of a stopped alert: %+v", s)
		}
	})
}

func TestDoubtsNameTheirHolder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{Now: func() time.Time { return noon }})
		approve(t, l, "a1")
		id := cut(t, l, "a1", batch("a1", 10, 4))[0]
		lease := claim(t, l, noon, id)[0]
		if d := got(l.Doubts(t.Context()))(t); d != nil {
			t.Errorf("before a send: %v", d)
		}
		advance(t, l, noon, delivery.Step{Batch: id, Fence: lease.Fence, Start: []int{0, 2, 3}})
		want := []Doubt{{"test/1", channels.SMS, 3, true}}
		if d := cmp.Diff(want, got(l.Doubts(t.Context()))(t)); d != "" {
			t.Error(d)
		}
	})
}

func TestProbe(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		for range 2 {
			must(t, l.Probe(t.Context()))
		}
	})
	l := openTestSQLite(t, Options{})
	if _, err := l.db.(*lite).own.conn.ExecContext(context.Background(), "PRAGMA query_only(1)"); err != nil {
		t.Fatal(err)
	}
	if l.Probe(t.Context()) == nil {
		t.Error("a ledger that cannot be written to is said to be well")
	}
}
