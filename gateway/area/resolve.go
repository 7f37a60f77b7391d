package area

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/paulmach/orb"
)

// SliverShare is the share of a commune below which a shape merely brushes it:
// a person decides whether the commune is meant.
const SliverShare = 0.01

// Why a shape cannot be turned into communes.
var (
	ErrNoBoundaries = errors.New("area: no commune boundaries have been imported: polygons and circles cannot be used; choose communes by name, or import boundaries first")
	ErrOutside      = errors.New("area: the shape touches no commune; an empty area is refused, never widened")
)

// Touch is a commune that a shape touches.
type Touch struct {
	Code  Code
	Share float64 // of the commune's area that the shape covers, over 0 and up to 1
}

// Resolution is what a shape means in whole communes. All lists are sorted by
// code. It is shown to the people who sign: only Communes are taken without
// asking.
type Resolution struct {
	Communes []Touch // covered by SliverShare or more
	Slivers  []Touch // covered by less: taken only when a person says so
	Unmapped []Code  // without a boundary, centre point inside the shape: a person decides
}

// Codes lists the communes that are taken without asking.
func (r Resolution) Codes() []Code {
	codes := make([]Code, len(r.Communes))
	for i, t := range r.Communes {
		codes[i] = t.Code
	}
	return codes
}

// Resolve lists the communes that the shapes touch together. Shares of several
// shapes add up, so ground that two shapes cover counts twice, up to the whole.
// Errors: ErrNoBoundaries, ErrShape for a zero Shape, ErrOutside.
func (b *Boundaries) Resolve(shapes ...Shape) (Resolution, error) {
	if b.Len() == 0 {
		return Resolution{}, ErrNoBoundaries
	}
	var r Resolution
	shares := map[Code]float64{}
	for _, s := range shapes {
		if s.ring == nil {
			return Resolution{}, refuseShape("it has no outline")
		}
		b.cover(s, shares)
	}
	// A smaller share is the rounding of a border drawn along a border.
	const rounding = 1e-12
	for code, share := range shares {
		if share < rounding {
			continue
		}
		t := Touch{code, math.Min(share, 1)}
		if share >= SliverShare {
			r.Communes = append(r.Communes, t)
		} else {
			r.Slivers = append(r.Slivers, t)
		}
	}
	r.Unmapped = b.unmapped(shapes)
	if len(r.Communes)+len(r.Slivers)+len(r.Unmapped) == 0 {
		return Resolution{}, ErrOutside
	}
	byCode := func(x, y Touch) int { return strings.Compare(string(x.Code), string(y.Code)) }
	slices.SortFunc(r.Communes, byCode)
	slices.SortFunc(r.Slivers, byCode)
	return r, nil
}

func (b *Boundaries) cover(s Shape, shares map[Code]float64) {
	outline := edges(orb.Polygon{s.ring})
	bound := s.ring.Bound()
	b.tree.Search(bound.Min, bound.Max, func(_, _ [2]float64, p piece) bool {
		shares[p.of.code] += overlap(outline, edges(p.poly)) / p.of.area
		return true
	})
}

func (b *Boundaries) unmapped(shapes []Shape) []Code {
	var codes []Code
	for code, e := range b.dir.current {
		if !code.IsCommune() || b.Has(code) {
			continue
		}
		center := Point{e.Lat, e.Lon}
		if slices.ContainsFunc(shapes, func(s Shape) bool { return s.Contains(center) }) {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return codes
}

// edge is a side of a polygon from left to right. The ground under the sides,
// counted with their signs, is the polygon.
type edge struct {
	x0, y0, x1, y1 float64
	sign           float64 // +1 along the top of the polygon, -1 along its bottom
}

func (e edge) y(x float64) float64 {
	return e.y0 + (e.y1-e.y0)*(x-e.x0)/(e.x1-e.x0)
}

func edges(p orb.Polygon) []edge {
	var es []edge
	for i, ring := range p {
		along := 1.0
		if hole := i > 0; hole == (ring.Orientation() == orb.CCW) {
			along = -1
		}
		for j := range len(ring) - 1 {
			a, b := ring[j], ring[j+1]
			switch {
			case a[0] > b[0]:
				es = append(es, edge{b[0], b[1], a[0], a[1], along})
			case a[0] < b[0]:
				es = append(es, edge{a[0], a[1], b[0], b[1], -along})
			}
		}
	}
	return es
}

// overlap is the area in square degrees that two polygons share. A polygon is
// the signed sum of the ground under its sides; the ground under two sides at
// once is the ground under the lower of them. Nothing is cut or stitched, so no
// shape, hole or common border can upset it. The ratio of two such areas within
// one commune is that of areas on the ellipsoid to within 0.5 % of itself.
func overlap(a, b []edge) float64 {
	left, right, base := math.Inf(1), math.Inf(-1), math.Inf(1)
	for _, e := range b {
		left, right = math.Min(left, e.x0), math.Max(right, e.x1)
		base = math.Min(base, math.Min(e.y0, e.y1))
	}
	sum := 0.0
	for _, ea := range a {
		if ea.x1 <= left || ea.x0 >= right {
			continue
		}
		for _, eb := range b {
			x0, x1 := math.Max(ea.x0, eb.x0), math.Min(ea.x1, eb.x1)
			if x0 < x1 {
				sum += ea.sign * eb.sign * underBoth(ea, eb, x0, x1, base)
			}
		}
	}
	return math.Max(sum, 0)
}

// underBoth is the area above base and under both sides, from x0 to x1. Where
// the lower side is under base the area counts negative; over a whole polygon
// those parts cancel.
func underBoth(a, b edge, x0, x1, base float64) float64 {
	a0, a1, b0, b1 := a.y(x0), a.y(x1), b.y(x0), b.y(x1)
	d0, d1 := a0-b0, a1-b1
	m0, m1 := math.Min(a0, b0)-base, math.Min(a1, b1)-base
	if d0*d1 >= 0 {
		return (m0 + m1) / 2 * (x1 - x0)
	}
	x := x0 + (x1-x0)*d0/(d0-d1) // where they cross
	m := a.y(x) - base
	return (m0+m)/2*(x-x0) + (m+m1)/2*(x1-x)
}
