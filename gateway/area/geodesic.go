package area

import "math"

// WGS 84 ellipsoid, metres.
const (
	equatorRadius = 6378137.0
	flattening    = 1 / 298.257223563
)

// distance is the length in metres of the geodesic between two points on the
// WGS 84 ellipsoid, by Lambert's formula for long lines: within 0.01 % of the
// truth for the distances a circle may have.
func distance(a, b Point) float64 {
	const rad = math.Pi / 180
	reduced := func(lat float64) float64 { return math.Atan((1 - flattening) * math.Tan(lat*rad)) }
	b1, b2 := reduced(a.Lat), reduced(b.Lat)
	p, q := (b1+b2)/2, (b2-b1)/2
	sinLon := math.Sin((b.Lon - a.Lon) * rad / 2)
	h := math.Sin(q)*math.Sin(q) + math.Cos(b1)*math.Cos(b2)*sinLon*sinLon
	if h == 0 {
		return 0
	}
	sigma := 2 * math.Asin(math.Sqrt(math.Min(h, 1)))
	sin2 := func(x float64) float64 { return math.Sin(x) * math.Sin(x) }
	cos2 := func(x float64) float64 { return math.Cos(x) * math.Cos(x) }
	x := (sigma - math.Sin(sigma)) * sin2(p) * cos2(q) / cos2(sigma/2)
	y := (sigma + math.Sin(sigma)) * cos2(p) * sin2(q) / sin2(sigma/2)
	return equatorRadius * (sigma - flattening/2*(x+y))
}

// destination is the point at the given distance in metres from the origin,
// leaving at the given bearing (radians clockwise from north).
func destination(from Point, bearing, metres float64) Point {
	to := from
	along := metres
	for range 4 { // each round removes all but about 0.5 % of the error
		to = onSphere(from, bearing, along/equatorRadius)
		along *= metres / distance(from, to)
	}
	return to
}

func onSphere(from Point, bearing, angle float64) Point {
	const rad = math.Pi / 180
	lat, lon := from.Lat*rad, from.Lon*rad
	sinTo := math.Sin(lat)*math.Cos(angle) + math.Cos(lat)*math.Sin(angle)*math.Cos(bearing)
	dLon := math.Atan2(math.Sin(bearing)*math.Sin(angle)*math.Cos(lat), math.Cos(angle)-math.Sin(lat)*sinTo)
	return Point{Lat: math.Asin(sinTo) / rad, Lon: (lon + dLon) / rad}
}
