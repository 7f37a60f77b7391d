package gateway

import (
	"testing"
	"time"
)

// A clock without a monotonic reading is followed wherever it goes; PostgreSQL's
// offset is added.
func TestClockFollowsTheLedgers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 9, 7, 5, 0, 0, 0, time.UTC)
	c := newClock(func() time.Time { return now })
	for _, step := range []time.Duration{0, time.Second, time.Hour} {
		now = now.Add(step)
		if got := c.now(); !got.Equal(now) {
			t.Errorf("after %s: %s, want %s", step, got, now)
		}
	}
	c.offset.Store(int64(-5 * time.Minute))
	if got, want := c.now(), now.Add(-5*time.Minute); !got.Equal(want) {
		t.Errorf("%s, want %s", got, want)
	}
}
