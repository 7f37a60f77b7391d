package area

import (
	"errors"
	"fmt"
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
)

// Point is a WGS 84 position in degrees.
type Point struct{ Lat, Lon float64 }

func (p Point) orb() orb.Point { return orb.Point{p.Lon, p.Lat} }

// Limits of a shape that a person may draw or a CAP file may bring.
const (
	MaxVertices = 1000   // corners of one polygon
	MinRadiusKM = 0.01   // a smaller circle is a slip of the pen
	MaxRadiusKM = 2000.0 // Vietnam is 1,650 km long
	minAreaM2   = 100.0
)

// ErrShape is what every refused shape wraps; the message says which rule it
// broke.
var ErrShape = errors.New("area: shape refused")

func refuseShape(rule string, args ...any) error {
	return fmt.Errorf("%w: "+rule, append([]any{ErrShape}, args...)...)
}

// Shape is one polygon or circle on the WGS 84 ellipsoid, checked when it was
// made. The zero Shape holds no point and is refused as a target.
type Shape struct {
	ring   orb.Ring // closed outline, without repeated points; drawn around a circle
	circle bool
	center Point
	metres float64 // radius
}

// NewPolygon makes a shape from the outline of a CAP polygon (CAP 1.2, 3.2.4):
// at least four points, the first repeated as the last. Its sides are straight
// in latitude and longitude, as maps draw them. Sides may not cross or touch.
func NewPolygon(outline []Point) (Shape, error) {
	if len(outline) < 4 {
		return Shape{}, refuseShape("polygon: needs at least 4 points, has %d", len(outline))
	}
	if outline[0] != outline[len(outline)-1] {
		return Shape{}, refuseShape("polygon: the last point must repeat the first")
	}
	var ring orb.Ring
	for i, p := range outline {
		if err := p.check(); err != nil {
			return Shape{}, refuseShape("polygon: point %d: %w", i+1, err)
		}
		if i == 0 || p != outline[i-1] {
			ring = append(ring, p.orb())
		}
	}
	switch b := ring.Bound(); {
	case len(ring) < 4:
		return Shape{}, refuseShape("polygon: needs 3 different points")
	case len(ring)-1 > MaxVertices:
		return Shape{}, refuseShape("polygon: has %d corners, at most %d are allowed", len(ring)-1, MaxVertices)
	case b.Right()-b.Left() > 180:
		return Shape{}, refuseShape("polygon: must not cross the 180th meridian")
	}
	if i, j, crosses := selfCrossing(ring); crosses {
		return Shape{}, refuseShape("polygon: side %d crosses or touches side %d", i+1, j+1)
	}
	if areaM2(orb.Polygon{ring}) < minAreaM2 {
		return Shape{}, refuseShape("polygon: holds less than %v square metres", minAreaM2)
	}
	return Shape{ring: ring}, nil
}

// circleCorners is how many corners the outline around a circle has: it is
// 0.02 % wider than the circle where it is widest.
const circleCorners = 180

// NewCircle makes a shape from a CAP circle; the radius is in kilometres along
// the WGS 84 ellipsoid.
func NewCircle(center Point, radiusKM float64) (Shape, error) {
	if err := center.check(); err != nil {
		return Shape{}, refuseShape("circle: centre: %w", err)
	}
	if !(radiusKM >= MinRadiusKM && radiusKM <= MaxRadiusKM) {
		return Shape{}, refuseShape("circle: radius: %v km is not within %v and %v", radiusKM, MinRadiusKM, MaxRadiusKM)
	}
	s := Shape{circle: true, center: center, metres: radiusKM * 1000}
	const latDegree = 110_000 // metres, at least
	reach := s.metres / latDegree
	if math.Abs(center.Lat)+reach > 85 {
		return Shape{}, refuseShape("circle: must not reach a pole")
	}
	around := s.metres / math.Cos(math.Pi/circleCorners)
	for i := range circleCorners {
		p := destination(center, -2*math.Pi*float64(i)/circleCorners, around)
		if math.Abs(p.Lon) > 180 {
			return Shape{}, refuseShape("circle: must not cross the 180th meridian")
		}
		s.ring = append(s.ring, p.orb())
	}
	s.ring = append(s.ring, s.ring[0])
	return s, nil
}

func (p Point) check() error {
	if !(math.Abs(p.Lat) <= 90) {
		return fmt.Errorf("latitude %v is not within ±90", p.Lat)
	}
	if !(math.Abs(p.Lon) <= 180) {
		return fmt.Errorf("longitude %v is not within ±180", p.Lon)
	}
	return nil
}

// Contains is the shape test itself, for a device that knows where it is. A
// point on the outline is inside.
func (s Shape) Contains(p Point) bool {
	if s.ring == nil || p.check() != nil {
		return false
	}
	if s.circle {
		return distance(s.center, p) <= s.metres
	}
	return planar.RingContains(s.ring, p.orb())
}

// areaM2 is the area in square metres, within 1 % for shapes up to a degree
// high: enough to tell a shape from a slip.
func areaM2(g orb.Geometry) float64 {
	const metresPerDegree = 111_320
	b := g.Bound()
	shrink := math.Cos((b.Bottom() + b.Top()) / 2 * math.Pi / 180)
	return planar.Area(g) * metresPerDegree * metresPerDegree * shrink
}

// selfCrossing finds two sides of a closed ring that cross or touch other than
// at the corner they share.
func selfCrossing(r orb.Ring) (i, j int, crosses bool) {
	n := len(r) - 1
	for i := range n {
		a, b := r[i], r[i+1]
		if c := r[(i+1)%n+1]; turn(a, b, c) == 0 && dot(b, a, c) > 0 {
			return i, (i + 1) % n, true // turns back on itself
		}
		for j := i + 2; j < n; j++ {
			if i == 0 && j == n-1 {
				continue
			}
			if meet(a, b, r[j], r[j+1]) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

// turn is positive when a, b, c turn left, negative when right, 0 when straight.
func turn(a, b, c orb.Point) float64 {
	return (b[0]-a[0])*(c[1]-a[1]) - (b[1]-a[1])*(c[0]-a[0])
}

// dot is positive when a and c lie on the same side as seen from b.
func dot(b, a, c orb.Point) float64 {
	return (a[0]-b[0])*(c[0]-b[0]) + (a[1]-b[1])*(c[1]-b[1])
}

func meet(a, b, c, d orb.Point) bool {
	boxAB, boxCD := orb.MultiPoint{a, b}.Bound(), orb.MultiPoint{c, d}.Bound()
	if !boxAB.Intersects(boxCD) {
		return false
	}
	return sign(turn(a, b, c))*sign(turn(a, b, d)) <= 0 && sign(turn(c, d, a))*sign(turn(c, d, b)) <= 0
}

func sign(x float64) int {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	default:
		return 0
	}
}
