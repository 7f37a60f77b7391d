package alert

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckRing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		ring []Point
		want error
	}{
		{"triangle", []Point{{20, 107}, {21, 107}, {21, 108}, {20, 107}}, nil},
		{"square with a point said twice", []Point{{0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 0}, {0, 0}}, nil},
		{"point on a straight side", []Point{{0, 0}, {0, 1}, {0, 2}, {1, 1}, {0, 0}}, nil},
		{"none", nil, ErrFewPoints},
		{"three points", []Point{{0, 0}, {0, 1}, {0, 0}}, ErrFewPoints},
		{"four times the same", []Point{{1, 1}, {1, 1}, {1, 1}, {1, 1}}, ErrFewPoints},
		{"there and back", []Point{{0, 0}, {0, 0}, {0, 1}, {0, 0}}, ErrFewPoints},
		{"open", []Point{{0, 0}, {0, 1}, {1, 1}, {1, 0}}, ErrOpenRing},
		{"bow-tie", []Point{{0, 0}, {1, 1}, {0, 1}, {1, 0}, {0, 0}}, ErrCrossing},
		{"bow-tie through a corner", []Point{{0, 0}, {1, 1}, {2, 2}, {2, 0}, {1, 1}, {0, 2}, {0, 0}}, ErrTouching},
		{"on a line", []Point{{0, 0}, {0, 1}, {0, 2}, {0, 0}}, ErrTouching},
		{"touching within what decimals lose", []Point{{0, 0}, {0.9, 0.3}, {0.9, -1}, {0.3, 0.1}, {0.1, -1}, {0, 0}}, ErrTouching},
		{"spike", []Point{{0, 0}, {0, 2}, {0, 1}, {1, 1}, {0, 0}}, ErrTouching},
		{"longitude first", []Point{{107, 20}, {107, 21}, {108, 21}, {107, 20}}, ErrSwapped},
		{"off the globe", []Point{{0, 181}, {0, 1}, {1, 1}, {0, 181}}, ErrPosition},
		{"far off the globe", []Point{{999, 0}, {0, 1}, {1, 1}, {999, 0}}, ErrPosition},
		{"no number", []Point{{math.NaN(), 0}, {0, 1}, {1, 1}, {0, 0}}, ErrPosition},
	}
	for _, tt := range tests {
		if err := CheckRing(tt.ring); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A star around its centre never crosses itself; with two points exchanged
// across the centre it does.
func TestStars(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 60).Draw(t, "n")
		ring := make([]Point, 0, n+1)
		for i := range n {
			r := rapid.Float64Range(1, 5).Draw(t, "r")
			a := 2 * math.Pi * float64(i) / float64(n)
			ring = append(ring, Point{16 + r*math.Sin(a), 106 + r*math.Cos(a)})
		}
		ring = append(ring, ring[0])
		if err := CheckRing(ring); err != nil {
			t.Fatalf("star: %v", err)
		}
	})
}

func TestComplexRingIsRefusedSoon(t *testing.T) {
	t.Parallel()
	const n = 20_000 // teeth of a comb, each as wide as the whole
	ring := make([]Point, 0, 2*n+1)
	for i := range n {
		y := float64(i) / n
		ring = append(ring, Point{y, 1 - y/1000}, Point{y, 100 + y/1000})
	}
	ring = append(ring, ring[0])
	if err := CheckRing(ring); !errors.Is(err, ErrComplex) && !errors.Is(err, ErrCrossing) {
		t.Errorf("%v, want ErrComplex", err)
	}
}

func TestCheckCircle(t *testing.T) {
	t.Parallel()
	center := Point{20.97, 107.76}
	for radius, want := range map[float64]error{
		0.1: nil, 2000: nil, 0: ErrRadius, -1: ErrRadius, 40_000: ErrRadius, math.NaN(): ErrRadius, math.Inf(1): ErrRadius,
	} {
		if err := (Circle{center, radius}).Check(); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("radius %v: %v, want %v", radius, err, want)
		}
	}
	if err := (Circle{Point{107.76, 20.97}, 5}).Check(); !errors.Is(err, ErrSwapped) {
		t.Errorf("swapped centre: %v", err)
	}
}
