// Package coverage counts what came of an alert per commune and channel. It
// shows evidence and never guesses: accepted by a provider is not delivered.
// It must never import delivery or dispatch.
package coverage

import (
	"context"

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
