package alert

import (
	"math"
	"slices"
	"strings"
)

// Conforms reports every rule of CAP 1.2 that the revision breaks, as
// FieldErrors in one error. What conforms can be written as CAP. What it does
// not say is whether Loa may issue it: see Validate.
func (r *Revision) Conforms() error {
	var f faults
	r.conformHead(&f)
	r.conformScope(&f)
	r.conformReferences(&f)
	if len(r.Infos) == 0 && (r.MsgType == MsgAlert || r.MsgType == MsgUpdate) {
		f.add("infos", "C40", "an alert or an update needs an info block")
	}
	for i := range r.Infos {
		r.conformInfo(&f, at("infos", i), &r.Infos[i])
	}
	return f.err()
}

func (r *Revision) conformHead(f *faults) {
	if !Name(r.Identifier) {
		f.add("identifier", "C04", "something without white space, comma, < and &")
	}
	if !Name(r.Sender) {
		f.add("sender", "C05", "something without white space, comma, < and &")
	}
	if r.Sent.IsZero() || r.Sent.Year() < 1 || r.Sent.Year() > 9999 {
		f.add("sent", "C06", "the time of sending is needed")
	}
	closed(f, "status", "C08", r.Status, Statuses)
	closed(f, "msgType", "C09", r.MsgType, MsgTypes)
	closed(f, "scope", "C10", r.Scope, Scopes)
	plain(f, "source", r.Source)
	plain(f, "note", r.Note)
	for i, s := range r.Codes {
		filled(f, at("codes", i), "C16", s)
	}
	quotable(f, "incidents", "C32", r.Incidents)
}

func (r *Revision) conformScope(f *faults) {
	plain(f, "restriction", r.Restriction)
	if (r.Scope == Restricted) != (strings.TrimSpace(r.Restriction) != "") {
		f.add("restriction", "C11", "a rule for scope Restricted, and for no other")
	}
	if r.Scope == Private && len(r.Addresses) == 0 {
		f.add("addresses", "C12", "scope Private needs addresses")
	}
	quotable(f, "addresses", "C12", r.Addresses)
}

func (r *Revision) conformReferences(f *faults) {
	if len(r.References) == 0 && r.MsgType != MsgAlert {
		f.add("references", "C21", "an Update, Cancel, Ack or Error names the messages that it is about")
	}
	for i, ref := range r.References {
		field := at("references", i)
		if !Name(ref.Sender) || !Name(ref.Identifier) || ref.Sent.IsZero() {
			f.add(field, "C20", "sender, identifier and sent of a message")
		}
		if ref.Sender == r.Sender && ref.Identifier == r.Identifier {
			f.add(field, "C23", "a message cannot refer to itself")
		}
		if ref.Sent.After(r.Sent) {
			f.add(field, "C23", "a message cannot refer to a later one")
		}
	}
}

func (r *Revision) conformInfo(f *faults, field string, in *Info) {
	if in.Language != "" && !IsLanguage(in.Language) {
		f.add(field+".language", "C42", "a language tag such as vi-VN")
	}
	if len(in.Categories) == 0 {
		f.add(field+".categories", "C43", "at least one category")
	}
	for i, c := range in.Categories {
		closed(f, at(field+".categories", i), "C43", c, Categories)
	}
	filled(f, field+".event", "C44", in.Event)
	for i, t := range in.ResponseTypes {
		closed(f, at(field+".responseTypes", i), "C45", t, ResponseTypes)
	}
	closed(f, field+".urgency", "C46", in.Urgency, Urgencies)
	closed(f, field+".severity", "C46", in.Severity, Severities)
	closed(f, field+".certainty", "C46", in.Certainty, Certainties)
	pairs(f, field+".eventCodes", in.EventCodes)
	pairs(f, field+".parameters", in.Parameters)
	r.conformTimes(f, field, in)
	for _, t := range in.prose() {
		plain(f, field+"."+t.Name, t.Value)
	}
	if in.Web != "" && !AbsoluteURL(in.Web) {
		f.add(field+".web", "C53", "a whole web address, https://…")
	}
	for i := range in.Resources {
		conformResource(f, at(field+".resources", i), &in.Resources[i])
	}
	if len(in.Areas) == 0 && (r.MsgType == MsgAlert || r.MsgType == MsgUpdate) {
		f.add(field+".areas", "A17", "an area is needed; none never means everywhere")
	}
	for i := range in.Areas {
		conformArea(f, at(field+".areas", i), &in.Areas[i])
	}
}

// prose lists the texts that people read, by the name of their element.
func (in *Info) prose() []NamedValue {
	return []NamedValue{
		{"event", in.Event},
		{"audience", in.Audience},
		{"senderName", in.SenderName},
		{"headline", in.Headline},
		{"description", in.Description},
		{"instruction", in.Instruction},
		{"contact", in.Contact},
	}
}

func (r *Revision) conformTimes(f *faults, field string, in *Info) {
	if !in.Expires.IsZero() && !in.Expires.After(r.Sent) {
		f.add(field+".expires", "A24", "later than sent")
	}
	if !in.Effective.IsZero() && r.MsgType == MsgCancel {
		f.add(field+".effective", "C29", "not in a Cancel")
	}
	if !in.Expires.IsZero() && in.Effective.After(in.Expires) {
		f.add(field+".effective", "C49", "not later than expires")
	}
	if !in.Expires.IsZero() && in.Onset.After(in.Expires) {
		f.add(field+".onset", "C49", "not later than expires")
	}
	if !in.Onset.IsZero() && in.Effective.After(in.Onset) {
		f.add(field+".onset", "C49", "not earlier than effective")
	}
}

func conformResource(f *faults, field string, x *Resource) {
	filled(f, field+".desc", "C70", x.Desc)
	filled(f, field+".mimeType", "C70", x.MIMEType)
	if x.Size < 0 {
		f.add(field+".size", "C71", "a number of bytes")
	}
	if x.URI != "" && !AbsoluteURL(x.URI) {
		f.add(field+".uri", "C71", "a whole web address: what a relative one would name is never sent")
	}
	plain(f, field+".digest", x.Digest)
}

func conformArea(f *faults, field string, a *Area) {
	filled(f, field+".desc", "C60", a.Desc)
	for i, ring := range a.Polygons {
		if err := CheckRing(ring); err != nil {
			f.add(at(field+".polygons", i), ringRule(err), err.Error())
		}
	}
	for i, c := range a.Circles {
		if err := c.Check(); err != nil {
			f.add(at(field+".circles", i), "C63", err.Error())
		}
	}
	pairs(f, field+".geocodes", a.Geocodes)
	if a.Ceiling != nil && (a.Altitude == nil || *a.Ceiling < *a.Altitude) {
		f.add(field+".ceiling", "C65", "only with an altitude and not below it")
	}
	for _, h := range []*float64{a.Altitude, a.Ceiling} {
		if h != nil && (math.IsNaN(*h) || math.Abs(*h) > MaxHeight) {
			f.add(field+".altitude", "C65", "at most a million feet up or down")
		}
	}
}

func closed[T ~string](f *faults, field, rule string, value T, list []T) {
	if !slices.Contains(list, value) {
		words := make([]string, len(list))
		for i := range list {
			words[i] = string(list[i])
		}
		f.add(field, rule, "one of "+strings.Join(words, ", "))
	}
}

func plain(f *faults, field, value string) {
	if !lawfulXML(value) {
		f.add(field, "C58", "text that XML can carry")
	}
	if HasMarkup(value) {
		f.add(field, "C58", "plain text without HTML")
	}
}

func filled(f *faults, field, rule, value string) {
	if strings.TrimSpace(value) == "" {
		f.add(field, rule, "must not be empty")
	}
	if !lawfulXML(value) {
		f.add(field, "C58", "text that XML can carry")
	}
}

func quotable(f *faults, field, rule string, items []string) {
	for i, s := range items {
		if s == "" || strings.Join(strings.Fields(s), " ") != s || strings.Contains(s, `"`) || !lawfulXML(s) {
			f.add(at(field, i), rule, "words with single blanks between them, without quotation marks")
		}
	}
}

func pairs(f *faults, field string, list []NamedValue) {
	for i, v := range list {
		filled(f, at(field, i)+".name", "C56", v.Name)
		filled(f, at(field, i)+".value", "C56", v.Value)
	}
}
