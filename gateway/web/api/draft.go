package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/desk"
)

// Draft is what an author writes.
type Draft struct {
	Status    alert.Status    `json:"status,omitempty"` // Actual, Exercise or Test
	Kinds     []channels.Kind `json:"kinds,omitempty"`  // empty: every configured channel
	Source    string          `json:"source,omitempty"`
	Note      string          `json:"note,omitempty"`
	Incidents []string        `json:"incidents,omitempty"`
	Infos     []Info          `json:"infos"`
}

// Info is one language and one risk level over some areas. Names are CAP's.
type Info struct {
	Language      string               `json:"language,omitempty"`
	Template      string               `json:"template,omitempty"`
	Slots         map[string]string    `json:"slots,omitempty"`
	Categories    []alert.Category     `json:"categories,omitempty"`
	Event         string               `json:"event,omitempty"`
	ResponseTypes []alert.ResponseType `json:"responseTypes,omitempty"`
	Urgency       alert.Urgency        `json:"urgency,omitempty"`
	Severity      alert.Severity       `json:"severity,omitempty"`
	Certainty     alert.Certainty      `json:"certainty,omitempty"`
	Audience      string               `json:"audience,omitempty"`
	EventCodes    []Pair               `json:"eventCodes,omitempty"`
	Effective     time.Time            `json:"effective,omitzero"`
	Onset         time.Time            `json:"onset,omitzero"`
	Expires       time.Time            `json:"expires,omitzero"`
	SenderName    string               `json:"senderName,omitempty"`
	Headline      string               `json:"headline,omitempty"`
	Description   string               `json:"description,omitempty"`
	Instruction   string               `json:"instruction,omitempty"`
	Web           string               `json:"web,omitempty"`
	Contact       string               `json:"contact,omitempty"`
	Parameters    []Pair               `json:"parameters,omitempty"`
	Areas         []Area               `json:"areas,omitzero"`
}

// Pair is a CAP valueName and value.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Area is a place. Codes of provinces stand for all their communes; shapes
// stand for the communes that they cover. Points are [latitude, longitude] in
// degrees of WGS 84, a radius is in kilometres.
type Area struct {
	Desc     string         `json:"desc,omitempty"` // empty: the names of the codes
	Codes    []area.Code    `json:"codes,omitempty"`
	Polygons [][][2]float64 `json:"polygons,omitempty"`
	Circles  []Circle       `json:"circles,omitempty"`
	Geocodes []Pair         `json:"geocodes,omitempty"` // of other registers
}

// Circle is the circle of an Area.
type Circle struct {
	Center [2]float64 `json:"center"`
	Radius float64    `json:"radius"`
}

// Brushed lists what a shape touches but does not take: a person adds the code
// if it is meant.
type Brushed struct {
	Field    string      `json:"field"`
	Slivers  []Sliver    `json:"slivers,omitempty"`
	Unmapped []area.Code `json:"unmapped,omitempty"` // without a boundary, centre inside the shape
}

// Sliver is a commune of which a shape covers less than one part in a hundred.
type Sliver struct {
	Code  area.Code `json:"code"`
	Name  string    `json:"name"`
	Share float64   `json:"share"`
}

// input turns a draft into the desk's, with every area as whole communes.
func (s *server) input(d *Draft, key string) (desk.DraftInput, []Brushed, error) {
	in := desk.DraftInput{Status: d.Status, Kinds: d.Kinds, Source: d.Source, Note: d.Note, Incidents: d.Incidents, Key: key}
	var brushed []Brushed
	for i := range d.Infos {
		info := d.Infos[i].plain()
		for j := range d.Infos[i].Areas {
			field := fmt.Sprintf("infos[%d].areas[%d]", i, j)
			a, b, err := s.area(field, &d.Infos[i].Areas[j], info.Lang())
			if err != nil {
				return in, nil, err
			}
			info.Areas = append(info.Areas, a)
			if b != nil {
				brushed = append(brushed, *b)
			}
		}
		if d.Infos[i].Areas != nil && len(d.Infos[i].Areas) == 0 {
			return in, nil, invalid(fmt.Sprintf("infos[%d].areas", i), "an empty list is refused, it never means everywhere (B05)")
		}
		in.Infos = append(in.Infos, info)
	}
	return in, brushed, nil
}

// words turns the infos of a correction or of a stop's notice into the desk's.
func words(infos []Info) ([]alert.Info, error) {
	var out []alert.Info
	for i := range infos {
		if infos[i].Areas != nil {
			return nil, invalid(fmt.Sprintf("infos[%d].areas", i), "give none: it goes to exactly those who may have got the alert")
		}
		out = append(out, infos[i].plain())
	}
	return out, nil
}

// plain is the info without its areas.
func (in *Info) plain() alert.Info {
	return alert.Info{
		Language: in.Language, Template: in.Template, Slots: in.Slots, Categories: in.Categories, Event: in.Event,
		ResponseTypes: in.ResponseTypes, Urgency: in.Urgency, Severity: in.Severity, Certainty: in.Certainty,
		Audience: in.Audience, EventCodes: named(in.EventCodes), Effective: in.Effective, Onset: in.Onset, Expires: in.Expires,
		SenderName: in.SenderName, Headline: in.Headline, Description: in.Description, Instruction: in.Instruction,
		Web: in.Web, Contact: in.Contact, Parameters: named(in.Parameters),
	}
}

func named(ps []Pair) []alert.NamedValue {
	var out []alert.NamedValue
	for _, p := range ps {
		out = append(out, alert.NamedValue(p))
	}
	return out
}

// area resolves one area into whole communes. Empty means empty: what names no
// commune is refused, never widened.
func (s *server) area(field string, in *Area, lang string) (alert.Area, *Brushed, error) {
	out := alert.Area{Desc: in.Desc}
	codes := slices.Clone(in.Codes)
	for _, g := range in.Geocodes {
		if g.Name == area.ValueName {
			codes = append(codes, area.Code(g.Value))
		} else {
			out.Geocodes = append(out.Geocodes, alert.NamedValue(g))
		}
	}
	if in.Codes != nil && len(in.Codes) == 0 {
		return out, nil, invalid(field+".codes", "an empty list is refused, it never means everywhere (B05)")
	}
	var communes []area.Code
	if len(codes) > 0 {
		expanded, err := s.Areas.Expand(codes)
		if err != nil {
			return out, nil, refusedCodes(field+".codes", err)
		}
		communes = expanded
	}
	brushed, err := s.shapes(field, in, &out, &communes)
	if err != nil {
		return out, nil, err
	}
	slices.Sort(communes)
	communes = slices.Compact(communes)
	if out.Desc == "" && len(communes) > 0 {
		out.Desc = s.names(communes, lang)
	}
	for _, c := range communes {
		out.Geocodes = append(out.Geocodes, alert.NamedValue{Name: area.ValueName, Value: string(c)})
	}
	return out, brushed, nil
}

// shapes adds the communes that the area's polygons and circles cover.
func (s *server) shapes(field string, in *Area, out *alert.Area, communes *[]area.Code) (*Brushed, error) {
	var shapes []area.Shape
	for i, ring := range in.Polygons {
		var outline []area.Point
		var points []alert.Point
		for _, p := range ring {
			outline = append(outline, area.Point{Lat: p[0], Lon: p[1]})
			points = append(points, alert.Point{Lat: p[0], Lon: p[1]})
		}
		shape, err := area.NewPolygon(outline)
		if err != nil {
			return nil, invalid(fmt.Sprintf("%s.polygons[%d]", field, i), err.Error())
		}
		shapes, out.Polygons = append(shapes, shape), append(out.Polygons, points)
	}
	for i, c := range in.Circles {
		shape, err := area.NewCircle(area.Point{Lat: c.Center[0], Lon: c.Center[1]}, c.Radius)
		if err != nil {
			return nil, invalid(fmt.Sprintf("%s.circles[%d]", field, i), err.Error())
		}
		shapes = append(shapes, shape)
		out.Circles = append(out.Circles, alert.Circle{Center: alert.Point{Lat: c.Center[0], Lon: c.Center[1]}, Radius: c.Radius})
	}
	if len(shapes) == 0 {
		return nil, nil //nolint:nilnil // no shape, nothing brushed
	}
	r, err := s.Shapes.Resolve(shapes...)
	if err != nil {
		p := problemOf(err)
		return nil, &bodyError{status: p.Status, kind: p.Type, detail: p.Detail, fields: []fieldFault{{field, p.Detail}}}
	}
	taken := r.Codes()
	*communes = append(*communes, taken...)
	b := &Brushed{Field: field}
	for _, t := range r.Slivers {
		if !slices.Contains(*communes, t.Code) {
			b.Slivers = append(b.Slivers, Sliver{t.Code, s.name(t.Code, "vi"), t.Share})
		}
	}
	for _, c := range r.Unmapped {
		if !slices.Contains(*communes, c) {
			b.Unmapped = append(b.Unmapped, c)
		}
	}
	switch {
	case len(*communes) == 0:
		return nil, invalid(field, fmt.Sprintf("the shapes cover no commune by a hundredth or more; add the codes that are meant: %v", touched(b)))
	case len(b.Slivers)+len(b.Unmapped) == 0:
		return nil, nil //nolint:nilnil // nothing brushed
	}
	return b, nil
}

func touched(b *Brushed) []area.Code {
	codes := slices.Clone(b.Unmapped)
	for _, t := range b.Slivers {
		codes = append(codes, t.Code)
	}
	return codes
}

// refusedCodes names the codes that are not in force, with their successors.
func refusedCodes(field string, err error) error {
	e := &bodyError{status: 422, kind: "area", detail: "codes that are not in force are refused"}
	all := []error{err}
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		all = joined.Unwrap()
	}
	for _, one := range all {
		e.fields = append(e.fields, fieldFault{field, plain(one) + " (B06)"})
	}
	return e
}

// manyNames is from how many names on a list of them says nothing any more.
const manyNames = 8

// names describes communes as people name them: whole provinces, then what is
// left, as far as a list says anything.
func (s *server) names(communes []area.Code, lang string) string {
	shares, rest := s.Areas.Gather(communes)
	var all []string
	for _, h := range shares {
		name := s.name(h.Province.Code, lang)
		switch {
		case h.Part == h.Whole:
		case lang == "vi":
			name = fmt.Sprintf("%d/%d xã, phường của %s", h.Part, h.Whole, name)
			if h.Special {
				name = strings.Replace(name, "phường", "phường, đặc khu", 1)
			}
		default:
			name = fmt.Sprintf("%d of %d communes of %s", h.Part, h.Whole, name)
		}
		all = append(all, name)
	}
	for _, c := range rest {
		all = append(all, s.name(c, lang))
	}
	text := strings.Join(all[:min(len(all), manyNames)], ", ")
	switch more := len(all) - manyNames; {
	case more <= 0:
		return text
	case lang == "vi":
		return fmt.Sprintf("%s và %d nơi khác", text, more)
	default:
		return fmt.Sprintf("%s and %d more", text, more)
	}
}

func (s *server) name(c area.Code, lang string) string {
	u, ok := s.Areas.Unit(c)
	switch {
	case !ok:
		return string(c)
	case lang == "vi" || u.NameEN == "":
		return u.FullName
	default:
		return u.NameEN
	}
}

// targets names every commune that a submission is signed for.
func (s *server) targets(c *desk.Case) []Target {
	all := make([]Target, len(c.Submission.Communes))
	for i, code := range c.Submission.Communes {
		all[i] = Target{Code: code, Name: s.name(code, "vi")}
	}
	return all
}
