package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A stop takes at most stopBound in all, whatever hangs. The parts share it:
// counted from its beginning, requests and open calls are cut off at
// callsBound, everything that runs has ended or is given up at runBound, the
// drivers' connections at driversBound, and the ledger, the queue and the lock
// at stopBound. What is given up loses nothing: a send that was not settled is
// in doubt at the next start, and a listener that was not parted from comes
// back.
const (
	stopBound    = 4800 * time.Millisecond
	callsBound   = 2 * time.Second
	runBound     = 3500 * time.Millisecond
	driversBound = 4200 * time.Millisecond
)

// untilStopped waits for all that runs, at most runBound after the work ended.
func (g *Gateway) untilStopped(work context.Context, wait func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	select {
	case err := <-ended:
		g.stopBegan = time.Now()
		return err
	case <-work.Done():
	}
	g.stopBegan = time.Now()
	giveUp := time.NewTimer(runBound)
	defer giveUp.Stop()
	select {
	case err := <-ended:
		return err
	case <-giveUp.C:
		g.log.Error("something does not end, the stop goes on without it")
		return nil
	}
}

// closer is a named clean-up and until when, in a stop, it may take.
type closer struct {
	name  string
	bound time.Duration
	close func() error
}

// The orders of clean-ups: drivers come first, what they need lastly.
const (
	first  = driversBound
	lastly = stopBound
)

func (g *Gateway) onClose(bound time.Duration, name string, close func() error) {
	g.closers = append(g.closers, closer{name, bound, close})
}

// Close closes what New opened, last first, within what is left of the time
// that a stop may take. Run must have ended.
func (g *Gateway) Close() error {
	if g.stopBegan.IsZero() {
		g.stopBegan = time.Now()
	}
	var errs []error
	for _, c := range slices.Backward(g.closers) {
		if err := c.within(time.Until(g.stopBegan.Add(c.bound))); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	g.closers = nil
	return errors.Join(errs...)
}

// least is what each clean-up gets, even if others before it took their time.
const least = 50 * time.Millisecond

// within closes, or gives up: a connection that does not end must not keep the
// process.
func (c closer) within(bound time.Duration) error {
	closed := make(chan error, 1)
	go func() { closed <- c.close() }()
	giveUp := time.NewTimer(max(bound, least))
	defer giveUp.Stop()
	select {
	case err := <-closed:
		return err
	case <-giveUp.C:
		if c.bound == first {
			return nil // nothing is lost with it
		}
		return errors.New("it does not close")
	}
}
