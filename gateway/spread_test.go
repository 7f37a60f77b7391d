package gateway

import (
	"context"
	"errors"
	"testing"

	"loa/gateway/ledger"
)

// crier counts how often its listeners are shown what is in force.
type crier struct {
	times int
	err   error
}

func (c *crier) Refresh(context.Context) error { c.times++; return c.err }

// TestListenersAreShownWhatAnyGatewayApproved has alerts come into force without
// this gateway's doing: each is shown once, again after a failure, and not while
// sends are held.
func TestListenersAreShownWhatAnyGatewayApproved(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	hub, shown := &crier{}, map[ledger.InForce]bool{}
	look := func(want int, what string) {
		t.Helper()
		err := g.show(t.Context(), []refresher{hub}, shown)
		if !errors.Is(err, hub.err) {
			t.Fatalf("%s: %v", what, err)
		}
		if hub.times != want {
			t.Errorf("%s: shown %d times, want %d", what, hub.times, want)
		}
	}
	look(0, "nothing is in force")
	inForce(t, g, "a1", nil)
	look(1, "an alert")
	look(1, "nothing new")
	inForce(t, g, "a2", nil)
	hub.err = errors.New("the ledger is away")
	look(2, "a failure")
	hub.err = nil
	look(3, "after the failure")
	look(3, "nothing new")
	if held, err := g.ledger.Hold(t.Context(), 1000); err != nil || !held {
		t.Fatalf("held %v, %v", held, err)
	}
	inForce(t, g, "a3", nil)
	look(3, "sends are held")
}
