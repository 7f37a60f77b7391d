package cap

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"loa/gateway/alert"
)

// Write writes the revision as CAP 1.2, valid against the schema: elements in
// its order, times with a numeric offset and no fraction, UTC as -00:00, blocks
// in Vietnamese first. Embedded content is never written. A revision that does
// not conform is refused with alert.FieldErrors and nothing is written. Loa's
// own messages that meet its profile carry the profile's code; one that claims
// it wrongly is refused.
//
// Alert, Number, Code, Template and Slots are Loa's own and not written.
func Write(w io.Writer, r *alert.Revision) error {
	if err := r.Conforms(); err != nil {
		return fmt.Errorf("cap: not written: %w", err)
	}
	codes := r.Codes
	switch err := MeetsProfile(r); {
	case slices.Contains(codes, Profile):
		if err != nil {
			return fmt.Errorf("cap: not written: code %s: %w", Profile, err)
		}
	case err == nil && r.Alert != "":
		codes = append(slices.Clone(codes), Profile)
	}
	x := &writer{to: bufio.NewWriter(w)}
	x.raw(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	x.alert(r, codes)
	if err := x.to.Flush(); err != nil {
		return fmt.Errorf("cap: write: %w", err)
	}
	return nil
}

// writer writes elements; the buffer keeps the first error for Flush.
type writer struct {
	to     *bufio.Writer
	indent int
}

func (x *writer) raw(s string) { _, _ = x.to.WriteString(s) }

func (x *writer) tabs() { x.raw(strings.Repeat("  ", x.indent)) }

// within writes an element that holds elements.
func (x *writer) within(name string, inside func()) {
	x.tabs()
	x.raw("<" + name + ">\n")
	x.indent++
	inside()
	x.indent--
	x.tabs()
	x.raw("</" + name[:len(name)-len(attributes(name))] + ">\n")
}

// attributes is what follows the name in "name attr=…", with its blank.
func attributes(name string) string {
	if at := strings.IndexByte(name, ' '); at >= 0 {
		return name[at:]
	}
	return ""
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")

var attributeEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#xD;", "\n", "&#xA;", "\t", "&#x9;")

// must writes an element of text; text leaves out an empty one.
func (x *writer) must(name, value string) {
	x.tabs()
	x.raw("<" + name + ">" + escaper.Replace(value) + "</" + name + ">\n")
}

func (x *writer) text(name, value string) {
	if value != "" {
		x.must(name, value)
	}
}

func (x *writer) time(name string, t time.Time) {
	if !t.IsZero() {
		x.must(name, FormatTime(t))
	}
}

func (x *writer) pairs(name string, list []alert.NamedValue) {
	for _, v := range list {
		x.within(name, func() {
			x.must("valueName", v.Name)
			x.must("value", v.Value)
		})
	}
}

// FormatTime writes a time as CAP does: seconds, the numeric offset of t, and
// -00:00 for UTC.
func FormatTime(t time.Time) string {
	_, offset := t.Zone()
	if offset%60 != 0 || offset > farthest || offset < -farthest {
		t, offset = t.UTC(), 0
	}
	if offset == 0 {
		return t.Format("2006-01-02T15:04:05") + "-00:00"
	}
	return t.Format("2006-01-02T15:04:05-07:00")
}

func (x *writer) alert(r *alert.Revision, codes []string) {
	x.within(`alert xmlns="`+Namespace+`"`, func() {
		x.must("identifier", r.Identifier)
		x.must("sender", r.Sender)
		x.time("sent", r.Sent)
		x.must("status", string(r.Status))
		x.must("msgType", string(r.MsgType))
		x.text("source", r.Source)
		x.must("scope", string(r.Scope))
		x.text("restriction", r.Restriction)
		x.text("addresses", quoted(r.Addresses))
		for _, code := range codes {
			x.must("code", code)
		}
		x.text("note", r.Note)
		refs := make([]string, len(r.References))
		for i, ref := range r.References {
			refs[i] = ref.Sender + "," + ref.Identifier + "," + FormatTime(ref.Sent)
		}
		x.text("references", strings.Join(refs, " "))
		x.text("incidents", quoted(r.Incidents))
		for _, vietnamese := range []bool{true, false} {
			for i := range r.Infos {
				if (r.Infos[i].Lang() == "vi") == vietnamese {
					x.info(&r.Infos[i])
				}
			}
		}
	})
}

func quoted(items []string) string {
	out := make([]string, len(items))
	for i, s := range items {
		out[i] = s
		if strings.ContainsAny(s, " ") {
			out[i] = `"` + s + `"`
		}
	}
	return strings.Join(out, " ")
}

func (x *writer) info(in *alert.Info) {
	x.within("info", func() {
		x.text("language", in.Language)
		for _, c := range in.Categories {
			x.must("category", string(c))
		}
		x.must("event", in.Event)
		for _, t := range in.ResponseTypes {
			x.must("responseType", string(t))
		}
		x.must("urgency", string(in.Urgency))
		x.must("severity", string(in.Severity))
		x.must("certainty", string(in.Certainty))
		x.text("audience", in.Audience)
		x.pairs("eventCode", in.EventCodes)
		x.time("effective", in.Effective)
		x.time("onset", in.Onset)
		x.time("expires", in.Expires)
		x.text("senderName", in.SenderName)
		x.text("headline", in.Headline)
		x.text("description", in.Description)
		x.text("instruction", in.Instruction)
		x.text("web", in.Web)
		x.text("contact", in.Contact)
		x.pairs("parameter", in.Parameters)
		for i := range in.Resources {
			x.resource(&in.Resources[i])
		}
		for i := range in.Areas {
			x.area(&in.Areas[i])
		}
	})
}

func (x *writer) resource(res *alert.Resource) {
	x.within("resource", func() {
		x.must("resourceDesc", res.Desc)
		x.must("mimeType", res.MIMEType)
		if res.Size > 0 {
			x.must("size", strconv.FormatInt(res.Size, 10))
		}
		x.text("uri", res.URI)
		x.text("digest", res.Digest)
	})
}

func (x *writer) area(a *alert.Area) {
	x.within("area", func() {
		x.must("areaDesc", a.Desc)
		for _, ring := range a.Polygons {
			points := make([]string, len(ring))
			for i, p := range ring {
				points[i] = latLon(p)
			}
			x.must("polygon", strings.Join(points, " "))
		}
		for _, c := range a.Circles {
			x.must("circle", latLon(c.Center)+" "+plainNumber(c.Radius))
		}
		x.pairs("geocode", a.Geocodes)
		if a.Altitude != nil {
			x.must("altitude", height(*a.Altitude))
		}
		if a.Ceiling != nil {
			x.must("ceiling", height(*a.Ceiling))
		}
	})
}

func latLon(p alert.Point) string { return plainNumber(p.Lat) + "," + plainNumber(p.Lon) }

// plainNumber is the shortest decimal that reads back as f, without exponent.
func plainNumber(f float64) string { return strconv.FormatFloat(f+0, 'f', -1, 64) }

// height is a number of feet to the millionth: XML Schema's decimals are short.
func height(f float64) string { return plainNumber(math.Round(f*1e6) / 1e6) }
