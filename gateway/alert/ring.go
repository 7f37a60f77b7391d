package alert

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// MaxRadius bounds a circle, in kilometres. A larger one is a mistake or an
// attack: it would cover several countries.
const MaxRadius = 2000

// MaxHeight bounds an altitude and a ceiling, in feet.
const MaxHeight = 1_000_000

// Faults of a shape (CAP 1.2, polygon and circle).
var (
	ErrPosition  = errors.New("a latitude must be from -90 to 90 and a longitude from -180 to 180")
	ErrSwapped   = errors.New("the latitude is beyond 90 degrees and would be a longitude: latitude comes first")
	ErrFewPoints = errors.New("a polygon needs at least four points, three of them different")
	ErrOpenRing  = errors.New("the first and the last point of a polygon must be the same")
	ErrCrossing  = errors.New("the edges of a polygon must not cross")
	ErrTouching  = errors.New("a polygon must not touch itself")
	ErrComplex   = errors.New("a polygon is too complex to be judged")
	ErrRadius    = errors.New("the radius of a circle must be more than 0 and at most 2,000 km")
)

// maxComparisons bounds the work on one polygon.
const maxComparisons = 4_000_000

// Check says whether the point lies on the globe: ErrPosition or ErrSwapped.
func (p Point) Check() error {
	switch {
	case math.IsNaN(p.Lat) || math.IsNaN(p.Lon):
		return ErrPosition
	case math.Abs(p.Lat) > 90 && math.Abs(p.Lat) <= 180 && math.Abs(p.Lon) <= 90:
		return ErrSwapped
	case math.Abs(p.Lat) > 90 || math.Abs(p.Lon) > 180:
		return ErrPosition
	}
	return nil
}

// Check says whether the circle lies on the globe and covers something.
func (c Circle) Check() error {
	if err := c.Center.Check(); err != nil {
		return err
	}
	if math.IsNaN(c.Radius) || c.Radius <= 0 || c.Radius > MaxRadius {
		return ErrRadius
	}
	return nil
}

// CheckRing says what is wrong with a polygon: ErrPosition, ErrSwapped,
// ErrFewPoints, ErrOpenRing, ErrCrossing, ErrComplex, or ErrTouching when its
// edges only touch, which leaves no doubt about what is inside.
func CheckRing(ring []Point) error {
	for _, p := range ring {
		if err := p.Check(); err != nil {
			return err
		}
	}
	if len(ring) < 4 {
		return ErrFewPoints
	}
	if ring[0] != ring[len(ring)-1] {
		return ErrOpenRing
	}
	ring = slices.Compact(slices.Clone(ring))
	if len(ring) < 4 {
		return ErrFewPoints
	}
	return crossings(ring)
}

// edge is one side of a ring with its place in it.
type edge struct {
	a, b       Point
	at         int
	west, east float64
}

// crossings compares the sides whose longitudes overlap, from west to east.
func crossings(ring []Point) error {
	edges := make([]edge, len(ring)-1)
	for i := range edges {
		a, b := ring[i], ring[i+1]
		edges[i] = edge{a: a, b: b, at: i, west: min(a.Lon, b.Lon), east: max(a.Lon, b.Lon)}
	}
	slices.SortFunc(edges, func(x, y edge) int { return cmp.Compare(x.west, y.west) })
	var touching error
	compared := 0
	for i := range edges {
		for j := i + 1; j < len(edges) && edges[j].west <= edges[i].east; j++ {
			if compared++; compared > maxComparisons {
				return ErrComplex
			}
			switch meet(edges[i], edges[j], len(edges)) {
			case crosses:
				return ErrCrossing
			case touches:
				touching = ErrTouching
			}
		}
	}
	return touching
}

type meeting int

const (
	apart meeting = iota
	touches
	crosses
)

// meet says how two sides of a ring of n sides meet; neighbours may share
// their common point and nothing else.
func meet(x, y edge, n int) meeting {
	if min(x.a.Lat, x.b.Lat) > max(y.a.Lat, y.b.Lat) || max(x.a.Lat, x.b.Lat) < min(y.a.Lat, y.b.Lat) {
		return apart
	}
	switch {
	case (x.at+1)%n == y.at:
		return fold(x.a, x.b, y.b)
	case (y.at+1)%n == x.at:
		return fold(y.a, y.b, x.b)
	}
	ya, yb := side(x.a, x.b, y.a), side(x.a, x.b, y.b)
	xa, xb := side(y.a, y.b, x.a), side(y.a, y.b, x.b)
	if ya*yb < 0 && xa*xb < 0 {
		return crosses
	}
	if ya == 0 && within(x, y.a) || yb == 0 && within(x, y.b) || xa == 0 && within(y, x.a) || xb == 0 && within(y, x.b) {
		return touches
	}
	return apart
}

// fold says whether the way from a over b to c turns back on itself.
func fold(a, b, c Point) meeting {
	if side(a, b, c) != 0 {
		return apart
	}
	if (b.Lat-a.Lat)*(c.Lat-b.Lat)+(b.Lon-a.Lon)*(c.Lon-b.Lon) < 0 {
		return touches
	}
	return apart
}

// side is 1, 0 or -1: on which side of the line from a to b the point p lies,
// or on it. A micrometre of doubt, which is what the decimals of a coordinate
// lose as binary numbers, counts as on it.
func side(a, b, p Point) int {
	dx, dy := b.Lon-a.Lon, b.Lat-a.Lat
	turn := dx*(p.Lat-a.Lat) - dy*(p.Lon-a.Lon)
	if math.Abs(turn) <= 1e-11*(math.Abs(dx)+math.Abs(dy)) {
		return 0
	}
	return cmp.Compare(turn, 0)
}

func within(e edge, p Point) bool {
	return p.Lon >= e.west && p.Lon <= e.east &&
		p.Lat >= min(e.a.Lat, e.b.Lat) && p.Lat <= max(e.a.Lat, e.b.Lat)
}

// ringRule is the rule that an error of CheckRing breaks.
func ringRule(err error) string {
	switch {
	case errors.Is(err, ErrSwapped):
		return "C67"
	case errors.Is(err, ErrCrossing), errors.Is(err, ErrTouching), errors.Is(err, ErrComplex):
		return "C62"
	default:
		return "C61"
	}
}
