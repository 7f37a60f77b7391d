package delivery

import (
	"context"
	"fmt"
	"time"

	"loa/channels"
	"loa/gateway/alert"
)

// Poison is a recipient that was set aside, because what was done for it
// crashed or panicked each time. Of its mark: failed if no call was made, else
// ambiguous.
type Poison struct {
	Batch    BatchID
	Index    int
	Alert    alert.ID
	Revision int
	Kind     channels.Kind
	Priority Priority
}

// poisoned counts and tells a recipient that is set aside.
func (e *Engine) poisoned(h *hold, index int) {
	e.m.poison.WithLabelValues(string(h.Kind)).Inc()
	e.opt.Log.Error("a recipient was set aside: what is done for it crashes", "lane", h.Kind, "batch", h.ID, "index", index)
	e.opt.OnPoison(Poison{Batch: h.ID, Index: index, Alert: h.Alert, Revision: h.Revision, Kind: h.Kind, Priority: h.Priority})
}

// quarantine sets a recipient aside for whom no call was made.
func (h *hold) quarantine(w *worker, p pick, now time.Time) {
	d := Delta{
		Index: int(p.index), Attempt: h.Marks[p.index].Attempt(), Outcome: channels.Failed, Exception: true,
		Fault: channels.FaultAddress, Code: CodePoison, At: now,
	}
	if x, ok := h.before[d.Index]; ok {
		x.stays(&d, time.Time{})
	}
	h.settled(d)
	w.e.poisoned(h, d.Index)
}

// openAll opens the addresses of picks. Where that panics, it halves them until
// it has found whom it is about: bad.
func (e *Engine) openAll(ctx context.Context, h *hold, picks []pick) (addrs []channels.Address, bad []int32, err error) {
	ids := make([]int64, len(picks))
	for i, p := range picks {
		ids[i] = h.Recipients[p.index]
	}
	addrs, panicked, err := e.open(ctx, h, ids)
	switch {
	case err != nil:
		return nil, nil, err
	case !panicked:
		return addrs, nil, nil
	case len(picks) == 1:
		return make([]channels.Address, 1), []int32{picks[0].index}, nil
	}
	for _, half := range [][]pick{picks[:len(picks)/2], picks[len(picks)/2:]} {
		as, worse, err := e.openAll(ctx, h, half)
		if err != nil {
			return nil, nil, err
		}
		addrs, bad = append(addrs, as...), append(bad, worse...)
	}
	return addrs, bad, nil
}

func (e *Engine) open(ctx context.Context, h *hold, ids []int64) (addrs []channels.Address, panicked bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			e.m.panics.WithLabelValues(string(h.Kind), "addresses").Inc()
			e.opt.Log.Error("opening addresses panicked", "lane", h.Kind, "batch", h.ID, "type", fmt.Sprintf("%T", r))
			addrs, panicked, err = nil, true, nil
		}
	}()
	if addrs, err = e.opt.Addresses.Open(ctx, h.Kind, h.Commune, h.Language, ids); err == nil && len(addrs) != len(ids) {
		err = errAddresses
	}
	return addrs, false, err
}

// planSuspect starts the hold's next suspect, if none is being called. It is
// marked before anything is done for it, its address opened and its provider
// chosen after that: if everything crashes again, it is known who it was.
func (w *worker) planSuspect(h *hold, room *int) {
	if len(h.suspects) == 0 || h.suspect || *room <= 0 || w.l.Broadcaster != nil {
		return
	}
	p := h.suspects[0]
	h.suspects = h.suspects[1:]
	h.suspect = true
	c := w.newCall()
	c.h, c.late, c.refused, c.index, c.attempt = h, true, h.refused, int(p.index), h.start(p)
	h.calls = append(h.calls, c)
	*room--
}

// choose opens the address of a call that has none yet and finds its provider.
func (e *Engine) choose(c *call) bounce {
	addrs, panicked, err := e.open(c.flight.ctx, c.h, []int64{c.h.Recipients[c.index]})
	switch {
	case panicked:
		return bouncePoison
	case err != nil:
		return bounceProvider
	case addrs[0] == "":
		return bounceGone
	}
	c.to, c.region = addrs[0], c.h.lane.region(addrs[0])
	now := mono()
	for _, p := range c.h.lane.order(c.region) {
		if c.refused&p.bit() != 0 || c.h.guard(p) != nil || c.h.text.blocked(p, now) > 0 {
			continue
		}
		granted, probe, _ := p.admits(1, now)
		if granted == 0 {
			continue
		}
		c.p, c.probes.provider = p, probe
		ok, regionProbe := p.regions.allow(c.region, now)
		if c.probes.region = regionProbe; ok {
			return made
		}
		if probe {
			p.breaker.dropped()
		}
		c.p, c.probes = nil, probes{}
	}
	return bounceProvider
}
