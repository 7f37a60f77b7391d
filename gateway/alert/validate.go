package alert

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"loa/gateway/area"
)

// Names that Loa's profile of CAP gives to its event code and parameter.
const (
	HazardName    = "VN-hazard"     // eventCode: a hazard of Loa's catalogue, "storm"
	RiskLevelName = "VN-risk-level" // parameter: 1–5 as the weather service gave it (Decision 18/2021/QĐ-TTg)
)

// Bounds of what Loa issues.
const (
	MaxHeadline = 160             // characters (CAP 1.2, headline)
	MinLife     = 5 * time.Minute // from sent to the first expiry
	MaxLife     = 24 * time.Hour  // from sent to the last expiry; a longer danger is renewed by updates
)

// Validate reports everything that forbids Loa to issue the revision, as
// FieldErrors in one error: what Conforms reports, and Loa's own rules.
func (r *Revision) Validate() error {
	var f faults
	if err := r.Conforms(); err != nil {
		f.all = append(f.all, err)
	}
	if r.Alert == "" || !Name(string(r.Alert)) {
		f.add("alert", "C04", "something without white space, comma, < and &")
	}
	if r.Number < 1 {
		f.add("number", "C14", "revisions count from 1")
	}
	if len(r.Code) != 4 || strings.Trim(r.Code, codeLetters) != "" {
		f.add("code", "W04", "four characters of A–Z and 2–9 without I and O")
	}
	if r.MsgType == MsgAck || r.MsgType == MsgError {
		f.add("msgType", "C09", "people are not sent an Ack or an Error")
	}
	r.validateTargets(&f)
	for i := range r.Infos {
		r.validateInfo(&f, at("infos", i), &r.Infos[i])
	}
	r.validateSameness(&f)
	r.validateOneRisk(&f)
	return f.err()
}

func (r *Revision) validateTargets(f *faults) {
	codes := r.Targets()
	if len(codes) == 0 {
		f.add("infos", "A17", "at least one commune; none never means everywhere")
	}
	said := r.severities()
	for _, code := range codes {
		if len(code) != 5 || strings.Trim(string(code), "0123456789") != "" {
			f.add("infos", "C64", "communes have codes of five digits, not "+strconv.Quote(string(code)))
			continue
		}
		first, ok := said[code]["vi"]
		if !ok {
			f.add("infos", "C42", "commune "+string(code)+" has no text in Vietnamese")
		}
		for _, severity := range said[code] {
			if ok && severity != first {
				f.add("infos", "A33", "languages differ in the severity for commune "+string(code))
			}
		}
	}
}

// severities is the gravest severity for each commune in each language.
func (r *Revision) severities() map[area.Code]map[string]Severity {
	said := map[area.Code]map[string]Severity{}
	for i := range r.Infos {
		in := &r.Infos[i]
		for _, code := range targets(r.Infos[i : i+1]) {
			if said[code] == nil {
				said[code] = map[string]Severity{}
			}
			if in.Severity.Rank() >= said[code][in.Lang()].Rank() {
				said[code][in.Lang()] = in.Severity
			}
		}
	}
	return said
}

func (r *Revision) validateInfo(f *faults, field string, in *Info) {
	switch {
	case in.Expires.IsZero():
		f.add(field+".expires", "C50", "an end is needed")
	case in.Expires.Before(r.Sent.Add(MinLife)):
		f.add(field+".expires", "B25", "at least 5 minutes after sent")
	case in.Expires.After(r.Sent.Add(MaxLife)):
		f.add(field+".expires", "B25", "at most 24 hours after sent")
	}
	filled(f, field+".headline", "C52", in.Headline)
	filled(f, field+".description", "C52", in.Description)
	filled(f, field+".senderName", "C52", in.SenderName)
	if utf8.RuneCountInString(in.Headline) > MaxHeadline {
		f.add(field+".headline", "C51", "at most 160 characters")
	}
	if strings.TrimSpace(in.Headline) != "" && in.Headline == in.Description {
		f.add(field+".description", "C52", "says more than the headline")
	}
	r.validateProse(f, field, in)
	validateRisk(f, field, in)
	for i := range in.Areas {
		if a := &in.Areas[i]; len(a.Geocodes)+len(a.Polygons)+len(a.Circles) == 0 {
			f.add(at(field+".areas", i), "A18", "a name alone covers nobody: communes, a polygon or a circle")
		}
	}
}

func (r *Revision) validateProse(f *faults, field string, in *Info) {
	read := func(name, value string) {
		if Unseen(value) {
			f.add(field+"."+name, "B12", "no hidden, zero-width or direction-changing characters")
		}
		if r.Scope == Public && name != "contact" && HasLink(value) {
			f.add(field+"."+name, "W09", "a public warning has no link")
		}
	}
	for _, t := range in.prose() {
		read(t.Name, t.Value)
	}
	for i := range in.Areas {
		read(at("areas", i)+".desc", in.Areas[i].Desc)
	}
	for _, name := range sortedKeys(in.Slots) {
		read("slots."+name, in.Slots[name])
		plain(f, field+".slots."+name, in.Slots[name])
	}
	if shortener.MatchString(in.Web) {
		f.add(field+".web", "W09", "no link shortener")
	}
}

// validateSameness asks that every block is about the same danger.
func (r *Revision) validateSameness(f *faults) {
	for i := 1; i < len(r.Infos); i++ {
		first, in := &r.Infos[0], &r.Infos[i]
		if !SameSet(first.Categories, in.Categories) {
			f.add(at("infos", i)+".categories", "C54", "the same in every block")
		}
		if !SameSet(first.EventCodes, in.EventCodes) {
			f.add(at("infos", i)+".eventCodes", "C54", "the same in every block")
		}
	}
}

// SameSet reports whether two lists have the same members, in whatever order.
func SameSet[T comparable](a, b []T) bool {
	inside := func(x, y []T) bool {
		return !slices.ContainsFunc(x, func(v T) bool { return !slices.Contains(y, v) })
	}
	return inside(a, b) && inside(b, a)
}
