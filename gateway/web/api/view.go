package api

import (
	"context"
	"fmt"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/coverage"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// Alert is a case as the API shows it. Times have numeric offsets.
type Alert struct {
	ID         alert.ID              `json:"id"`
	State      alert.State           `json:"state"`
	Revision   int                   `json:"revision"`
	Code       string                `json:"code"` // four characters shown to people
	MsgType    alert.MsgType         `json:"msgType"`
	Severity   alert.Severity        `json:"severity,omitempty"`
	Status     alert.Status          `json:"status"`
	Title      map[string]string     `json:"title,omitempty"`     // by language: the headline, else the event
	RiskLevel  int                   `json:"riskLevel,omitempty"` // 1 to 5, the highest of its texts
	Area       map[string]string     `json:"area,omitempty"`      // by language: as the texts name it
	Cause      dispatch.Cause        `json:"cause"`
	Replaces   alert.ID              `json:"replaces,omitempty"`
	Author     Person                `json:"author"`
	CreatedAt  time.Time             `json:"createdAt"`
	ApprovedAt time.Time             `json:"approvedAt,omitzero"`
	EndedAt    time.Time             `json:"endedAt,omitzero"`
	Expires    time.Time             `json:"expires,omitzero"`
	Hash       string                `json:"hash,omitempty"` // what people sign; absent until submitted
	Communes   int                   `json:"communes"`
	Targets    []Target              `json:"targets,omitempty"` // every commune that is signed; not in lists
	HeadCount  map[channels.Kind]int `json:"headCount,omitempty"`
	Unheard    map[channels.Kind]int `json:"unheard,omitempty"` // who has subscribed there on channels that are not configured: nothing goes to them
	// Reached is how many at least, for a correction just made or previewed, may
	// have got what it is about; app listeners without an account are not counted.
	Reached        map[channels.Kind]int `json:"reached,omitempty"`
	ReachedUnknown bool                  `json:"reachedUnknown,omitempty"` // they could not be counted: no Reached does not mean nobody
	// OtherReaders counts, by language, who is addressed and reads a language that
	// the texts do not have: they get the Vietnamese one. Not in lists.
	OtherReaders map[string]int `json:"otherReaders,omitempty"`
	OnHold       time.Time      `json:"onHold,omitzero"`       // since when the ledger is on hold and nothing is sent; not in lists
	TwoPeople    bool           `json:"twoPeople,omitempty"`   // its author alone may not approve it, or that could not be told; not in lists
	CorrectedBy  string         `json:"correctedBy,omitempty"` // the text by which one person takes it back: "any.correction_false"; not in lists
	Signatures   []Signature    `json:"signatures,omitempty"`
	Draft        *Draft         `json:"draft,omitempty"`
	SMS          []Text         `json:"sms,omitempty"`
	Coverage     *Coverage      `json:"coverage,omitempty"`
	Brushed      []Brushed      `json:"brushed,omitempty"`
	Notes        []Note         `json:"notes,omitempty"` // on the CAP message that was read, and on what a person may have meant otherwise
}

// Target is a commune that a submission is for.
type Target struct {
	Code area.Code `json:"code"`
	Name string    `json:"name"`
}

// Person is somebody with a token.
type Person struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Territory area.Code `json:"territory,omitempty"`
}

// Signature is one person's word for one exact submission.
type Signature struct {
	Person Person    `json:"person"`
	Act    alert.Act `json:"act"`
	Hash   string    `json:"hash"`
	At     time.Time `json:"at"`
}

// Text is one SMS text of an alert, for the commune where it takes most parts.
type Text struct {
	Language string    `json:"language"`
	Template string    `json:"template"`
	Commune  area.Code `json:"commune"`
	Name     string    `json:"name"` // of the commune
	Text     string    `json:"text"`
	Parts    int       `json:"parts"`
	Encoding string    `json:"encoding"`
	Goes     bool      `json:"goes"`              // the one that is sent there
	Refused  string    `json:"refused,omitempty"` // why it cannot go out
}

// Coverage is what came of a revision.
type Coverage struct {
	Cutting  bool      `json:"cutting,omitempty"` // more recipients are about to be counted
	Pending  int       `json:"pending"`           // recipients whose send has not ended
	Again    int       `json:"again,omitempty"`   // who have had one send, and whom a second will follow
	Next     time.Time `json:"next,omitzero"`     // when the first of those is due
	Channels []Cell    `json:"channels"`
	Communes []Commune `json:"communes,omitempty"`
	Faults   []Failure `json:"faults,omitempty"`  // most people first; with Communes only
	Notices  []Notice  `json:"notices,omitempty"` // what of the alert is not sent, the oldest first; with Communes only
}

// Notice is something of an alert that is not sent, and why.
type Notice struct {
	Code     string        `json:"code"`               // as coverage.Notice has it: "render", "content/30007"
	Revision int           `json:"revision,omitempty"` // absent: it could not be read
	Kind     channels.Kind `json:"kind,omitempty"`     // absent: every channel
	Communes []Target      `json:"communes,omitempty"` // absent: every commune
	Text     string        `json:"text,omitempty"`     // the first error, for engineers
	At       time.Time     `json:"at"`                 // when it was first seen
}

// Failure counts recipients of one channel whose last attempt was refused, has
// failed or was left open, by the fault and the provider's own code.
type Failure struct {
	Kind  channels.Kind `json:"kind"`
	Fault string        `json:"fault"`
	Code  string        `json:"code,omitempty"` // of the provider: "30007"; empty if it gave none
	Count int           `json:"count"`
}

// Commune is the coverage of one commune.
type Commune struct {
	Code     area.Code `json:"code"`
	Name     string    `json:"name"`
	Channels []Cell    `json:"channels"`
}

// Cell counts recipients on one channel. Missed got nothing for certain;
// unknown may have got it.
type Cell struct {
	Kind     channels.Kind  `json:"kind"`
	Eligible int            `json:"eligible"`
	Missed   int            `json:"missed"`
	Unknown  int            `json:"unknown"`
	Outcomes map[string]int `json:"outcomes"`
}

// Note is a remark for whoever judges a draft. Line is that of the CAP message,
// 0 if the remark is not on one.
type Note struct {
	Rule string `json:"rule"`
	Text string `json:"text"`
	Line int    `json:"line,omitempty"`
}

var vietnam = time.FixedZone("+07:00", 7*60*60)

// local writes a time with Vietnam's offset; none stays none.
func local(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(vietnam)
}

// head is a case without its text, as lists show it.
func head(c *desk.Case) Alert {
	sub := &c.Submission
	rev := sub.Revision
	a := Alert{
		ID: c.ID, State: c.State, Cause: sub.Cause, Author: Person{c.Author.ID, c.Author.Name, c.Author.Territory},
		CreatedAt: local(c.CreatedAt), ApprovedAt: local(c.ApprovedAt), EndedAt: local(c.EndedAt),
		Communes: len(sub.Communes), HeadCount: sub.HeadCount, Unheard: sub.Unheard,
		Revision: rev.Number, Code: rev.Code, MsgType: rev.MsgType, Severity: rev.Severity(), Expires: local(rev.Expires()),
	}
	a.Status, a.RiskLevel = rev.Status, rev.RiskLevel()
	for _, lang := range languages(rev) {
		if a.Title == nil {
			a.Title, a.Area = map[string]string{}, map[string]string{}
		}
		a.Title[lang], a.Area[lang] = rev.Gravest(lang).Title(), rev.AreaDesc(lang)
	}
	if c.Hash != (desk.SubmissionHash{}) {
		a.Hash = c.Hash.String()
	}
	if sub.Replaces != nil {
		a.Replaces = sub.Replaces.Alert
	}
	for _, g := range c.Signatures {
		a.Signatures = append(a.Signatures, Signature{Person{ID: g.Person, Name: g.Name}, g.Act, g.Hash.String(), local(g.At)})
	}
	return a
}

// whole is a case with its text.
func whole(c *desk.Case) Alert {
	a := head(c)
	rev := c.Submission.Revision
	a.Draft = &Draft{Status: rev.Status, Kinds: c.Submission.Kinds, Source: rev.Source, Note: rev.Note, Incidents: rev.Incidents}
	for i := range rev.Infos {
		a.Draft.Infos = append(a.Draft.Infos, infoOf(&rev.Infos[i]))
	}
	a.Notes = foreign(a.Draft.Infos)
	return a
}

// foreign says of geocodes of other registers that they address nobody.
func foreign(infos []Info) []Note {
	var notes []Note
	for i := range infos {
		for j, a := range infos[i].Areas {
			for _, g := range a.Geocodes {
				notes = append(notes, Note{Rule: "B06", Text: fmt.Sprintf("infos[%d].areas[%d]: the geocode %s of the register %s names no commune here and adds nobody to those who are addressed", i, j, clipped(g.Value), clipped(g.Name))})
			}
		}
	}
	return notes
}

func infoOf(in *alert.Info) Info {
	out := Info{
		Language: in.Language, Template: in.Template, Slots: in.Slots, Categories: in.Categories, Event: in.Event,
		ResponseTypes: in.ResponseTypes, Urgency: in.Urgency, Severity: in.Severity, Certainty: in.Certainty,
		Audience: in.Audience, EventCodes: paired(in.EventCodes), Effective: local(in.Effective), Onset: local(in.Onset),
		Expires: local(in.Expires), SenderName: in.SenderName, Headline: in.Headline, Description: in.Description,
		Instruction: in.Instruction, Web: in.Web, Contact: in.Contact, Parameters: paired(in.Parameters),
	}
	for i := range in.Areas {
		out.Areas = append(out.Areas, areaOf(&in.Areas[i]))
	}
	return out
}

func paired(vs []alert.NamedValue) []Pair {
	var out []Pair
	for _, v := range vs {
		out = append(out, Pair(v))
	}
	return out
}

func areaOf(in *alert.Area) Area {
	out := Area{Desc: in.Desc}
	for _, g := range in.Geocodes {
		if g.Name == area.ValueName {
			out.Codes = append(out.Codes, area.Code(g.Value))
		} else {
			out.Geocodes = append(out.Geocodes, Pair(g))
		}
	}
	for _, ring := range in.Polygons {
		var points [][2]float64
		for _, p := range ring {
			points = append(points, [2]float64{p.Lat, p.Lon})
		}
		out.Polygons = append(out.Polygons, points)
	}
	for _, c := range in.Circles {
		out.Circles = append(out.Circles, Circle{[2]float64{c.Center.Lat, c.Center.Lon}, c.Radius})
	}
	return out
}

// coverage asks what came of a case, by channel and, if wanted, by commune.
func (s *server) coverage(ctx context.Context, c *desk.Case, communes bool) (*Coverage, error) {
	cutting, err := s.Cutting(ctx, c.ID) // first, or what is cut between the two questions is missed
	if err != nil {
		return nil, err
	}
	cells, err := s.Coverage.Cells(ctx, c.ID, c.Submission.Revision.Number)
	if err != nil {
		return nil, err
	}
	out := &Coverage{Channels: []Cell{}, Cutting: cutting}
	totals := coverage.Totals(cells)
	for _, k := range channels.AllKinds() {
		if t, ok := totals[k]; ok {
			out.Channels = append(out.Channels, cellOf(t))
			out.Pending += t.Count(channels.Pending) + t.Count(channels.Sending)
		}
	}
	if s.Second != nil {
		second, err := s.Second(ctx, c.ID, c.Submission.Revision.Number)
		if err != nil {
			return nil, err
		}
		out.Again, out.Next = second.Waiting, local(second.Next)
	}
	if !communes {
		return out, nil
	}
	faults, err := s.Coverage.Faults(ctx, c.ID, c.Submission.Revision.Number)
	if err != nil {
		return nil, err
	}
	for _, f := range faults {
		out.Faults = append(out.Faults, Failure{f.Kind, f.Fault.String(), f.Code, f.Count})
	}
	if out.Notices, err = s.notices(ctx, c.ID); err != nil {
		return nil, err
	}
	for _, group := range coverage.ByCommune(cells) {
		m := Commune{Code: group[0].Commune, Name: s.name(group[0].Commune, "vi")}
		for _, cell := range group {
			m.Channels = append(m.Channels, cellOf(cell))
		}
		out.Communes = append(out.Communes, m)
	}
	return out, nil
}

func (s *server) notices(ctx context.Context, id alert.ID) ([]Notice, error) {
	all, err := s.Notices.Notices(ctx, id, coverage.MaxNotices)
	if err != nil {
		return nil, err
	}
	var out []Notice
	for _, g := range coverage.Gaps(all) {
		n := Notice{Code: g.Code, Revision: g.Revision, Kind: g.Kind, Text: g.Text, At: local(g.At)}
		for _, c := range g.Communes {
			n.Communes = append(n.Communes, Target{c, s.name(c, "vi")})
		}
		out = append(out, n)
	}
	return out, nil
}

func cellOf(c coverage.Cell) Cell {
	out := Cell{Kind: c.Kind, Eligible: c.Eligible(), Missed: c.Missed(), Unknown: c.Unknown(), Outcomes: map[string]int{}}
	for _, o := range channels.AllOutcomes() {
		if n := c.Count(o); n > 0 {
			out.Outcomes[o.String()] = n
		}
	}
	return out
}
