package historytest

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic reads CLOCK_MONOTONIC: nanoseconds since the machine's start, the
// same count in all its processes, never set. (Go's own monotonic readings
// count from each process's start and cannot be compared between two.) It does
// not count sleep, in which nothing here happens either.
func Monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // no kernel that Loa runs on lacks it
	}
	return ts.Nano()
}

// Anchor ties the wall clock to the monotonic one at a moment. Facts that carry
// wall time alone, as a stand-in's books and the ledger's rows do, are placed by
// the anchors taken at the beginning and end of a run.
type Anchor struct {
	Mono int64 `json:"mono"`
	Wall int64 `json:"wall"` // nanoseconds since 1970
}

// Now takes an anchor. The wall clock is read between two readings of the
// monotonic one, and the closest of several tries is kept.
func Now() Anchor {
	var best Anchor
	span := int64(-1)
	for range 8 {
		before := Monotonic()
		wall := time.Now().UnixNano()
		after := Monotonic()
		if span < 0 || after-before < span {
			span, best = after-before, Anchor{Mono: before + (after-before)/2, Wall: wall}
		}
	}
	return best
}

// Run is the time between two anchors.
type Run struct{ Begin, End Anchor }

// drift is how far the wall clock may have strayed from the monotonic one in a
// run before wall times are no longer believed.
const drift = 5 * time.Millisecond

// Place puts a wall time on the monotonic clock.
func (r Run) Place(at time.Time) int64 { return r.Begin.Mono + at.UnixNano() - r.Begin.Wall }

// Check refuses a run in which the wall clock was set.
func (r Run) Check() error {
	off := time.Duration((r.End.Wall - r.Begin.Wall) - (r.End.Mono - r.Begin.Mono))
	if off.Abs() > drift {
		return fmt.Errorf("the wall clock moved by %v during the run: times of books and rows cannot be placed", off)
	}
	return nil
}
