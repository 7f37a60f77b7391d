package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"loa/gateway/alert"
)

// geocodeName is the CAP valueName of commune codes.
const geocodeName = "VN-NSO-2025"

// level is the disaster risk level the met service gave, in the template's slot
// or as a CAP parameter; 0 if it gave none.
func level(info *alert.Info) int {
	v := info.Slots["level"]
	for _, p := range info.Parameters {
		if v == "" && p.Name == alert.RiskLevelName {
			v = p.Value
		}
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > len(riskLevels) {
		return 0
	}
	return n
}

func appLevel(n int, language string) *AppLevel {
	if n == 0 {
		return nil
	}
	l := riskLevels[n-1]
	if language == "en" {
		return &AppLevel{Level: n, Name: l.nameEN, Colour: l.colourEN, Hex: l.hex}
	}
	return &AppLevel{Level: n, Name: l.name, Colour: l.colour, Hex: l.hex}
}

func appAreas(areas []alert.Area) []AppArea {
	out := make([]AppArea, 0, len(areas))
	for _, a := range areas {
		to := AppArea{Desc: a.Desc}
		for _, g := range a.Geocodes {
			if g.Name == geocodeName {
				to.Codes = append(to.Codes, g.Value)
			}
		}
		for _, polygon := range a.Polygons {
			points := make([][2]float64, len(polygon))
			for i, p := range polygon {
				points[i] = [2]float64{p.Lat, p.Lon}
			}
			to.Polygons = append(to.Polygons, points)
		}
		for _, c := range a.Circles {
			to.Circles = append(to.Circles, AppCircle{Center: [2]float64{c.Center.Lat, c.Center.Lon}, Radius: c.Radius})
		}
		out = append(out, to)
	}
	return out
}

// foreign makes a push of a message that came from elsewhere: its own words,
// cut at a word where they are too long.
func foreign(info *alert.Info) (title, body string) {
	title = shorten(firstOf(info.Headline, info.Event), maxPushTitle)
	body = shorten(strings.Join(strings.Fields(info.Description+" "+info.Instruction), " "), maxPushBody)
	return title, body
}

// shorten keeps at most longest characters, in one line, whole words.
func shorten(s string, longest int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	cut := []rune(s)[:longest-1]
	end := len(cut)
	for end > 0 && !unicode.IsSpace(cut[end-1]) {
		end--
	}
	if end == 0 {
		end = len(cut)
	}
	return strings.TrimSpace(string(cut[:end])) + "…"
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func expires(f *facts) time.Time {
	if !f.info.Expires.IsZero() {
		return f.info.Expires
	}
	return f.rev.Expires()
}

// stamp is a time on the wire: RFC 3339 with the readers' offset, "" for none.
func (r *Renderer) stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(r.opt.Zone).Format(time.RFC3339)
}

// encode is JSON without HTML escapes: Vietnamese and "<" as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
