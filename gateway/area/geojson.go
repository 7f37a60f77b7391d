package area

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/paulmach/orb"
)

// MaxBoundaryBytes bounds a boundary file: every commune of Vietnam simplified
// to 5 m is about 12 MB.
const MaxBoundaryBytes = 64 << 20

// ImportError names the feature of a boundary file and the rule it broke.
type ImportError struct {
	Feature int  // from 0, as GeoJSON arrays count; -1: the file as a whole
	Code    Code // empty while it is not known
	Err     error
}

func (e *ImportError) Error() string {
	switch {
	case e.Feature < 0:
		return fmt.Sprintf("boundaries: %v", e.Err)
	case e.Code == "":
		return fmt.Sprintf("boundaries: feature %d: %v", e.Feature, e.Err)
	default:
		return fmt.Sprintf("boundaries: feature %d (code %s): %v", e.Feature, e.Code, e.Err)
	}
}

func (e *ImportError) Unwrap() error { return e.Err }

// feature is what an import reads of a GeoJSON Feature (RFC 7946, 3.2).
type feature struct {
	Type       string `json:"type"`
	Properties struct {
		Code any `json:"code"`
	} `json:"properties"`
	Geometry *struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
	} `json:"geometry"`
}

// ImportBoundaries reads commune boundaries: a GeoJSON FeatureCollection (RFC
// 7946, WGS 84) of Polygon and MultiPolygon features whose property "code" is a
// commune in force. The whole file is taken or, with an *ImportError, none of
// it. The bytes of a file that was taken are its stored form: keep them, and
// import them again at the next start.
func (d *Directory) ImportBoundaries(r io.Reader) (*Boundaries, error) {
	limited := &io.LimitedReader{R: r, N: MaxBoundaryBytes + 1}
	in := &importer{dec: json.NewDecoder(limited), dir: d, out: newBoundaries(d), seen: map[Code]int{}}
	err := in.collection()
	if limited.N <= 0 {
		err = &ImportError{Feature: -1, Err: fmt.Errorf("the file is larger than %d bytes", int64(MaxBoundaryBytes))}
	}
	if err != nil {
		return nil, err
	}
	return in.out, nil
}

type importer struct {
	dec  *json.Decoder
	dir  *Directory
	out  *Boundaries
	seen map[Code]int // feature of each code
}

func (in *importer) collection() error {
	err := in.members()
	if _, named := errors.AsType[*ImportError](err); named || err == nil {
		return err
	}
	return &ImportError{Feature: -1, Err: err}
}

func (in *importer) members() error {
	if err := in.expect(json.Delim('{')); err != nil {
		return err
	}
	met := map[string]bool{}
	for in.dec.More() {
		name, err := in.dec.Token()
		if err != nil {
			return err
		}
		key, _ := name.(string)
		if met[key] {
			return fmt.Errorf("member %q stands twice", key)
		}
		met[key] = true
		if err := in.member(key); err != nil {
			return err
		}
	}
	if err := in.expect(json.Delim('}')); err != nil {
		return err
	}
	switch {
	case !met["type"]:
		return errors.New(`type: is missing, must be "FeatureCollection"`)
	case len(in.seen) == 0:
		return errors.New("features: there are none")
	}
	if _, err := in.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the FeatureCollection")
	}
	return nil
}

func (in *importer) member(name string) error {
	switch name {
	case "type":
		var t string
		if err := in.dec.Decode(&t); err != nil || t != "FeatureCollection" {
			return errors.Join(fmt.Errorf(`type: is %q, must be "FeatureCollection"`, t), err)
		}
		return nil
	case "crs":
		return errors.New("crs: is not part of GeoJSON; positions must be WGS 84 longitude and latitude")
	case "features":
		return in.features()
	default:
		var ignored json.RawMessage
		return in.dec.Decode(&ignored)
	}
}

func (in *importer) features() error {
	if err := in.expect(json.Delim('[')); err != nil {
		return fmt.Errorf("features: %w", err)
	}
	for i := 0; in.dec.More(); i++ {
		var f feature
		if err := in.dec.Decode(&f); err != nil {
			return &ImportError{Feature: i, Err: err}
		}
		if code, err := in.take(i, &f); err != nil {
			return &ImportError{Feature: i, Code: code, Err: err}
		}
	}
	return in.expect(json.Delim(']'))
}

func (in *importer) take(i int, f *feature) (Code, error) {
	if f.Type != "Feature" {
		return "", fmt.Errorf(`type: is %q, must be "Feature"`, f.Type)
	}
	text, ok := f.Properties.Code.(string)
	if !ok {
		return "", errors.New("properties.code: must be text of five digits, leading zeros kept")
	}
	code := Code(text)
	e, ok := in.dir.current[code]
	switch first, again := in.seen[code]; {
	case !ok:
		return code, in.dir.refuse(code)
	case !code.IsCommune():
		return code, fmt.Errorf("properties.code: %s is not a commune", e.FullName)
	case again:
		return code, fmt.Errorf("properties.code: feature %d has it too", first)
	case f.Geometry == nil:
		return code, errors.New("geometry: is missing")
	}
	shape, err := readGeometry(f.Geometry.Type, f.Geometry.Coordinates)
	if err != nil {
		return code, err
	}
	if err := nearCenter(shape, e.Unit); err != nil {
		return code, err
	}
	in.seen[code] = i
	in.out.add(code, shape)
	return code, nil
}

func (in *importer) expect(want json.Delim) error {
	t, err := in.dec.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v where %v is expected", t, want)
	}
	return nil
}

func readGeometry(kind string, coordinates json.RawMessage) (orb.MultiPolygon, error) {
	var raw [][][][]float64
	switch kind {
	case "Polygon":
		raw = make([][][][]float64, 1)
		if err := json.Unmarshal(coordinates, &raw[0]); err != nil {
			return nil, fmt.Errorf("geometry.coordinates: %w", err)
		}
	case "MultiPolygon":
		if err := json.Unmarshal(coordinates, &raw); err != nil {
			return nil, fmt.Errorf("geometry.coordinates: %w", err)
		}
	default:
		return nil, fmt.Errorf("geometry.type: is %q, must be Polygon or MultiPolygon", kind)
	}
	if len(raw) == 0 {
		return nil, errors.New("geometry.coordinates: no polygon")
	}
	shape := make(orb.MultiPolygon, len(raw))
	for i, rings := range raw {
		if len(rings) == 0 {
			return nil, fmt.Errorf("polygon %d: no ring", i)
		}
		for j, positions := range rings {
			ring, err := readRing(positions)
			if err != nil {
				return nil, fmt.Errorf("polygon %d, ring %d: %w", i, j, err)
			}
			shape[i] = append(shape[i], ring)
		}
	}
	if areaM2(shape) < minAreaM2 {
		return nil, fmt.Errorf("geometry: holds less than %v square metres", minAreaM2)
	}
	return shape, nil
}

func readRing(positions [][]float64) (orb.Ring, error) {
	if len(positions) < 4 {
		return nil, fmt.Errorf("needs at least 4 positions, has %d", len(positions))
	}
	ring := make(orb.Ring, len(positions))
	for i, pos := range positions {
		if len(pos) < 2 || len(pos) > 3 {
			return nil, fmt.Errorf("position %d: needs longitude and latitude, has %d numbers", i, len(pos))
		}
		if err := (Point{Lat: pos[1], Lon: pos[0]}).check(); err != nil {
			return nil, fmt.Errorf("position %d: %w", i, err)
		}
		ring[i] = orb.Point{pos[0], pos[1]}
	}
	if !ring.Closed() {
		return nil, errors.New("is not closed: the last position must repeat the first")
	}
	return ring, nil
}

// nearCenter catches a boundary filed under another commune's code: the known
// centre point lies in the boundary or not far outside it.
func nearCenter(shape orb.MultiPolygon, u Unit) error {
	const tolerance = 0.25 // degrees, about 27 km
	if b := shape.Bound().Pad(tolerance); !b.Contains(Point{u.Lat, u.Lon}.orb()) {
		return fmt.Errorf("the boundary is nowhere near the centre of %s (%v, %v)", u.FullName, u.Lat, u.Lon)
	}
	return nil
}
