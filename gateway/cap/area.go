package cap

import (
	"errors"
	"math"
	"strings"

	"loa/gateway/alert"
)

var areaBlock = &block{
	name: "area", rule: "C60",
	children: []string{"areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling"},
	many:     []string{"polygon", "circle", "geocode"},
}

// area reads an area. A shape that is wrong is refused and never mended: a
// mended shape would be another area than its sender meant.
func (s *scanner) area() (alert.Area, error) {
	var a alert.Area
	start := s.pos
	_, err := s.children(areaBlock, func(name string) error {
		if name == "geocode" {
			return s.pair(name, &a.Geocodes)
		}
		at := s.pos
		text, err := s.text()
		if err != nil {
			return err
		}
		switch name {
		case "areaDesc":
			a.Desc = text
		case "polygon":
			return s.polygon(at, &a, text)
		case "circle":
			return s.circle(at, &a, text)
		case "altitude":
			a.Altitude = s.height(at, name, text)
		case "ceiling":
			a.Ceiling = s.height(at, name, text)
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	s.judgeArea(start, &a)
	return a, nil
}

func (s *scanner) judgeArea(at position, a *alert.Area) {
	if a.Desc == "" {
		s.noteAt(at, "C60", "<area> has no areaDesc")
	}
	if alert.Unseen(a.Desc) {
		s.noteAt(at, "B12", "<areaDesc> has characters that hide or turn text")
	}
	if len(a.Polygons)+len(a.Circles)+len(a.Geocodes) == 0 {
		s.noteAt(at, "A18", "the area has a name alone: a draft for a person, who sets whom it covers")
	}
	if a.Ceiling != nil && (a.Altitude == nil || *a.Ceiling < *a.Altitude) {
		s.noteAt(at, "C65", "<ceiling> without an <altitude> below it is left out")
		a.Ceiling = nil
	}
}

func (s *scanner) polygon(at position, a *alert.Area, text string) error {
	if text == "" {
		s.noteAt(at, "C61", "an empty <polygon> covers nothing and is left out")
		return nil
	}
	var ring []alert.Point
	for pair := range strings.FieldsSeq(text) {
		if s.points++; s.points > s.opt.MaxPoints {
			return at.refuse("A15", "polygons have more than %d points", s.opt.MaxPoints)
		}
		p, ok := point(pair)
		if !ok {
			return at.refuse("C61", "<polygon> has %.40q where latitude,longitude is asked for", pair)
		}
		ring = append(ring, p)
	}
	err := alert.CheckRing(ring)
	switch {
	case errors.Is(err, alert.ErrTouching):
		s.noteAt(at, "C62", "<polygon>: %v", err)
	case err != nil:
		return at.refuse(shapeRule(err), "<polygon>: %v", err)
	}
	a.Polygons = append(a.Polygons, ring)
	return expired(s.ctx)
}

func (s *scanner) circle(at position, a *alert.Area, text string) error {
	if text == "" {
		s.noteAt(at, "C63", "an empty <circle> covers nothing and is left out")
		return nil
	}
	parts := strings.Fields(text)
	if len(parts) != 2 {
		return at.refuse("C63", "<circle> is %.40q where latitude,longitude radius is asked for", text)
	}
	center, ok := point(parts[0])
	radius, okRadius := number(parts[1])
	if !ok {
		return at.refuse("C63", "<circle> is %.40q where latitude,longitude radius is asked for", text)
	}
	if !okRadius {
		return at.refuse("A23", "<circle>: %.40q is no radius in kilometres", parts[1])
	}
	c := alert.Circle{Center: center, Radius: radius}
	if err := c.Check(); err != nil {
		return at.refuse(shapeRule(err), "<circle>: %v", err)
	}
	a.Circles = append(a.Circles, c)
	return nil
}

func (s *scanner) height(at position, name, text string) *float64 {
	if h, ok := number(text); ok && math.Abs(h) <= alert.MaxHeight {
		return &h
	}
	s.noteAt(at, "C65", "<%s> is no number of feet and is left out", name)
	return nil
}

// shapeRule names the row of the checklist that a shape's fault is in.
func shapeRule(err error) string {
	for fault, rule := range map[error]string{
		alert.ErrFewPoints: "A19", alert.ErrOpenRing: "A20", alert.ErrCrossing: "A21", alert.ErrSwapped: "A22",
		alert.ErrRadius: "A23", alert.ErrComplex: "C62",
	} {
		if errors.Is(err, fault) {
			return rule
		}
	}
	return "C61"
}
