package delivery

import (
	"context"
	"slices"
	"time"

	"loa/channels"
)

// plan adds to the hold's step what may be started now. It says how long to
// wait before it is worth trying again.
func (w *worker) plan(ctx context.Context, h *hold, room *int, now, wall time.Time) time.Duration {
	if h.alert.dead.Load() {
		h.over = true
	}
	h.promote(wall)
	switch {
	case h.over:
		h.again = h.again[:0]
	case h.yield, h.left() == 0:
	case !h.Expires.IsZero() && !wall.Before(h.Expires):
		for ; h.next < len(h.picks); h.next++ {
			h.close(h.picks[h.next], channels.Expired, wall)
		}
		for _, p := range slices.Concat(h.asks, h.suspects) {
			h.close(p, channels.Expired, wall)
		}
		h.asks, h.suspects = nil, nil
	case !now.Before(h.until):
		h.renew = time.Time{} // too old to start anything: renew first
		return 0
	default:
		wait := w.planAsks(ctx, h, room, now, wall)
		w.planSuspect(h, room)
		return min(wait, w.fill(ctx, h, room, now, wall))
	}
	return idleWait
}

// fill starts as many of the hold's recipients as the window, the provider and
// its rate allow.
func (w *worker) fill(ctx context.Context, h *hold, room *int, now, wall time.Time) time.Duration {
	for *room > 0 && h.next < len(h.picks) {
		p, wait := w.l.provider(now)
		if p == nil {
			h.yield = wait > yieldAfter
			return wait
		}
		if err := w.l.guard(h); err != nil {
			w.refuse(h, err, wall)
			return idleWait
		}
		n := max(4*w.l.Window, 64) // a few windows at once: a query costs more than its rows
		if p.broadcast != nil {
			n = len(h.picks) - h.next
		}
		if err := h.openAhead(ctx, w, n, wall); err != nil {
			w.e.m.failures.WithLabelValues("addresses").Inc()
			w.e.opt.Log.Error("addresses could not be opened; the batch is given back", "lane", h.Kind, "batch", h.ID)
			h.yield = true
			w.quiet = now.Add(idleWait)
			return idleWait
		}
		var blocked bool
		switch {
		case p.broadcast != nil:
			blocked, wait = w.startBroadcast(h, p, room, now, wall)
		case w.l.plain(h):
			blocked, wait = w.startSends(h, p, room, now, wall)
		default:
			blocked, wait = w.startRouted(h, room, now, wall)
		}
		if blocked {
			return wait
		}
	}
	return idleWait
}

func (e *Engine) shared() Rate {
	if e.belt.usesQueue() {
		return e.opt.Rate
	}
	return nil
}

func (w *worker) startSends(h *hold, p *provider, room *int, now, wall time.Time) (blocked bool, wait time.Duration) {
	here := 0
	for i := h.next; i < h.ready && here < *room; i++ {
		if h.address(i) != "" {
			here++
		}
	}
	granted, probe := 0, false
	if here > 0 {
		granted, probe, wait = p.take(here, now)
	}
	left := granted
	for h.next < h.ready {
		to, pk := h.address(h.next), h.picks[h.next]
		if to == "" {
			h.close(pk, channels.Cancelled, wall)
			h.next++
			continue
		}
		if left == 0 {
			break
		}
		left--
		c := w.newCall()
		c.h, c.p, c.index, c.attempt, c.to, c.probes.provider = h, p, int(pk.index), h.start(pk), to, probe
		c.region = w.l.region(to)
		c.stand()
		h.calls = append(h.calls, c)
		h.next++
	}
	*room -= granted
	return granted < here, wait
}

func (w *worker) startBroadcast(h *hold, p *provider, room *int, now, wall time.Time) (blocked bool, wait time.Duration) {
	granted, probe, wait := p.take(1, now)
	if granted == 0 {
		return true, wait
	}
	c := w.newCall()
	c.h, c.p, c.probes.provider = h, p, probe
	for ; h.next < len(h.picks); h.next++ {
		pk := h.picks[h.next]
		if h.address(h.next) == "" {
			h.close(pk, channels.Cancelled, wall)
			continue
		}
		c.items = append(c.items, item{int(pk.index), h.start(pk)})
	}
	if len(c.items) == 0 {
		if probe {
			p.breaker.dropped()
		}
		return false, 0
	}
	c.stand()
	h.calls = append(h.calls, c)
	*room--
	return false, 0
}

// guard says whether the batch may go out on a provider of the lane.
func (l *lane) guard(h *hold) (err error) {
	for _, p := range l.providers {
		if err = h.guard(p); err == nil {
			return nil
		}
	}
	return err
}

// guard says whether the batch may go out on the provider: a message that is
// not Actual reaches real people only if they are on a roster, and one without
// a status nobody. A broadcast is heard by everyone who listens, whoever the
// batch names: it is for a roster only in a cell of the gateway's own, where no
// public listens.
func (h *hold) guard(p *provider) error {
	switch h.Status {
	case channels.Actual:
		return nil
	case channels.Exercise, channels.Test:
		if !p.live || h.Roster && len(h.Recipients) <= maxRoster && (p.broadcast == nil || h.Commune.Reserved()) {
			return nil
		}
	}
	return &StatusError{Batch: h.ID, Alert: h.Alert, Kind: h.Kind, Status: h.Status}
}

// refuse fails every recipient of the batch: nothing is sent.
func (w *worker) refuse(h *hold, err error, wall time.Time) {
	w.e.m.refused.WithLabelValues(string(h.Kind), h.Status.String()).Inc()
	w.e.opt.Log.Error("a batch was refused by its status", "batch", h.ID, "alert", h.Alert, "lane", h.Kind, "status", h.Status.String())
	for ; h.next < len(h.picks); h.next++ {
		p := h.picks[h.next]
		d := Delta{
			Index: int(p.index), Attempt: h.Marks[p.index].Attempt(), Outcome: channels.Failed, Exception: true,
			Fault: channels.FaultContent, Code: CodeRefused, At: wall,
		}
		if x, ok := h.before[d.Index]; ok {
			d.Code = ""
			x.stays(&d, time.Time{})
		}
		h.settled(d)
	}
	w.e.opt.OnRefused(err)
}
