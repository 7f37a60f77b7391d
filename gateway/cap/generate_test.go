package cap

import (
	"math"
	"strings"
	"time"

	"pgregory.net/rapid"

	"loa/gateway/alert"
)

// revisions draws a message that conforms to CAP 1.2.
func revisions(t *rapid.T) *alert.Revision {
	r := &alert.Revision{
		Identifier: names.Draw(t, "identifier"),
		Sender:     names.Draw(t, "sender"),
		Sent:       times(t, "sent"),
		Status:     rapid.SampledFrom(alert.Statuses).Draw(t, "status"),
		MsgType:    rapid.SampledFrom(alert.MsgTypes).Draw(t, "msgType"),
		Scope:      rapid.SampledFrom(alert.Scopes).Draw(t, "scope"),
		Source:     perhaps(t, "source"),
		Note:       perhaps(t, "note"),
		Codes:      rapid.SliceOfN(filled, 0, 2).Draw(t, "codes"),
		Incidents:  rapid.SliceOfN(items, 0, 2).Draw(t, "incidents"),
		Addresses:  rapid.SliceOfN(items, 1, 3).Draw(t, "addresses"),
	}
	if r.Scope == alert.Restricted {
		r.Restriction = filled.Draw(t, "restriction")
	}
	least := 0
	if r.MsgType != alert.MsgAlert {
		least = 1
	}
	for i := range rapid.IntRange(least, 3).Draw(t, "references") {
		r.References = append(r.References, alert.Reference{
			Sender: r.Sender, Identifier: r.Identifier + "x", Sent: r.Sent.Add(-time.Duration(i) * time.Hour),
		})
	}
	least = 0
	if r.MsgType == alert.MsgAlert || r.MsgType == alert.MsgUpdate {
		least = 1
	}
	for range rapid.IntRange(least, 3).Draw(t, "infos") {
		r.Infos = append(r.Infos, infos(t, r))
	}
	return r
}

var (
	names = rapid.StringMatching(`[A-Za-z0-9@.:/_ăêđôơưễ-]{1,20}`)
	items = rapid.StringMatching(`[A-Za-z0-9ăêđôơư'&<>]{1,6}( [a-ză]{1,4}){0,2}`).Filter(func(s string) bool { return !alert.HasMarkup(s) })
	// Texts with all that XML must escape and Vietnamese needs.
	filled = rapid.Custom(func(t *rapid.T) string {
		runes := rapid.SampledFrom([]rune("aZ09 \n\tăâđêôơưẫỗễ&<>\"'%;#]-水\u0301😀\r"))
		return strings.Trim(string(rapid.SliceOfN(runes, 1, 40).Draw(t, "runes")), " \n\t\r") + "."
	}).Filter(func(s string) bool { return !alert.HasMarkup(s) })
)

func perhaps(t *rapid.T, name string) string {
	if rapid.Bool().Draw(t, name+"?") {
		return filled.Draw(t, name)
	}
	return ""
}

func times(t *rapid.T, name string) time.Time {
	zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, name+" offset"))
	return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, name), 0).In(zone)
}

func pairsOf(t *rapid.T, name string) []alert.NamedValue {
	var list []alert.NamedValue
	for range rapid.IntRange(0, 2).Draw(t, name) {
		list = append(list, alert.NamedValue{Name: filled.Draw(t, "name"), Value: filled.Draw(t, "value")})
	}
	return list
}

func infos(t *rapid.T, r *alert.Revision) alert.Info {
	in := alert.Info{
		Language:      rapid.SampledFrom([]string{"", "vi-VN", "en-US", "vi", "hmn"}).Draw(t, "language"),
		Categories:    rapid.SliceOfN(rapid.SampledFrom(alert.Categories), 1, 3).Draw(t, "categories"),
		Event:         filled.Draw(t, "event"),
		ResponseTypes: rapid.SliceOfN(rapid.SampledFrom(alert.ResponseTypes), 0, 3).Draw(t, "responseTypes"),
		Urgency:       rapid.SampledFrom(alert.Urgencies).Draw(t, "urgency"),
		Severity:      rapid.SampledFrom(alert.Severities).Draw(t, "severity"),
		Certainty:     rapid.SampledFrom(alert.Certainties).Draw(t, "certainty"),
		Audience:      perhaps(t, "audience"),
		EventCodes:    pairsOf(t, "eventCodes"),
		SenderName:    perhaps(t, "senderName"),
		Headline:      perhaps(t, "headline"),
		Description:   perhaps(t, "description"),
		Instruction:   perhaps(t, "instruction"),
		Web:           rapid.SampledFrom([]string{"", "https://quangninh.example/a?b=1&c=2"}).Draw(t, "web"),
		Contact:       perhaps(t, "contact"),
		Parameters:    pairsOf(t, "parameters"),
	}
	if rapid.Bool().Draw(t, "times?") {
		in.Expires = r.Sent.Add(time.Duration(rapid.IntRange(3, 1e6).Draw(t, "expires")) * time.Second)
		in.Onset = r.Sent.Add(2 * time.Second).UTC()
		if r.MsgType != alert.MsgCancel {
			in.Effective = r.Sent.Add(time.Second)
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "resources") {
		in.Resources = append(in.Resources, alert.Resource{
			Desc: filled.Draw(t, "desc"), MIMEType: "image/png", Size: rapid.Int64Range(0, math.MaxInt64).Draw(t, "size"),
			URI: "https://quangninh.example/b", Digest: perhaps(t, "digest"),
		})
	}
	for range rapid.IntRange(1, 3).Draw(t, "areas") {
		in.Areas = append(in.Areas, areas(t))
	}
	return in
}

func areas(t *rapid.T) alert.Area {
	a := alert.Area{
		Desc:     filled.Draw(t, "areaDesc"),
		Geocodes: append(pairsOf(t, "geocodes"), alert.NamedValue{Name: "VN-NSO-2025", Value: "07192"}),
	}
	lat, lon := rapid.Float64Range(-80, 80), rapid.Float64Range(-170, 170)
	for range rapid.IntRange(0, 2).Draw(t, "polygons") {
		y, x := lat.Draw(t, "lat"), lon.Draw(t, "lon")
		h := rapid.Float64Range(0.01, 5).Draw(t, "size")
		a.Polygons = append(a.Polygons, []alert.Point{{Lat: y, Lon: x}, {Lat: y, Lon: x + h}, {Lat: y + h, Lon: x + h}, {Lat: y, Lon: x}})
	}
	for range rapid.IntRange(0, 2).Draw(t, "circles") {
		a.Circles = append(a.Circles, alert.Circle{
			Center: alert.Point{Lat: lat.Draw(t, "lat"), Lon: lon.Draw(t, "lon")},
			Radius: rapid.Float64Range(0.001, alert.MaxRadius).Draw(t, "radius"),
		})
	}
	if rapid.Bool().Draw(t, "height?") {
		bottom := rapid.IntRange(-1e6, 1e6).Draw(t, "altitude")
		low := float64(bottom) / 1000
		high := float64(bottom+rapid.IntRange(0, 1e8).Draw(t, "thickness")) / 1000
		a.Altitude, a.Ceiling = &low, &high
	}
	return a
}
