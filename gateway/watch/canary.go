package watch

import (
	"context"
	"fmt"
	"time"

	"loa/channels"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
)

// Canary is a recipient who exists to be sent to: a test message goes to it
// every so often, by the way that every warning goes.
type Canary struct {
	Kind  channels.Kind
	Every time.Duration    // at least twice Wait
	Proof channels.Outcome // what shows that a test has arrived: accepted or delivered
}

// Wait is how long a canary may take.
const Wait = 60 * time.Second

// crowded is how often Wait is granted to a test that nobody has started
// because warnings go first and are being sent.
const crowded = 10

// canaries runs the rounds of all canaries.
type canaries struct {
	store    Store
	sender   string
	wake     func() // a request was stored
	progress func() delivery.Progress
	m        *metrics
	all      []*canary
	lost     bool      // a round was, since this was last looked at
	settled  uint64    // of progress, when last looked at
	moved    time.Time // when it last rose
}

type canary struct {
	Canary
	id     int64     // its endpoint
	slot   time.Time // of the current round; zero: none yet
	number int       // of its revision
	issued time.Time
	judged bool
	part   Part
}

func (c *canary) name() string { return "canary/" + string(c.Kind) }

func (cs *canaries) add(c Canary) {
	cs.all = append(cs.all, &canary{Canary: c, judged: true, part: Part{Part: "canary/" + string(c.Kind), State: OK}})
}

// step begins and judges rounds and returns the canaries as parts.
func (cs *canaries) step(ctx context.Context, now time.Time) []Part {
	if s := cs.progress().Settled; s != cs.settled {
		cs.settled, cs.moved = s, now
	}
	parts := make([]Part, len(cs.all))
	for i, c := range cs.all {
		if !c.judged {
			cs.judge(ctx, c, now)
		}
		if slot := now.Truncate(c.Every); c.judged && slot.After(c.slot) {
			cs.begin(ctx, c, slot, now)
		}
		parts[i] = c.part
	}
	return parts
}

// begin issues the round of a slot. While that fails it is tried again, and
// the round counts as lost when the time for its proof is over.
func (cs *canaries) begin(ctx context.Context, c *canary, slot, now time.Time) {
	rev := canaryRevision(cs.sender, c.Kind, slot, c.Every)
	r, err := roster(rev, dispatch.Canary, dispatch.PriorityOf(dispatch.Canary, rev.Severity()), []channels.Kind{c.Kind}, []int64{c.id})
	if err != nil {
		c.part = Fault(c.name(), CanaryLost, fmt.Sprintf("The test message on %s cannot be asked for.", c.Kind))
		c.slot = slot
		return
	}
	first, err := cs.store.Issue(ctx, rev, r)
	if err != nil {
		if now.Sub(slot) >= Wait && now.Sub(slot) < c.Every {
			c.part = Fault(c.name(), CanaryLost, fmt.Sprintf("The test message on %s could not be stored.", c.Kind))
		}
		return
	}
	c.slot, c.number, c.issued, c.judged = slot, rev.Number, now, false
	if !first {
		c.issued = slot
	} else {
		cs.wake()
	}
}

// judge looks for the proof of the current round.
func (cs *canaries) judge(ctx context.Context, c *canary, now time.Time) {
	out, err := cs.store.Outcomes(ctx, canaryID(c.Kind), c.number)
	took := now.Sub(c.issued)
	switch {
	case err != nil && took < Wait:
		return
	case err == nil && proven(out, c.Proof):
		c.judged, c.part = true, Fine(c.name())
		cs.m.canary(c.Kind, "arrived", now, took)
	case took < Wait, err == nil && took < crowded*Wait && unstarted(out) && now.Sub(cs.moved) < Wait:
		return
	default:
		c.judged, cs.lost = true, true
		c.part = Fault(c.name(), CanaryLost, fmt.Sprintf("The test message on %s of %s is not %s after %s.", c.Kind, c.issued.UTC().Format("15:04:05Z"), c.Proof, took.Round(time.Second)))
		cs.m.canary(c.Kind, "lost", now, took)
	}
}

// proven reports whether somebody has come to the proof, or further.
func proven(out Outcomes, proof channels.Outcome) bool {
	n := out[channels.Delivered] + out[channels.Confirmed]
	if proof == channels.Accepted {
		n += out[channels.Accepted]
	}
	return n > 0
}

func unstarted(out Outcomes) bool {
	n := 0
	for o, c := range out {
		if channels.Outcome(o) != channels.Pending {
			n += c
		}
	}
	return n == 0
}
