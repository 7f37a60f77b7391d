package ledger

import (
	"testing"
	"time"

	"loa/gateway/delivery"
)

// TestABatchExpiresWithoutItsAlert advances two batches of one alert after the
// time of one is over: only the alert's own end is reported as its death.
func TestABatchExpiresWithoutItsAlert(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		approve(t, l, "a1")
		short, long := batch("a1", 1, 2), batch("a1", 11, 2)
		short.Expires = noon.Add(time.Minute)
		ids := cut(t, l, "a1", short, long)
		fences := map[delivery.BatchID]int64{}
		for _, lease := range claim(t, l, noon) {
			fences[lease.ID] = lease.Fence
		}
		step := func(at time.Duration, id delivery.BatchID) delivery.Verdict {
			return advance(t, l, noon.Add(at), delivery.Step{Batch: id, Fence: fences[id], Start: []int{0}})
		}
		same(t, "the short one, late", delivery.Verdict{Expired: true}, step(time.Minute, ids[0]))
		same(t, "the long one", delivery.Verdict{Started: 1}, step(time.Minute, ids[1]))
		late := step(7*time.Hour, ids[1])
		if !late.Dead || late.Started != 0 {
			t.Errorf("after the alert's end: %+v", late)
		}
	})
}
