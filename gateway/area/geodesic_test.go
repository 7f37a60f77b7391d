package area

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// vincenty is the inverse formula of T. Vincenty (1975), written apart from the
// code under test to judge it.
func vincenty(a, b Point) float64 {
	const rad, f, major = math.Pi / 180, 1 / 298.257223563, 6378137.0
	minor := major * (1 - f)
	u1 := math.Atan((1 - f) * math.Tan(a.Lat*rad))
	u2 := math.Atan((1 - f) * math.Tan(b.Lat*rad))
	l := (b.Lon - a.Lon) * rad
	lambda := l
	for range 200 {
		sinSigma := math.Hypot(math.Cos(u2)*math.Sin(lambda),
			math.Cos(u1)*math.Sin(u2)-math.Sin(u1)*math.Cos(u2)*math.Cos(lambda))
		if sinSigma == 0 {
			return 0
		}
		cosSigma := math.Sin(u1)*math.Sin(u2) + math.Cos(u1)*math.Cos(u2)*math.Cos(lambda)
		sigma := math.Atan2(sinSigma, cosSigma)
		sinAlpha := math.Cos(u1) * math.Cos(u2) * math.Sin(lambda) / sinSigma
		cos2Alpha := 1 - sinAlpha*sinAlpha
		cos2M := cosSigma - 2*math.Sin(u1)*math.Sin(u2)/cos2Alpha
		c := f / 16 * cos2Alpha * (4 + f*(4-3*cos2Alpha))
		next := l + (1-c)*f*sinAlpha*(sigma+c*sinSigma*(cos2M+c*cosSigma*(-1+2*cos2M*cos2M)))
		if math.Abs(next-lambda) > 1e-13 {
			lambda = next
			continue
		}
		u := cos2Alpha * (major*major - minor*minor) / (minor * minor)
		ka := 1 + u/16384*(4096+u*(-768+u*(320-175*u)))
		kb := u / 1024 * (256 + u*(-128+u*(74-47*u)))
		ds := kb * sinSigma * (cos2M + kb/4*(cosSigma*(-1+2*cos2M*cos2M)-
			kb/6*cos2M*(-3+4*sinSigma*sinSigma)*(-3+4*cos2M*cos2M)))
		return minor * ka * (sigma - ds)
	}
	return math.NaN()
}

func degrees(d, m, s float64) float64 { return d + m/60 + s/3600 }

// The line Flinders Peak to Buninyong is the worked example of the Australian
// geodetic datum manual: 54,972.271 m.
func TestVincentyKnownLine(t *testing.T) {
	t.Parallel()
	flinders := Point{-degrees(37, 57, 3.72030), degrees(144, 25, 29.52440)}
	buninyong := Point{-degrees(37, 39, 10.15610), degrees(143, 55, 35.38390)}
	const want = 54972.271
	if got := vincenty(flinders, buninyong); math.Abs(got-want) > 0.001 {
		t.Errorf("vincenty = %.4f m, want %.3f", got, want)
	}
	if got := distance(flinders, buninyong); math.Abs(got-want) > 1 {
		t.Errorf("distance = %.4f m, want %.3f within 1 m", got, want)
	}
}

func TestDistanceAgainstVincenty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := Point{rapid.Float64Range(8, 23).Draw(t, "lat"), rapid.Float64Range(102, 118).Draw(t, "lon")}
		to := destination(from, rapid.Float64Range(0, 2*math.Pi).Draw(t, "bearing"),
			rapid.Float64Range(10, 2_000_000).Draw(t, "metres"))
		want := vincenty(from, to)
		if got := distance(from, to); math.Abs(got-want) > 1e-4*want || math.Abs(got-want) > 50 {
			t.Fatalf("distance(%v, %v) = %v, vincenty says %v", from, to, got, want)
		}
	})
	here := Point{20.95, 107.1}
	if got := distance(here, here); got != 0 {
		t.Errorf("distance to itself = %v", got)
	}
}

// The outline that is laid over the communes must not fall short of the circle
// and must not be over 0.5 % wider.
func TestCircleOutlineAgainstVincenty(t *testing.T) {
	t.Parallel()
	for lat := 8.0; lat <= 23; lat++ {
		for _, km := range []float64{0.01, 0.5, 5, 50, 300, 1000} {
			c := Point{lat, 106}
			s, err := NewCircle(c, km)
			if err != nil {
				t.Fatal(err)
			}
			for i := range len(s.ring) - 1 {
				a, b := s.ring[i], s.ring[i+1]
				corner := vincenty(c, Point{a[1], a[0]}) / (km * 1000)
				middle := vincenty(c, Point{(a[1] + b[1]) / 2, (a[0] + b[0]) / 2}) / (km * 1000)
				if corner > 1.005 || middle > 1.005 || corner < 1-1e-6 || middle < 1-2e-5 {
					t.Fatalf("lat %v, %v km, corner %d: outline at %v and %v of the radius", lat, km, i, corner, middle)
				}
			}
		}
	}
}

// A circle reaches no point over 161 m (0.1 mile, 47 CFR 10.450) or 0.5 % of
// the radius outside it, and misses none that far inside, whichever is less.
func TestCircleOvershoot(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := Point{rapid.Float64Range(8, 23).Draw(t, "lat"), rapid.Float64Range(102, 118).Draw(t, "lon")}
		radius := rapid.Float64Range(MinRadiusKM, MaxRadiusKM).Draw(t, "km") * 1000
		s, err := NewCircle(c, radius/1000)
		if err != nil {
			t.Fatal(err)
		}
		tolerance := math.Min(161, radius*0.005)
		off := rapid.Float64Range(-3, 3).Draw(t, "off") * tolerance
		p := destination(c, rapid.Float64Range(0, 2*math.Pi).Draw(t, "bearing"), radius+off)
		truth := vincenty(c, p) - radius
		if in := s.Contains(p); (truth < -tolerance && !in) || (truth > tolerance && in) {
			t.Fatalf("radius %v m, point %v m outside it: Contains = %v", radius, truth, in)
		}
	})
}
