package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
)

// Faults are counted over all batches of the revision, by the provider's code;
// what went well and what belongs to another alert is not among them.
func TestFaultsAreCountedByCode(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		approve(t, l, "a1")
		approve(t, l, "a2")
		settle := func(id delivery.BatchID, codes ...string) {
			t.Helper()
			s := delivery.Step{Batch: id, Fence: claim(t, l, noon, id)[0].Fence}
			for i, code := range codes {
				s.Start = append(s.Start, i)
				d := delivery.Delta{Index: i, Attempt: 1, Outcome: channels.Failed, Exception: true, Fault: channels.FaultContent, Code: code, At: noon}
				if code == "" {
					d = delivery.Delta{Index: i, Attempt: 1, Outcome: channels.Accepted}
				}
				s.Settle = append(s.Settle, d)
			}
			started := s
			started.Settle = nil
			advance(t, l, noon, started)
			s.Start = nil
			advance(t, l, noon, s)
		}
		ids := cut(t, l, "a1", batch("a1", 1, 4), batch("a1", 11, 3))
		settle(ids[0], "30007", "30007", "", "21211")
		settle(ids[1], "30007", "", "30006")
		settle(cut(t, l, "a2", batch("a2", 21, 1))[0], "30007")
		want := []coverage.FaultCount{
			{Kind: channels.SMS, Fault: channels.FaultContent, Code: "30007", Count: 3},
			{Kind: channels.SMS, Fault: channels.FaultContent, Code: "21211", Count: 1},
			{Kind: channels.SMS, Fault: channels.FaultContent, Code: "30006", Count: 1},
		}
		if diff := cmp.Diff(want, got(l.Coverage().Faults(t.Context(), "a1", 1))(t)); diff != "" {
			t.Error(diff)
		}
		if none := got(l.Coverage().Faults(t.Context(), "a1", 2))(t); none != nil {
			t.Errorf("another revision: %v", none)
		}
	})
}
