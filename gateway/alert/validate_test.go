package alert

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lawful is a revision that may be issued to the public, in two languages.
func lawful() *Revision {
	r := full()
	r.Scope, r.Restriction, r.Addresses = Public, "", nil
	english := r.Infos[0]
	english.Language, english.Event, english.Headline = "en-US", "Storm no. 3", "Emergency storm bulletin"
	english.Description = "Storm no. 3 enters the Gulf of Tonkin, wind force 14."
	r.Infos = append(r.Infos, english)
	return r
}

func TestLawfulRevisionIsIssued(t *testing.T) {
	t.Parallel()
	if err := lawful().Validate(); err != nil {
		t.Error(err)
	}
	if err := full().Validate(); err != nil {
		t.Errorf("restricted: %v", err)
	}
}

// Each row breaks one thing; the fault names its field and rule and no other.
func TestValidateNamesFieldAndRule(t *testing.T) {
	t.Parallel()
	first := func(change func(in *Info)) func(*Revision) {
		return func(r *Revision) { change(&r.Infos[0]) }
	}
	both := func(change func(in *Info)) func(*Revision) {
		return func(r *Revision) { change(&r.Infos[0]); change(&r.Infos[1]) }
	}
	place := func(change func(a *Area)) func(*Revision) {
		return first(func(in *Info) {
			in.Areas = slices.Clone(in.Areas)
			change(&in.Areas[0])
		})
	}
	tests := []struct {
		field, rule string
		change      func(*Revision)
	}{
		{"identifier", "C04", func(r *Revision) { r.Identifier = "a b" }},
		{"sender", "C05", func(r *Revision) { r.Sender = "" }},
		{"status", "C08", func(r *Revision) { r.Status = "actual" }},
		{"msgType", "C09", func(r *Revision) { r.MsgType = "Notice" }},
		{"msgType", "C09", func(r *Revision) { r.MsgType = MsgAck }},
		{"scope", "C10", func(r *Revision) { r.Scope = "" }},
		{"restriction", "C11", func(r *Revision) { r.Scope = Restricted }},
		{"restriction", "C11", func(r *Revision) { r.Restriction = "cán bộ" }},
		{"addresses", "C12", func(r *Revision) { r.Scope = Private }},
		{"addresses[0]", "C12", func(r *Revision) { r.Addresses = []string{`a "b"`} }},
		{"codes[0]", "C16", func(r *Revision) { r.Codes = []string{" "} }},
		{"note", "C58", func(r *Revision) { r.Note = "a\x00b" }},
		{"references", "C21", func(r *Revision) { r.References = nil }},
		{"references[0]", "C20", func(r *Revision) { r.References[0].Sender = "a b" }},
		{"references[0]", "C23", func(r *Revision) { r.References[0] = r.Reference() }},
		{"references[0]", "C23", func(r *Revision) { r.References[0].Sent = r.Sent.Add(time.Second) }},
		{"incidents[0]", "C32", func(r *Revision) { r.Incidents[0] = `bão "số" 3` }},
		{"alert", "C04", func(r *Revision) { r.Alert = "" }},
		{"number", "C14", func(r *Revision) { r.Number = 0 }},
		{"code", "W04", func(r *Revision) { r.Code = "K1O2" }},
		{"infos[0].language", "C42", first(func(in *Info) { in.Language = "vi_VN!" })},
		{"infos[0].event", "C44", first(func(in *Info) { in.Event = "\n" })},
		{"infos[0].responseTypes[0]", "C45", first(func(in *Info) { in.ResponseTypes = []ResponseType{"Run"} })},
		{"infos[0].urgency", "C46", first(func(in *Info) { in.Urgency = "" })},
		{"infos[0].certainty", "C46", first(func(in *Info) { in.Certainty = "Very Likely" })},
		{"infos[0].severity", "C46", both(func(in *Info) { in.Severity = "extreme" })},
		{"infos[0].expires", "A24", first(func(in *Info) {
			in.Effective, in.Onset = time.Time{}, time.Time{}
			in.Expires = in.Expires.AddDate(0, 0, -3)
		})},
		{"infos[0].expires", "C50", first(func(in *Info) { in.Expires = time.Time{} })},
		{"infos[0].expires", "B25", first(func(in *Info) { in.Expires, in.Onset = in.Effective.Add(30*time.Second), time.Time{} })},
		{"infos[0].expires", "B25", first(func(in *Info) { in.Expires = in.Expires.AddDate(5, 0, 0) })},
		{"infos[0].onset", "C49", first(func(in *Info) { in.Onset = in.Expires.Add(time.Hour) })},
		{"infos[0].onset", "C49", first(func(in *Info) { in.Onset = in.Effective.Add(-time.Hour) })},
		{"infos[0].effective", "C49", first(func(in *Info) { in.Effective = in.Expires.Add(time.Hour); in.Onset = time.Time{} })},
		{"infos[0].headline", "C52", first(func(in *Info) { in.Headline = "" })},
		{"infos[0].headline", "C51", first(func(in *Info) { in.Headline = strings.Repeat("ã", 161) })},
		{"infos[0].headline", "B12", first(func(in *Info) { in.Headline = "Tin \u202ebão" })},
		{"infos[0].headline", "W09", first(func(in *Info) { in.Headline = "Xem bit.ly/abc" })},
		{"infos[0].description", "C52", first(func(in *Info) { in.Description = in.Headline })},
		{"infos[0].description", "C58", first(func(in *Info) { in.Description = "<b>Bão</b>" })},
		{"infos[0].instruction", "W09", first(func(in *Info) { in.Instruction = "Vào cuutro-bao3.com" })},
		{"infos[0].instruction", "B12", first(func(in *Info) { in.Instruction = "Ở\u200btrong nhà" })},
		{"infos[0].senderName", "C52", first(func(in *Info) { in.SenderName = "" })},
		{"infos[0].slots.wind", "W09", first(func(in *Info) { in.Slots = map[string]string{"wind": "http://x"} })},
		{"infos[0].slots.wind", "B12", first(func(in *Info) { in.Slots = map[string]string{"wind": "12\u200d14"} })},
		{"infos[0].web", "C53", first(func(in *Info) { in.Web = "quangninh.example" })},
		{"infos[0].web", "W09", first(func(in *Info) { in.Web = "https://bit.ly/abc" })},
		{"infos[0].parameters[0].value", "C56", first(func(in *Info) { in.Parameters = []NamedValue{{"x", ""}} })},
		{"infos[0].parameters[0]", "C57", first(func(in *Info) { in.Parameters = []NamedValue{{RiskLevelName, "2"}} })},
		{"infos[0].parameters[0]", "C57", first(func(in *Info) { in.Parameters = []NamedValue{{RiskLevelName, "6"}} })},
		{"infos[0].parameters[0]", "C57", first(func(in *Info) { in.Parameters = []NamedValue{{RiskLevelName, "cấp 4"}} })},
		{"infos[0].parameters", "C57", first(func(in *Info) { in.Parameters = []NamedValue{{RiskLevelName, "4"}, {RiskLevelName, "5"}} })},
		{"infos[0].resources[0].mimeType", "C70", first(func(in *Info) { in.Resources = []Resource{{Desc: "x"}} })},
		{"infos[0].resources[0].size", "C71", first(func(in *Info) { in.Resources = []Resource{{Desc: "x", MIMEType: "a/b", Size: -1}} })},
		{"infos[0].resources[0].uri", "C71", first(func(in *Info) { in.Resources = []Resource{{Desc: "x", MIMEType: "a/b", URI: "b.mp3"}} })},
		{"infos[1].categories", "C54", first(func(in *Info) { in.Categories = []Category{"Geo", "Met"} })},
		{"infos[1].eventCodes", "C54", first(func(in *Info) { in.EventCodes = []NamedValue{{HazardName, "flood"}} })},
		{"infos", "A33", first(func(in *Info) { in.Severity = Minor })},
		{"infos[1]", "A33", first(func(in *Info) { in.Parameters = []NamedValue{{RiskLevelName, "5"}} })},
		{"infos[1].template", "A33", first(func(in *Info) { in.Template = "storm.on_land" })},
		{"infos[0].severity", "C46", both(func(in *Info) { in.Severity = Minor })},
		{"infos[0].severity", "C46", both(func(in *Info) { in.Severity = UnknownSeverity })},
		{"infos[0].severity", "C46", both(func(in *Info) { in.Severity = Severe })},
		{"infos[0].parameters[0]", "C57", both(func(in *Info) { in.Slots = map[string]string{"level": "3"} })},
		{"infos[0].slots.level", "C57", both(func(in *Info) { in.Slots, in.Parameters = map[string]string{"level": "2"}, nil })},
		{"infos", "C42", first(func(in *Info) { in.Language = "tay" })},
		{"infos[0].areas[0].desc", "C60", place(func(a *Area) { a.Desc = "" })},
		{"infos[0].areas[0].polygons[0]", "C61", place(func(a *Area) { a.Polygons = [][]Point{{{0, 0}, {0, 1}, {1, 1}}} })},
		{"infos[0].areas[0].polygons[0]", "C62", place(func(a *Area) { a.Polygons = [][]Point{{{0, 0}, {1, 1}, {0, 1}, {1, 0}, {0, 0}}} })},
		{"infos[0].areas[0].polygons[0]", "C67", place(func(a *Area) { a.Polygons = [][]Point{{{107, 20}, {107, 21}, {108, 21}, {107, 20}}} })},
		{"infos[0].areas[0].circles[0]", "C63", place(func(a *Area) { a.Circles = []Circle{{Point{20, 107}, 0}} })},
		{"infos[0].areas[0].ceiling", "C65", place(func(a *Area) { a.Altitude = nil })},
		{"infos[0].areas[0].altitude", "C65", place(func(a *Area) { x := math.NaN(); a.Altitude, a.Ceiling = &x, nil })},
		{"infos[0].areas[1]", "A18", first(func(in *Info) { in.Areas = append(slices.Clone(in.Areas), Area{Desc: "cả nước"}) })},
		{"infos", "C64", func(r *Revision) {
			for i := range r.Infos {
				r.Infos[i].Areas = []Area{{Desc: "tỉnh", Geocodes: []NamedValue{{"VN-NSO-2025", "22"}}}}
			}
		}},
	}
	for _, tt := range tests {
		r := lawful()
		tt.change(r)
		var got []string
		for _, e := range FieldErrors(r.Validate()) {
			got = append(got, e.Field+" "+e.Rule)
		}
		if !slices.Contains(got, tt.field+" "+tt.rule) {
			t.Errorf("want %s %s, got %v", tt.field, tt.rule, got)
		}
		for _, g := range got {
			if rule := g[strings.LastIndex(g, " ")+1:]; rule != tt.rule && !slices.Contains([]string{"A24 B25", "C46 A33", "A33 C46"}, tt.rule+" "+rule) {
				t.Errorf("%s %s: also %s", tt.field, tt.rule, g)
			}
		}
	}
}

// A revision with no area is refused whatever else it says, and nothing turns
// its absence into everywhere.
func TestNoAreaIsNeverEverywhere(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*Revision){
		func(r *Revision) { r.Infos = nil },
		func(r *Revision) { r.Infos[0].Areas, r.Infos[1].Areas = nil, []Area{} },
		func(r *Revision) {
			for i := range r.Infos {
				r.Infos[i].Areas = []Area{{Desc: "cả nước"}}
			}
		},
		func(r *Revision) {
			for i := range r.Infos {
				r.Infos[i].Areas = []Area{{Desc: "Vịnh", Circles: []Circle{{Point{20, 107}, 30}}}}
			}
		},
	} {
		r := lawful()
		change(r)
		if got := rules(r.Validate()); !slices.Contains(got, "A17") {
			t.Errorf("rules %v, want A17 among them", got)
		}
		if got := r.Targets(); len(got) != 0 {
			t.Errorf("targets %v", got)
		}
	}
}

func TestFieldErrorsOfOthers(t *testing.T) {
	t.Parallel()
	one := &FieldError{Field: "sent", Rule: "C06", Text: "needed"}
	if got := FieldErrors(fmt.Errorf("desk: %w", one)); len(got) != 1 || got[0] != one {
		t.Errorf("wrapped: %v", got)
	}
	if got := FieldErrors(nil); got != nil {
		t.Errorf("nil: %v", got)
	}
	if diff := cmp.Diff("sent: needed (C06)", one.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestRiskLevelsOfTheDecision(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code, template, level string
		lawful                bool
	}{
		{"storm", "", "3", true},
		{"storm", "", "2", false},
		{"", "storm.emergency", "5", true},
		{"", "storm.emergency", "1", false},
		{"tropical_depression", "", "2", false},
		{"flood", "", "1", true},
		{"flood", "storm.emergency", "1", true},
		{"flood", "", "0", false},
		{"", "", "+4", false},
	}
	for _, tt := range tests {
		r := lawful()
		for i := range r.Infos {
			r.Infos[i].EventCodes, r.Infos[i].Template = nil, tt.template
			if tt.code != "" {
				r.Infos[i].EventCodes = []NamedValue{{HazardName, tt.code}}
			}
			r.Infos[i].Parameters = []NamedValue{{RiskLevelName, tt.level}}
			r.Infos[i].Severity = map[string]Severity{"1": Minor, "2": Moderate, "3": Severe, "4": Extreme, "5": Extreme}[tt.level]
			if r.Infos[i].Severity == "" {
				r.Infos[i].Severity = Minor
			}
		}
		if err := r.Validate(); (err == nil) != tt.lawful {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// rules lists the rules named in err.
func rules(err error) []string {
	var found []string
	for _, e := range FieldErrors(err) {
		found = append(found, e.Rule)
	}
	return found
}
