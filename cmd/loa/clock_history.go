//go:build history

package main

import (
	"os"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// envClock names a file that holds how far the gateway's wall clock is set
// ("-1h", whole seconds). It may be written anew while the gateway runs.
const envClock = "LOA_CLOCK_OFFSET"

func init() {
	path := os.Getenv(envClock)
	if path == "" {
		return
	}
	var seconds atomic.Int64
	look := func() {
		src, err := os.ReadFile(path) //nolint:gosec // a test names it
		if err != nil {
			return
		}
		if d, err := time.ParseDuration(strings.TrimSpace(string(src))); err == nil {
			seconds.Store(int64(d / time.Second))
		}
	}
	look()
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			look()
		}
	}()
	processClock = func() time.Time { return set(time.Now(), seconds.Load()) }
}

// set moves the wall clock of a reading and leaves its monotonic clock, as a
// step of the machine's does; nothing public can. The layout is that of package
// time: with a monotonic reading, wall has 1 bit of flag, 33 of seconds and 30
// of nanoseconds.
func set(t time.Time, seconds int64) time.Time {
	const monotonic, nanoBits = 1 << 63, 30
	wall := (*uint64)(unsafe.Pointer(&t)) //nolint:gosec // see above
	if *wall&monotonic == 0 {
		panic("the clock has no monotonic reading")
	}
	*wall += uint64(seconds) << nanoBits //nolint:gosec // wraps as it should
	return t
}
