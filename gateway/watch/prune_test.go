package watch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/dispatch"
)

// What is older than thirty days is forgotten, day by day, of canaries and of
// pages, those of channels that are not configured any more too.
func TestPrune(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		w := newWatch(Options{Store: b})
		ctx, cancel := context.WithCancel(t.Context())
		go w.prune(ctx)
		issue := func(rev *alert.Revision) {
			t.Helper()
			if first, err := b.Issue(t.Context(), rev, dispatch.Request{}); err != nil || !first {
				t.Fatal(first, err)
			}
		}
		const days = 60
		for day := range days {
			at := time.Now()
			issue(canaryRevision("loa.example.vn", channels.SMS, at, 24*time.Hour))
			issue(dutyRevision("loa.example.vn", "TT", Page{Cause: DiskFull, At: at}))
			issue(dutyRevision("loa.example.vn", "TT", Page{Cause: DiskFull, At: at, Resolved: true}))
			time.Sleep(24 * time.Hour)
			kept := min(day+1, int(Kept/(24*time.Hour)))
			if n := b.count(); n < 3*kept || n > 3*(kept+1) {
				t.Fatalf("day %d: %d are kept", day, n)
			}
		}
		cancel()
		synctest.Wait()
		for _, rev := range b.issued {
			if age := time.Since(rev.Sent); age > Kept+pruneEvery+Gap {
				t.Errorf("one of %v ago is kept", age)
			}
		}
		if b.pruned < 3*(days-31) {
			t.Errorf("%d were forgotten", b.pruned)
		}
	})
}
