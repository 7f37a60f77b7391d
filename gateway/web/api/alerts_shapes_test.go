package api

import (
	"strings"
	"testing"

	"loa/configs"
	"loa/gateway/alert"
	"loa/gateway/area"
)

// Two squares side by side, a tenth of a degree wide.
const twoSquares = `{"type":"FeatureCollection","features":[
{"type":"Feature","properties":{"code":"06673"},"geometry":{"type":"Polygon","coordinates":[[[107.0,20.9],[107.1,20.9],[107.1,21.0],[107.0,21.0],[107.0,20.9]]]}},
{"type":"Feature","properties":{"code":"06652"},"geometry":{"type":"Polygon","coordinates":[[[107.1,20.9],[107.2,20.9],[107.2,21.0],[107.1,21.0],[107.1,20.9]]]}}]}`

// What a shape only brushes is named to the author and, from the frozen text
// alone, to whoever signs it; a shape without a name of its own has that of its
// communes.
func TestSliversAreShownToTheApprover(t *testing.T) {
	t.Parallel()
	dir, err := area.Load(configs.Areas)
	if err != nil {
		t.Fatal(err)
	}
	shapes, err := dir.ImportBoundaries(strings.NewReader(twoSquares))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Deps{Areas: dir, Shapes: shapes}}
	draft := Draft{Status: alert.Actual, Infos: []Info{{Language: "vi-VN", Areas: []Area{{
		Polygons: [][][2]float64{{{20.92, 107.02}, {20.92, 107.1005}, {20.98, 107.1005}, {20.98, 107.02}, {20.92, 107.02}}},
	}}}}}
	in, atDraft, err := s.input(&draft, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := in.Infos[0].Areas[0]; got.Desc != "Phường Bãi Cháy" || len(got.Geocodes) != 1 || got.Geocodes[0].Value != "06673" {
		t.Errorf("%q %v", got.Desc, got.Geocodes)
	}
	toSign := s.brushed(&alert.Revision{Infos: in.Infos})
	for name, b := range map[string][]Brushed{"author": atDraft, "approver": toSign} {
		if len(b) != 1 || b[0].Field != "infos[0].areas[0]" || len(b[0].Slivers) != 1 || b[0].Slivers[0].Code != "06652" || b[0].Slivers[0].Share > 0.01 {
			t.Errorf("%s: %+v", name, b)
		}
	}
	s.Shapes = nil
	if b := s.brushed(&alert.Revision{Infos: in.Infos}); b != nil {
		t.Errorf("without boundaries: %+v", b)
	}
}
