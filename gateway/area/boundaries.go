package area

import (
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"github.com/tidwall/rtree"
)

// Boundaries holds the outlines of communes that a user imported, and the
// directory they belong to. It never changes after the import and is safe for
// concurrent use. A nil *Boundaries is the state before any import: it knows no
// point and refuses every shape with ErrNoBoundaries.
type Boundaries struct {
	dir    *Directory
	byCode map[Code]*outline
	tree   rtree.RTreeG[piece]
}

type outline struct {
	code Code
	area float64 // square degrees
}

// piece is one polygon of an outline: islands are found one by one.
type piece struct {
	of   *outline
	poly orb.Polygon
}

func newBoundaries(d *Directory) *Boundaries {
	return &Boundaries{dir: d, byCode: map[Code]*outline{}}
}

func (b *Boundaries) add(code Code, shape orb.MultiPolygon) {
	o := &outline{code: code, area: planar.Area(shape)}
	for _, p := range shape {
		bound := p.Bound()
		b.tree.Insert(bound.Min, bound.Max, piece{o, p})
	}
	b.byCode[code] = o
}

// Len is the number of communes with a boundary.
func (b *Boundaries) Len() int {
	if b == nil {
		return 0
	}
	return len(b.byCode)
}

// Has reports whether the commune has a boundary.
func (b *Boundaries) Has(code Code) bool {
	return b != nil && b.byCode[code] != nil
}

// At is the commune a point lies in. On a shared border it is the one with the
// smaller code.
func (b *Boundaries) At(p Point) (Code, bool) {
	if b == nil {
		return "", false
	}
	var found Code
	at := p.orb()
	b.tree.Search(at, at, func(_, _ [2]float64, pc piece) bool {
		if (found == "" || pc.of.code < found) && planar.PolygonContains(pc.poly, at) {
			found = pc.of.code
		}
		return true
	})
	return found, found != ""
}
