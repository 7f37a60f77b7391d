// Package coverage counts what came of an alert per commune and channel. It
// shows evidence and never guesses: accepted by a provider is not delivered.
// It must never import delivery or dispatch.
package coverage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
)

// Cell is one commune on one channel: how many recipients have come to what.
type Cell struct {
	Commune area.Code
	Kind    channels.Kind
	Counts  [channels.OutcomeCount]int
}

// Eligible is how many recipients the cell has.
func (c Cell) Eligible() int {
	n := 0
	for _, v := range c.Counts {
		n += v
	}
	return n
}

// Count is how many recipients have come to the outcome.
func (c Cell) Count(o channels.Outcome) int { return c.Counts[o] }

// Source counts outcomes; filled by the ledger. Pending recipients of an alert
// that is stopped or expired are counted as cancelled or expired.
type Source interface {
	Cells(ctx context.Context, id alert.ID, revision int) ([]Cell, error)
	// Faults counts, the most first, the recipients of the revision whose last
	// attempt was refused, has failed or was left open.
	Faults(ctx context.Context, id alert.ID, revision int) ([]FaultCount, error)
	// Recipients walks over everybody the revision was cut for, to compare with
	// other books. An error of yield ends the walk and is returned.
	Recipients(ctx context.Context, id alert.ID, revision int, yield func(Recipient) error) error
}

// FaultCount is how many recipients of a channel have met a fault.
type FaultCount struct {
	Kind  channels.Kind
	Fault channels.Fault
	Code  string // of the provider; empty if it gave none
	Count int
}

// Recipient is what one endpoint's delivery has come to.
type Recipient struct {
	Kind     channels.Kind
	Commune  area.Code
	Endpoint int64
	Outcome  channels.Outcome
}

// Second is how many recipients one more send will follow, and when the first
// of those sends is due; zero if there is none.
type Second struct {
	Waiting int
	Next    time.Time
}

// Failures counts, for whoever follows an alert, those who have failed for good.
// A carrier reports late that a message did not arrive, and a second send then
// follows: whoever may be waiting for one is not counted yet. While some wait
// the count is a lower bound that never falls; when nobody does it is exact.
// The zero Failures has seen nothing.
type Failures struct{ seen map[channels.Kind]int }

// Lasting is how many of a channel's failed stay so, when so many of the alert
// wait for a second send.
func (f *Failures) Lasting(k channels.Kind, failed, waiting int) int {
	if k != channels.SMS {
		return failed
	}
	if f.seen == nil {
		f.seen = make(map[channels.Kind]int)
	}
	if waiting > 0 {
		failed = max(f.seen[k], failed-waiting)
	}
	f.seen[k] = failed
	return failed
}

// Totals sums cells by channel.
func Totals(cells []Cell) map[channels.Kind]Cell {
	sums := make(map[channels.Kind]Cell)
	for _, c := range cells {
		s := sums[c.Kind]
		s.Kind = c.Kind
		for o, n := range c.Counts {
			s.Counts[o] += n
		}
		sums[c.Kind] = s
	}
	return sums
}

// Missed is how many recipients certainly did not get the message and will
// not: refused, too late, or cancelled.
func (c Cell) Missed() int {
	return c.Counts[channels.Failed] + c.Counts[channels.Expired] + c.Counts[channels.Cancelled]
}

// Unknown is how many may or may not have got it: an ambiguous answer, or a
// call that has not returned.
func (c Cell) Unknown() int { return c.Counts[channels.Ambiguous] + c.Counts[channels.Sending] }

// Reached is how many may have got it: whom a correction must go to.
func (c Cell) Reached() int {
	n := 0
	for _, o := range channels.AllOutcomes() {
		if o.Reached() {
			n += c.Counts[o]
		}
	}
	return n
}

// ByCommune groups cells by commune, sorted by its code; within a commune they
// are in the order in which faces show channels.
func ByCommune(cells []Cell) [][]Cell {
	order := channels.AllKinds()
	sorted := slices.SortedStableFunc(slices.Values(cells), func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Commune, b.Commune), cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)))
	})
	var groups [][]Cell
	for i, c := range sorted {
		if i == 0 || sorted[i-1].Commune != c.Commune {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], c)
	}
	return groups
}
