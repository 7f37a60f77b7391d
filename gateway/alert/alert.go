// Package alert is the warning itself: the vocabulary of CAP 1.2, revisions
// frozen by a content hash, and the lawful moves of an alert's life. It knows
// administrative areas and nothing else: no channel, no storage, no person.
package alert

import (
	"time"

	"loa/gateway/area"
)

// ID identifies an alert for ever. It has no white space, comma, '<' or '&'
// (CAP 1.2, identifier) and is the same in all revisions.
type ID string

// Revision is one text of an alert. Once submitted it is never changed: its
// Hash is what people sign. Number counts from 1.
type Revision struct {
	Alert       ID
	Number      int
	Code        string // four characters of A–Z, 2–9 without I and O; shown to people
	Identifier  string // CAP identifier of this revision, unique per sender for ever
	Sender      string // CAP sender
	Sent        time.Time
	Status      Status
	MsgType     MsgType
	Scope       Scope
	Source      string
	Restriction string
	Addresses   []string
	Codes       []string // CAP code: profile identifiers
	Note        string
	References  []Reference
	Incidents   []string
	Infos       []Info
}

// Reference names an earlier message (CAP 1.2, references).
type Reference struct {
	Sender, Identifier string
	Sent               time.Time
}

// Info is one block: one language and one risk level over some areas.
type Info struct {
	Language      string // BCP 47 as CAP writes it: "vi-VN", "en-US"
	Categories    []Category
	Event         string
	ResponseTypes []ResponseType
	Urgency       Urgency
	Severity      Severity
	Certainty     Certainty
	Audience      string
	EventCodes    []NamedValue
	Effective     time.Time
	Onset         time.Time
	Expires       time.Time
	SenderName    string
	Headline      string
	Description   string
	Instruction   string
	Web           string
	Contact       string
	Parameters    []NamedValue
	Resources     []Resource
	Areas         []Area

	// Template and Slots are how Loa's own texts are made: the catalogue
	// entry ("storm.emergency") and its slot values, machine-formatted (times
	// RFC 3339 with offset, numbers with a decimal point, ranges "12-14").
	// Both are empty in a message that came from elsewhere.
	Template string
	Slots    map[string]string
}

// NamedValue is a CAP valueName and value pair.
type NamedValue struct{ Name, Value string }

// Resource is a CAP resource block. DerefURI is never stored.
type Resource struct {
	Desc, MIMEType string
	Size           int64 // bytes, 0 if not given
	URI, Digest    string
}

// Area is a CAP area block. Polygon points and circle centres are WGS 84.
type Area struct {
	Desc     string
	Polygons [][]Point // each closed: first point = last point, at least 4
	Circles  []Circle
	Geocodes []NamedValue
	Altitude *float64 // feet above mean sea level
	Ceiling  *float64 // feet above mean sea level; only with Altitude
}

// Point is a WGS 84 position in degrees.
type Point struct{ Lat, Lon float64 }

// Circle is a CAP circle; Radius is in kilometres.
type Circle struct {
	Center Point
	Radius float64
}

// Targets lists the communes the revision is for: the VN-NSO-2025 geocodes of
// all infos, each once, sorted. An empty list means that the revision cannot
// be sent: it never means everywhere.
func (r *Revision) Targets() []area.Code { return targets(r.Infos) }

// Severity is the gravest severity of the infos.
func (r *Revision) Severity() Severity {
	var top Severity
	for i := range r.Infos {
		if s := r.Infos[i].Severity; s.Rank() > top.Rank() {
			top = s
		}
	}
	return top
}

// Expires is the latest expiry of the infos; zero if none is set.
func (r *Revision) Expires() time.Time {
	var last time.Time
	for i := range r.Infos {
		if e := r.Infos[i].Expires; e.After(last) {
			last = e
		}
	}
	return last
}

// InfoFor picks what people in one commune must read: the gravest info in the
// language that covers it, and false if there is none. Language is compared by
// its primary subtag ("vi" finds "vi-VN").
func (r *Revision) InfoFor(code area.Code, language string) (*Info, bool) {
	var best *Info
	for i := range r.Infos {
		in := &r.Infos[i]
		if in.Lang() != language || !in.Covers(code) {
			continue
		}
		if best == nil || in.Severity.Rank() > best.Severity.Rank() {
			best = in
		}
	}
	return best, best != nil
}

// Reference is how later messages refer to this one.
func (r *Revision) Reference() Reference {
	return Reference{Sender: r.Sender, Identifier: r.Identifier, Sent: r.Sent}
}
