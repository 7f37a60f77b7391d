package area_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"loa/gateway/area"
)

func TestNewPolygonRefuses(t *testing.T) {
	t.Parallel()
	many := make([]area.Point, 0, area.MaxVertices+2)
	for i := range area.MaxVertices + 1 {
		a := 2 * math.Pi * float64(i) / (area.MaxVertices + 1)
		many = append(many, area.Point{Lat: 20 + math.Sin(a), Lon: 106 + math.Cos(a)})
	}
	for _, tt := range []struct {
		name    string
		outline []area.Point
		want    string
	}{
		{"nothing", nil, "at least 4 points"},
		{"three points", []area.Point{{20, 106}, {21, 106}, {20, 106}}, "at least 4 points"},
		{"open", []area.Point{{20, 106}, {21, 106}, {21, 107}, {20, 107}}, "must repeat the first"},
		{"one point repeated", []area.Point{{20, 106}, {20, 106}, {20, 106}, {20, 106}}, "3 different points"},
		{"latitude", []area.Point{{20, 106}, {106, 20}, {21, 107}, {20, 106}}, "point 2: latitude 106"},
		{"longitude", []area.Point{{20, 106}, {21, 181}, {21, 107}, {20, 106}}, "point 2: longitude 181"},
		{"not a number", []area.Point{{20, 106}, {math.NaN(), 106}, {21, 107}, {20, 106}}, "point 2: latitude NaN"},
		{"infinite", []area.Point{{20, 106}, {21, math.Inf(1)}, {21, 107}, {20, 106}}, "point 2: longitude +Inf"},
		{"bow tie", []area.Point{{20, 106}, {21, 107}, {21, 106}, {20, 107}, {20, 106}}, "side 1 crosses or touches side 3"},
		{"back on itself", []area.Point{{20, 106}, {20, 108}, {20, 107}, {21, 107}, {20, 106}}, "crosses or touches"},
		{"touches a corner", []area.Point{{20, 106}, {22, 106}, {21, 107}, {22, 108}, {20, 108}, {21, 107}, {20, 106}}, "crosses or touches"},
		{"flat", []area.Point{{20, 106}, {20, 107}, {20, 108}, {20, 106}}, "crosses or touches"},
		{"tiny", []area.Point{{20, 106}, {20.00001, 106}, {20, 106.00001}, {20, 106}}, "less than 100 square metres"},
		{"round the world", []area.Point{{20, -179}, {21, 179}, {20, 179}, {20, -179}}, "180th meridian"},
		{"too many corners", append(many, many[0]), "at most 1000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := area.NewPolygon(tt.outline)
			if !errors.Is(err, area.ErrShape) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want ErrShape with %q", err, tt.want)
			}
			if s.Contains(area.Point{Lat: 20.5, Lon: 106.5}) {
				t.Error("a refused shape holds a point")
			}
		})
	}
}

func TestNewCircleRefuses(t *testing.T) {
	t.Parallel()
	here := area.Point{Lat: 20.95, Lon: 107.1}
	for _, tt := range []struct {
		name   string
		center area.Point
		km     float64
		want   string
	}{
		{"no radius", here, 0, "radius: 0 km"},
		{"negative", here, -1, "radius: -1 km"},
		{"the whole earth", here, 40_000, "radius: 40000 km"},
		{"not a number", here, math.NaN(), "radius: NaN km"},
		{"infinite", here, math.Inf(1), "radius: +Inf km"},
		{"centre swapped", area.Point{Lat: 107.1, Lon: 20.95}, 5, "centre: latitude 107.1"},
		{"pole", area.Point{Lat: 80, Lon: 100}, 1000, "pole"},
		{"date line", area.Point{Lat: 16, Lon: 179.9}, 100, "180th meridian"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := area.NewCircle(tt.center, tt.km); !errors.Is(err, area.ErrShape) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want ErrShape with %q", err, tt.want)
			}
		})
	}
}

func TestPolygonTakesRepeatedPointsAndEitherDirection(t *testing.T) {
	t.Parallel()
	outline := []area.Point{{20, 106}, {20, 107}, {20, 107}, {21, 107}, {21, 106.5}, {21, 106}, {20, 106}}
	for range 2 {
		s, err := area.NewPolygon(outline)
		if err != nil {
			t.Fatal(err)
		}
		for p, want := range map[area.Point]bool{
			{20.5, 106.5}: true, {20, 106}: true, {21, 106.7}: true, {20.5, 107.001}: false, {21.001, 106.5}: false,
			{math.NaN(), 106.5}: false,
		} {
			if s.Contains(p) != want {
				t.Errorf("Contains(%v) = %v", p, !want)
			}
		}
		slices.Reverse(outline)
	}
}

const (
	overshoot       = 161.0 // metres a message may reach beyond its target: 0.1 mile, 47 CFR 10.450
	metresPerDegree = 111_195.0
)

// Every point in a polygon is found, and no point that is found lies over 161 m
// outside it. The points are drawn close to the outline, where it is decided.
func TestPolygonOvershoot(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := area.Point{Lat: rapid.Float64Range(8.5, 22.5).Draw(t, "lat"), Lon: rapid.Float64Range(103, 117).Draw(t, "lon")}
		outline := star(t, c)
		s, err := area.NewPolygon(outline)
		if err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, len(outline)-2).Draw(t, "side")
		along := rapid.Float64Range(0, 1).Draw(t, "along")
		near := func(a, b float64, what string) float64 {
			return a + (b-a)*along + rapid.Float64Range(-500, 500).Draw(t, what)/metresPerDegree
		}
		p := area.Point{
			Lat: near(outline[i].Lat, outline[i+1].Lat, "north"),
			Lon: near(outline[i].Lon, outline[i+1].Lon, "east"),
		}
		inside, off := winds(outline, p), metresToOutline(outline, p)
		switch found := s.Contains(p); {
		case inside && off > 0.01 && !found:
			t.Fatalf("%v lies %v m inside and is not found", p, off)
		case !inside && off > overshoot && found:
			t.Fatalf("%v lies %v m outside and is found", p, off)
		}
	})
}

// star draws a polygon whose corners go round its centre, so that it is simple.
func star(t *rapid.T, c area.Point) []area.Point {
	n := rapid.IntRange(3, 40).Draw(t, "corners")
	outline := make([]area.Point, n, n+1)
	for i := range outline {
		a := 2 * math.Pi * float64(i) / float64(n)
		r := rapid.Float64Range(0.005, 0.5).Draw(t, "reach")
		outline[i] = area.Point{Lat: c.Lat + r*math.Sin(a), Lon: c.Lon + r*math.Cos(a)}
	}
	return append(outline, outline[0])
}

// winds reports whether the outline goes round p, by summing the angles under
// which its sides are seen.
func winds(outline []area.Point, p area.Point) bool {
	sum := 0.0
	for i := range len(outline) - 1 {
		ax, ay := outline[i].Lon-p.Lon, outline[i].Lat-p.Lat
		bx, by := outline[i+1].Lon-p.Lon, outline[i+1].Lat-p.Lat
		sum += math.Atan2(ax*by-ay*bx, ax*bx+ay*by)
	}
	return math.Abs(sum) > math.Pi
}

func metresToOutline(outline []area.Point, p area.Point) float64 {
	shrink := math.Cos(p.Lat * math.Pi / 180)
	best := math.Inf(1)
	for i := range len(outline) - 1 {
		ax, ay := (outline[i].Lon-p.Lon)*shrink, outline[i].Lat-p.Lat
		dx, dy := (outline[i+1].Lon-outline[i].Lon)*shrink, outline[i+1].Lat-outline[i].Lat
		u := math.Max(0, math.Min(1, -(ax*dx+ay*dy)/(dx*dx+dy*dy)))
		best = math.Min(best, math.Hypot(ax+u*dx, ay+u*dy)*metresPerDegree)
	}
	return best
}
