package watch

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// maxStep is how far the wall clock may move against the monotonic one between
// two looks.
const maxStep = 2 * time.Second

// ClockProbe tells when the wall clock was set: mono must not follow it. A jump
// stays on the board until nothing has jumped for a while.
func ClockProbe(wall, mono func() time.Time) Probe {
	var mu sync.Mutex
	var lastWall, lastMono, jumped time.Time
	var by time.Duration
	return func(context.Context) []Part {
		mu.Lock()
		defer mu.Unlock()
		w, m := wall().Round(0), mono()
		if !lastWall.IsZero() {
			if d := w.Sub(lastWall) - m.Sub(lastMono); d.Abs() > maxStep {
				by, jumped = d, m
			}
		}
		lastWall, lastMono = w, m
		if jumped.IsZero() || m.Sub(jumped) >= noted {
			return []Part{Fine("clock")}
		}
		return []Part{Fault("clock", ClockJump, fmt.Sprintf("The wall clock was moved by %s.", by.Round(100*time.Millisecond)))}
	}
}
