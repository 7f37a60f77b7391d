package area_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"loa/gateway/area"
)

// square is a GeoJSON feature: a square of 0.1° with its south-west corner at
// (lat, lon).
func square(code string, lat, lon float64) string {
	return featureOf(code, "Polygon", "["+squareRing(lat, lon, 0.1)+"]")
}

func squareRing(lat, lon, size float64) string {
	n, e := lat+size, lon+size
	return fmt.Sprintf("[[%v,%v],[%v,%v],[%v,%v],[%v,%v],[%v,%v]]", lon, lat, e, lat, e, n, lon, n, lon, lat)
}

func featureOf(code, kind, coordinates string) string {
	return fmt.Sprintf(`{"type":"Feature","properties":{"code":%q},"geometry":{"type":%q,"coordinates":%s}}`, code, kind, coordinates)
}

func collection(features ...string) string {
	return `{"type":"FeatureCollection","name":"communes","features":[` + strings.Join(features, ",") + `]}`
}

// squares maps the made-up country: four squares around (21.1, 106.1); 00004
// has a hole in its middle; 00010 is two islands and is left out by some tests.
var (
	holed   = featureOf("00004", "Polygon", "["+squareRing(21.1, 106.1, 0.1)+","+squareRing(21.14, 106.14, 0.02)+"]")
	islands = featureOf("00010", "MultiPolygon", "[["+squareRing(22, 105, 0.1)+"],["+squareRing(22.5, 105.5, 0.1)+"]]")
	squares = []string{
		square("00001", 21, 106), square("00002", 21, 106.1), square("00003", 21.1, 106), holed,
	}
)

func imported(t testing.TB, d *area.Directory, geojson string) *area.Boundaries {
	t.Helper()
	b, err := d.ImportBoundaries(strings.NewReader(geojson))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	d := madeUp(t)
	ring := squareRing(21, 106, 0.1)
	one := func(coordinates string) string {
		return collection(squares[1], featureOf("00001", "Polygon", coordinates))
	}
	for _, tt := range []struct {
		name, geojson string
		feature       int
		want          string
	}{
		{"nothing", "", -1, "EOF"},
		{"not JSON", "<gml>", -1, "invalid character"},
		{"cut off", collection(squares...)[:400], 2, "EOF"},
		{"cut off between features", collection(squares[0] + ","), 1, "invalid character"},
		{"list", "[]", -1, "[ where { is expected"},
		{"one feature", squares[0], -1, `type: is "Feature", must be "FeatureCollection"`},
		{"no type", `{"features":[` + squares[0] + `]}`, -1, "type: is missing"},
		{"no features", `{"type":"FeatureCollection"}`, -1, "features: there are none"},
		{"empty features", collection(), -1, "features: there are none"},
		{"features no list", `{"type":"FeatureCollection","features":{}}`, -1, "features: { where [ is expected"},
		{"features twice", `{"features":[` + squares[0] + `],"features":[]}`, -1, `member "features" stands twice`},
		{"something after", collection(squares[0]) + "{}", -1, "something follows"},
		{"other projection", `{"type":"FeatureCollection","crs":{"type":"name"},"features":[]}`, -1, "crs"},
		{"geometry as feature", collection(squares[0], `{"type":"Polygon"}`), 1, `type: is "Polygon", must be "Feature"`},
		{"no code", collection(`{"type":"Feature","properties":{}}`), 0, "properties.code: must be text"},
		{"code as a number", collection(`{"type":"Feature","properties":{"code":1}}`), 0, "properties.code: must be text"},
		{"unknown code", collection(square("00099", 21, 106)), 0, `code "00099": unknown`},
		{"lost zeros", collection(square("1", 21, 106)), 0, "is it 00001?"},
		{"ended code", collection(square("00006", 21, 106)), 0, "Thị trấn Chợ Hoà ended on 2025-07-01"},
		{"province", collection(square("90", 21, 106)), 0, "Thành phố Sông Trong is not a commune"},
		{"code twice", collection(squares[0], squares[1], squares[0]), 2, "feature 0 has it too"},
		{"no geometry", collection(`{"type":"Feature","properties":{"code":"00001"},"geometry":null}`), 0, "geometry: is missing"},
		{"points", collection(featureOf("00001", "Point", "[106,21]")), 0, `geometry.type: is "Point"`},
		{"wrong depth", one(ring), 1, "geometry.coordinates"},
		{"no coordinates", one("null"), 1, "no ring"},
		{"no polygons", collection(featureOf("00001", "MultiPolygon", "[]")), 0, "no polygon"},
		{"no ring", one("[]"), 1, "polygon 0: no ring"},
		{"three positions", one("[[[106,21],[106.1,21],[106,21]]]"), 1, "polygon 0, ring 0: needs at least 4 positions, has 3"},
		{"open ring", one("[" + ring + ",[[106.04,21.04],[106.05,21.04],[106.05,21.05],[106.04,21.05]]]"), 1, "polygon 0, ring 1: is not closed"},
		{"flat ring", one("[[[106,21],[106.1,21],[106.2,21],[106,21]]]"), 1, "holds less than 100 square metres"},
		{"nothing but a hole", one("[" + ring + "," + ring + "]"), 1, "holds less than 100 square metres"},
		{"one number", one("[[[106],[106.1,21],[106.1,21.1],[106]]]"), 1, "position 0: needs longitude and latitude, has 1"},
		{"swapped", one("[[[21,106],[21,106.1],[21.1,106.1],[21,106]]]"), 1, "position 0: latitude 106"},
		{"metres", one("[[[600000,2300000],[600100,2300000],[600100,2300100],[600000,2300000]]]"), 1, "position 0: latitude 2.3e+06"},
		{"too large a number", one("[[[1e999,21],[106.1,21],[106.1,21.1],[1e999,21]]]"), 1, "geometry.coordinates"},
		{"another commune's boundary", collection(square("00001", 10, 106)), 0, "nowhere near the centre of Xã Cẩm Giang"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := d.ImportBoundaries(strings.NewReader(tt.geojson))
			var refused *area.ImportError
			if !errors.As(err, &refused) || refused.Feature != tt.feature || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want feature %d and %q", err, tt.feature, tt.want)
			}
			if b != nil {
				t.Error("half an import was returned")
			}
		})
	}
}

// endless is a file that never ends.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += int64(len(p))
	return len(p), nil
}

func TestImportIsBounded(t *testing.T) {
	t.Parallel()
	tail := &endless{}
	_, err := madeUp(t).ImportBoundaries(io.MultiReader(strings.NewReader(`{"type":`), tail))
	var refused *area.ImportError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("err = %v", err)
	}
	if tail.read > area.MaxBoundaryBytes+1<<20 {
		t.Errorf("%d bytes were read", tail.read)
	}
}

func TestImportPassesOnReadErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	_, err := madeUp(t).ImportBoundaries(io.MultiReader(strings.NewReader(`{"type":`), &failing{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestAt(t *testing.T) {
	t.Parallel()
	b := imported(t, madeUp(t), collection(append(slices.Clone(squares), islands)...))
	if b.Len() != 5 || !b.Has("00010") || b.Has("00009") {
		t.Fatalf("Len = %d", b.Len())
	}
	for p, want := range map[area.Point]area.Code{
		{Lat: 21.05, Lon: 106.05}: "00001", {Lat: 21.05, Lon: 106.15}: "00002", {Lat: 21.15, Lon: 106.05}: "00003",
		{Lat: 21.11, Lon: 106.11}: "00004", {Lat: 21.15, Lon: 106.15}: "", // in the hole
		{Lat: 22.05, Lon: 105.05}: "00010", {Lat: 22.55, Lon: 105.55}: "00010", {Lat: 22.3, Lon: 105.3}: "",
		{Lat: 21.05, Lon: 106.1}: "00001", // on the border
		{Lat: 0, Lon: 0}:         "", {Lat: math.NaN(), Lon: 106}: "",
	} {
		if got, ok := b.At(p); got != want || ok != (want != "") {
			t.Errorf("At(%v) = %q, want %q", p, got, want)
		}
	}
}

func TestNoBoundaries(t *testing.T) {
	t.Parallel()
	var b *area.Boundaries
	circle, err := area.NewCircle(area.Point{Lat: 21.1, Lon: 106.1}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Resolve(circle); !errors.Is(err, area.ErrNoBoundaries) {
		t.Errorf("err = %v", err)
	}
	if _, ok := b.At(area.Point{Lat: 21.1, Lon: 106.1}); ok || b.Len() != 0 || b.Has("00001") {
		t.Error("no boundaries, yet something is known")
	}
}

func box(t testing.TB, south, west, north, east float64) area.Shape {
	t.Helper()
	s, err := area.NewPolygon([]area.Point{{south, west}, {south, east}, {north, east}, {north, west}, {south, west}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestResolve(t *testing.T) {
	t.Parallel()
	mapped := imported(t, madeUp(t), collection(append(slices.Clone(squares), islands)...))
	partly := imported(t, madeUp(t), collection(squares[:3]...))
	triangle, err := area.NewPolygon([]area.Point{{21, 106}, {21, 106.1}, {21.1, 106}, {21, 106}})
	if err != nil {
		t.Fatal(err)
	}
	spire, err := area.NewPolygon([]area.Point{{21, 106}, {21, 106.1}, {21.2, 106.05}, {21, 106}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		on     *area.Boundaries
		shapes []area.Shape
		want   area.Resolution
	}{
		{"one whole commune, borders touched", mapped, []area.Shape{box(t, 21, 106, 21.1, 106.1)},
			area.Resolution{Communes: []area.Touch{{"00001", 1}}}},
		{"half", mapped, []area.Shape{triangle}, area.Resolution{Communes: []area.Touch{{"00001", 0.5}}}},
		{"sides across a border", mapped, []area.Shape{spire},
			area.Resolution{Communes: []area.Touch{{"00001", 0.75}, {"00003", 0.25}}}},
		{"a sliver apart", mapped, []area.Shape{box(t, 21, 106, 21.1, 106.1009)},
			area.Resolution{Communes: []area.Touch{{"00001", 1}}, Slivers: []area.Touch{{"00002", 0.009}}}},
		{"just over a sliver", mapped, []area.Shape{box(t, 21, 106, 21.1, 106.1011)},
			area.Resolution{Communes: []area.Touch{{"00001", 1}, {"00002", 0.011}}}},
		{"only a sliver", mapped, []area.Shape{box(t, 21.04, 106.04, 21.045, 106.045)},
			area.Resolution{Slivers: []area.Touch{{"00001", 0.0025}}}},
		{"around everything", mapped, []area.Shape{box(t, 20, 104, 23, 107)},
			area.Resolution{Communes: []area.Touch{{"00001", 1}, {"00002", 1}, {"00003", 1}, {"00004", 1}, {"00010", 1}}}},
		{"one of two islands", mapped, []area.Shape{box(t, 22.5, 105.5, 22.6, 105.55)},
			area.Resolution{Communes: []area.Touch{{"00010", 0.25}}}},
		{"half of the commune with a hole", mapped, []area.Shape{box(t, 21.1, 106.1, 21.15, 106.2)},
			area.Resolution{Communes: []area.Touch{{"00004", 0.5}}}},
		{"two shapes", mapped, []area.Shape{box(t, 21, 106, 21.1, 106.0006), box(t, 21, 106.05, 21.1, 106.0506)},
			area.Resolution{Communes: []area.Touch{{"00001", 0.012}}}},
		{"two shapes over the same ground", mapped, []area.Shape{box(t, 21, 106, 21.1, 106.1), triangle},
			area.Resolution{Communes: []area.Touch{{"00001", 1}}}},
		{"one shape at sea", mapped, []area.Shape{box(t, 15, 115, 16, 116), triangle},
			area.Resolution{Communes: []area.Touch{{"00001", 0.5}}}},
		{"a commune without a boundary", partly, []area.Shape{box(t, 21.1, 106.05, 21.2, 106.2)},
			area.Resolution{Communes: []area.Touch{{"00003", 0.5}}, Unmapped: []area.Code{"00004"}}},
		{"only a commune without a boundary", partly, []area.Shape{box(t, 22, 105, 22.1, 105.1)},
			area.Resolution{Unmapped: []area.Code{"00010"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.on.Resolve(tt.shapes...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Error(diff)
			}
			for _, touch := range got.Communes {
				if touch.Share > 1 {
					t.Errorf("%+v covers more than the whole", touch)
				}
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	b := imported(t, madeUp(t), collection(squares[0], squares[1], squares[2], holed))
	for name, tt := range map[string]struct {
		shapes []area.Shape
		want   error
	}{
		"no shape":    {nil, area.ErrOutside},
		"zero shape":  {[]area.Shape{{}}, area.ErrShape},
		"at sea":      {[]area.Shape{box(t, 15, 115, 16, 116)}, area.ErrOutside},
		"in the hole": {[]area.Shape{box(t, 21.143, 106.143, 21.147, 106.147)}, area.ErrOutside},
		"next door":   {[]area.Shape{box(t, 20.9, 106, 21, 106.1)}, area.ErrOutside},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := b.Resolve(tt.shapes...); !errors.Is(err, tt.want) || len(got.Codes()) != 0 {
				t.Errorf("Resolve = %+v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestResolveCircleShare(t *testing.T) {
	t.Parallel()
	b := imported(t, madeUp(t), collection(squares...))
	for _, km := range []float64{0.5, 1, 3, 5} {
		c, err := area.NewCircle(area.Point{Lat: 21.05, Lon: 106.05}, km)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Resolve(c)
		if err != nil {
			t.Fatal(err)
		}
		// 0.1° at 21.05° N is 11.0716 km by 10.3960 km on WGS 84.
		want := math.Pi * km * km / (11.0716 * 10.3960)
		all := slices.Concat(got.Communes, got.Slivers)
		if len(all) != 1 || math.Abs(all[0].Share/want-1) > 0.005 {
			t.Errorf("%v km: %+v, want a share of %v", km, got, want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := imported(t, madeUp(t), collection(squares...))
	shape := box(t, 21, 106, 21.2, 106.2)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if r, err := b.Resolve(shape); err != nil || len(r.Communes) != 4 {
					t.Errorf("%+v, %v", r, err)
				}
				if code, _ := b.At(area.Point{Lat: 21.05, Lon: 106.15}); code != "00002" {
					t.Errorf("At = %q", code)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzImportBoundaries(f *testing.F) {
	d := madeUp(f)
	f.Add(collection(squares...))
	f.Add(collection(islands))
	f.Add(`{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"00001"},"geometry":{"type":"Polygon","coordinates":[[[106,21],[106.1,21],[106.1,21.1],[106,21]]]}}]}`)
	f.Add(`{"features":[{}],"type":1}`)
	f.Fuzz(func(t *testing.T, geojson string) {
		b, err := d.ImportBoundaries(strings.NewReader(geojson))
		if err != nil {
			var refused *area.ImportError
			if b != nil || !errors.As(err, &refused) {
				t.Fatalf("%v, %v", b, err)
			}
			return
		}
		r, err := b.Resolve(box(t, 5, 100, 25, 120))
		if err != nil {
			t.Fatal(err)
		}
		for _, touch := range slices.Concat(r.Communes, r.Slivers) {
			if !(touch.Share > 0 && touch.Share <= 1) {
				t.Fatalf("%+v", touch)
			}
		}
	})
}
