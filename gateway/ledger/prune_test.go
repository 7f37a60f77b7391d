package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/audit"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// Old revisions of an alert are forgotten with everything that was sent of them;
// the one in force, other alerts and the audit stay, and so does a text that
// others use.
func TestPrune(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{Now: func() time.Time { return noon }})
		const last = 150 // more than one commit forgets
		key := func(n int) string { return fmt.Sprintf("watch/canary-sms.%d", n) }
		var c desk.Case
		for n := 1; n <= last; n++ {
			if n == 1 {
				c = approve(t, l, "canary-sms")
			} else {
				rev := *c.Submission.Revision
				rev.Number = n
				c.Submission.Revision = &rev
				must(t, l.Desk().Apply(t.Context(), desk.Change{Case: c, From: alert.Approved, Records: []audit.Record{record("watch.issue", c.ID)},
					Requests: []dispatch.Request{{Key: key(n), Alert: c.ID, Revision: n, Cause: dispatch.Canary}}}))
			}
			if n > 3 && n < last {
				continue
			}
			own, shared := batch(c.ID, int64(10*n), 2), batch(c.ID, int64(10*n), 2)
			own.Revision, shared.Revision, shared.Language = n, n, "en"
			own.Body = fmt.Appendf(nil, "Trang %d", n)
			var ids []delivery.BatchID
			for _, j := range got(l.Dispatch().Jobs(t.Context(), noon, 1000))(t) {
				if j.Alert == c.ID && j.Revision == n {
					to := j.Cursor
					to.After++
					ids = got(l.Dispatch().Cut(t.Context(), j.Key, j.Cursor, to, time.Time{}, []delivery.Batch{own, shared}))(t)
				}
			}
			lease := claim(t, l, noon, ids[0])[0]
			advance(t, l, noon, delivery.Step{Batch: ids[0], Fence: lease.Fence, Start: []int{0}})
			advance(t, l, noon, delivery.Step{Batch: ids[0], Fence: lease.Fence, Return: true, Settle: []delivery.Delta{
				{Index: 0, Attempt: 1, Outcome: channels.Ambiguous, Exception: true, Doubt: true, Fault: channels.FaultAmbiguous, Due: noon.Add(time.Hour)},
			}})
			must(t, l.NoteBatch(t.Context(), ids[0], coverage.Notice{Code: "content/30007", At: noon}))
		}
		approve(t, l, "a1")
		cut(t, l, "a1", batch("a1", 10, 4))
		audited := count1(t, l, "SELECT COUNT(*) FROM audit")

		rows := func() (all []int) {
			t.Helper()
			for _, q := range []string{
				"SELECT COUNT(*) FROM revision", "SELECT COUNT(*) FROM request", "SELECT COUNT(*) FROM batch", "SELECT COUNT(*) FROM progress",
				"SELECT COUNT(*) FROM exception", "SELECT COUNT(*) FROM notice", "SELECT COUNT(*) FROM message",
			} {
				all = append(all, count1(t, l, q))
			}
			return all
		}
		prune := func(below int, want ...int) {
			t.Helper()
			must(t, l.Prune(t.Context(), c.ID, below, key))
			if now := rows(); !slices.Equal(now, want) {
				t.Errorf("below %d: %v rows, want %v", below, now, want)
			}
		}
		// Requests of the first revision have the key of approve, and stay.
		prune(1, last+1, last+1, 4*2+1, 4*2+1, 4, 4, 4+1)
		prune(3, last+1-2, last+1-1, 2*2+1, 2*2+1, 2, 2, 2+1)
		prune(1_000_000, 2, 3, 2+1, 2+1, 1, 1, 1+1)
		if got := count1(t, l, "SELECT COUNT(*) FROM audit"); got != audited {
			t.Errorf("%d records, %d before", got, audited)
		}
		if d := got(l.Dispatch().Jobs(t.Context(), noon, 1000))(t); len(d) == 0 {
			t.Error("nothing waits any more")
		}
	})
}
