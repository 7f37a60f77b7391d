package area_test

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"loa/gateway/area"
)

func sharedBoundaries(t testing.TB, d *area.Directory, name string) *area.Boundaries {
	t.Helper()
	f, err := os.Open(sharedData(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := d.ImportBoundaries(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestImportRealBoundaries(t *testing.T) {
	t.Parallel()
	d := load(t)
	for name, communes := range map[string]int{"communes-pilot.geojson": 168, "communes.geojson": 3321} {
		b := sharedBoundaries(t, d, name)
		if b.Len() != communes {
			t.Errorf("%s: %d boundaries, want %d", name, b.Len(), communes)
		}
		for _, p := range d.Provinces() {
			for _, u := range d.Communes(p.Code) {
				if !b.Has(u.Code) {
					continue
				}
				if got, _ := b.At(area.Point{Lat: u.Lat, Lon: u.Lon}); got != u.Code {
					t.Errorf("%s: the centre of %s (%s) lies in %q", name, u.FullName, u.Code, got)
				}
			}
		}
	}
}

func TestProvinceBoundariesAreRefused(t *testing.T) {
	t.Parallel()
	f, err := os.Open(sharedData(t, "provinces.geojson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := load(t).ImportBoundaries(f); err == nil || b != nil {
		t.Errorf("provinces were taken for communes: %v", err)
	}
}

// A storm's coast: Quảng Ninh and Hải Phòng. What Resolve computes is compared
// with counting random points, each looked up and tested on its own.
func TestResolveAgainstCounting(t *testing.T) {
	t.Parallel()
	b := sharedBoundaries(t, load(t), "communes-pilot.geojson")
	random := rand.New(rand.NewPCG(7, 9))
	points := make([]area.Point, 200_000)
	codes := make([]area.Code, len(points))
	total := map[area.Code]int{}
	for i := range points {
		points[i] = area.Point{Lat: 20.5 + random.Float64()*1.2, Lon: 106 + random.Float64()*1.8}
		codes[i], _ = b.At(points[i])
		total[codes[i]]++
	}
	slivers := 0
	for range 20 {
		center := area.Point{Lat: 20.7 + random.Float64()*0.6, Lon: 106.4 + random.Float64()}
		shape, err := area.NewCircle(center, 5+random.Float64()*25)
		if err != nil {
			t.Fatal(err)
		}
		inside := map[area.Code]int{}
		for i, p := range points {
			if codes[i] != "" && shape.Contains(p) {
				inside[codes[i]]++
			}
		}
		got, err := b.Resolve(shape)
		if err != nil {
			t.Fatal(err)
		}
		slivers += len(got.Slivers)
		share := map[area.Code]float64{}
		for _, touch := range slices.Concat(got.Communes, got.Slivers) {
			share[touch.Code] = touch.Share
		}
		for code, n := range inside {
			if share[code] == 0 {
				t.Errorf("commune %s is touched by the circle and was not listed", code)
			}
			counted, size := float64(n)/float64(total[code]), float64(total[code])
			if tolerance := 5*math.Sqrt(share[code]*(1-share[code])/size) + 10/size; math.Abs(counted-share[code]) > tolerance {
				t.Errorf("commune %s: share %v, counting %d points says %v", code, share[code], total[code], counted)
			}
		}
	}
	if slivers == 0 {
		t.Error("no circle made a sliver: the sample proves nothing about them")
	}
}

func BenchmarkAt(b *testing.B) {
	bs := sharedBoundaries(b, load(b), "communes.geojson")
	random := rand.New(rand.NewPCG(1, 2))
	points := make([]area.Point, 4096)
	for i := range points {
		points[i] = area.Point{Lat: 20.5 + random.Float64(), Lon: 105.5 + random.Float64()}
	}
	i := 0
	for b.Loop() {
		bs.At(points[i%len(points)])
		i++
	}
}

func BenchmarkFind(b *testing.B) {
	d := load(b)
	for b.Loop() {
		d.Find("xã cẩm giàng", in2026, 20)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		load(b)
	}
}
