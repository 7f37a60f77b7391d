package app

import (
	"context"
	"errors"
	"slices"
	"time"
)

// refreshFor is how long an answer of the core may wait to be shown: one that
// is older may name what was stopped since.
const refreshFor = time.Second

var errStale = errors.New("app: what is in force was listed too long ago to be shown")

// Refresh offers every listener what is in force in its communes, as a resync
// would. It is for what another gateway broadcast to its own listeners, or what
// this one missed while it was held up. Whoever has a message does not get it
// again. After an error some listeners may lack something: call it again.
func (h *Hub) Refresh(ctx context.Context) error {
	h.mu.Lock()
	h.broadcast++ // lists that were asked for before do not count
	generation := h.broadcast
	communes := make([]string, 0, len(h.communes))
	for a := range h.communes {
		communes = append(communes, a)
	}
	h.mu.Unlock()
	slices.Sort(communes)
	var failed error
	for _, a := range communes {
		if err := ctx.Err(); err != nil {
			return err
		}
		began := time.Now()
		frames, err := h.inForce(a, generation) //nolint:contextcheck // what is fetched is for all who ask, not for this call alone
		if err == nil && time.Since(began) > refreshFor {
			err = errStale
		}
		if err != nil {
			failed = err
			continue
		}
		h.offerAll(a, frames)
	}
	return failed
}

// offerAll queues messages of a commune: to each listener those in its own
// language first, so that it gets no other one besides.
func (h *Hub) offerAll(commune string, frames []*frame) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.communes[commune] {
		for foreign := range 2 {
			for _, f := range frames {
				if c.foreign(f) == foreign {
					c.offer(f)
				}
			}
		}
	}
}
