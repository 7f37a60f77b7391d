package render

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"loa/gateway/alert"
)

// Limits of the documents, in bytes of JSON, and of texts that come from
// elsewhere, in characters.
const (
	MaxPush      = 2048
	MaxApp       = 64 << 10
	maxPushTitle = 80
	maxPushBody  = 400
)

// PayloadVersion is the v of PushPayload and AppPayload. It changes when an
// existing field changes its meaning; new fields may come at any time.
const PayloadVersion = 1

// PushPayload is the JSON that a service worker decodes: at most MaxPush bytes
// before encryption. It has no URL: a public push carries no link.
type PushPayload struct {
	V        int    `json:"v"`
	Alert    string `json:"alert"`    // alert id
	Tag      string `json:"tag"`      // of the notification: what is shown with it is replaced, also by an update, a correction or an all-clear
	Revision int    `json:"revision"` // from 1; a lower one than shown is stale
	Code     string `json:"code"`     // check code shown to people
	Status   string `json:"status"`   // Actual, Exercise, Test
	Title    string `json:"title"`
	Body     string `json:"body"`
	Severity string `json:"severity"`        // CAP severity
	Level    int    `json:"level,omitempty"` // disaster risk level 1–5, absent if none was issued
	Sent     string `json:"sent"`            // RFC 3339 with offset: show this, not the arrival time
	Expires  string `json:"expires,omitempty"`
	Lang     string `json:"lang"` // vi, en
	Area     string `json:"area"` // commune code
}

// AppPayload is the JSON that the app decodes: the whole text of one info.
type AppPayload struct {
	V            int            `json:"v"`
	Alert        string         `json:"alert"`
	Revision     int            `json:"revision"`
	Identifier   string         `json:"identifier"` // CAP identifier
	Code         string         `json:"code"`
	Status       string         `json:"status"`
	MsgType      string         `json:"msg_type"` // Alert, Update, Cancel
	Lang         string         `json:"lang"`
	Area         string         `json:"area"` // the commune this copy is for
	Event        string         `json:"event,omitempty"`
	Severity     string         `json:"severity"`
	Urgency      string         `json:"urgency,omitempty"`
	Certainty    string         `json:"certainty,omitempty"`
	Level        *AppLevel      `json:"level,omitempty"`
	Headline     string         `json:"headline"`
	Description  string         `json:"description,omitempty"`
	Instructions []string       `json:"instructions,omitempty"` // in order, one act each
	Areas        []AppArea      `json:"areas"`
	Sender       string         `json:"sender"` // name for people
	Sent         string         `json:"sent"`
	Onset        string         `json:"onset,omitempty"`
	Expires      string         `json:"expires,omitempty"`
	References   []AppReference `json:"references,omitempty"` // the messages this one takes the place of
}

// AppLevel is a disaster risk level with its lawful colour.
type AppLevel struct {
	Level  int    `json:"level"`
	Name   string `json:"name"`
	Colour string `json:"colour"` // in words: never show a colour alone
	Hex    string `json:"hex"`
}

// AppArea is one area. Points are [latitude, longitude] in WGS 84 degrees, a
// circle's radius is in kilometres. A shape narrows the codes for a device
// that knows where it is.
type AppArea struct {
	Desc     string         `json:"desc"`
	Codes    []string       `json:"codes,omitempty"` // commune codes, VN-NSO-2025
	Polygons [][][2]float64 `json:"polygons,omitempty"`
	Circles  []AppCircle    `json:"circles,omitempty"`
}

// AppCircle is a circle of an AppArea.
type AppCircle struct {
	Center [2]float64 `json:"center"`
	Radius float64    `json:"radius"`
}

// AppReference names an earlier message.
type AppReference struct {
	Sender     string `json:"sender"`
	Identifier string `json:"identifier"`
	Sent       string `json:"sent"`
}

func (r *Renderer) push(f *facts, language string) (Rendered, error) {
	p := PushPayload{
		V: PayloadVersion, Alert: string(f.rev.Alert), Tag: tag(f.rev), Revision: f.rev.Number, Code: f.rev.Code, Status: string(f.rev.Status),
		Severity: string(f.info.Severity), Level: level(f.info), Sent: r.stamp(f.rev.Sent), Expires: r.stamp(expires(f)),
		Lang: language, Area: f.place.Code,
	}
	var err error
	if f.info.Template == "" {
		p.Title, p.Body = foreign(f.info)
	} else if p.Title, err = r.text(FormPushTitle, language, f); err == nil {
		p.Body, err = r.text(FormPushBody, language, f)
	}
	if err != nil {
		return Rendered{}, err
	}
	p.Title = mark(p.Title, f.rev.Status, shape{FormPushTitle, language})
	p.Body = mark(p.Body, f.rev.Status, shape{FormPushBody, language})
	body, err := encode(p)
	if err != nil {
		return Rendered{}, err
	}
	if len(body) > MaxPush {
		return Rendered{}, fmt.Errorf("%w: push of %d bytes, at most %d", ErrTooLong, len(body), MaxPush)
	}
	return Rendered{Body: body}, nil
}

// tag is shared by an alert and all that take its place: 32 characters of
// base64url made of the identifier of the first.
func tag(rev *alert.Revision) string {
	first := rev.Identifier
	if len(rev.References) > 0 {
		first = rev.References[0].Identifier
	}
	sum := sha256.Sum256([]byte(first))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// text composes one form of the info's template.
func (r *Renderer) text(form Form, language string, f *facts) (string, error) {
	e := r.catalogue.entries[key{f.info.Template, form, language}]
	if e == nil {
		return "", fmt.Errorf("%w: %s in %s for %s", ErrTemplate, f.info.Template, language, form)
	}
	c, err := r.compose(e, f)
	return c.text, err
}

func (r *Renderer) app(f *facts, language string) (Rendered, error) {
	info := *f.info
	if err := r.deadlines(f, language); err != nil {
		return Rendered{}, err
	}
	if info.Headline == "" && info.Template != "" {
		if err := r.FillInfo(&info, f.rev, f.areas); err != nil {
			return Rendered{}, err
		}
	}
	p := AppPayload{
		V: PayloadVersion, Alert: string(f.rev.Alert), Revision: f.rev.Number, Identifier: f.rev.Identifier, Code: f.rev.Code,
		Status: string(f.rev.Status), MsgType: string(f.rev.MsgType), Lang: language, Area: f.place.Code, Event: info.Event,
		Severity: string(info.Severity), Urgency: string(info.Urgency), Certainty: string(info.Certainty),
		Level: appLevel(level(&info), language), Areas: appAreas(info.Areas), Sender: info.SenderName,
		Sent: r.stamp(f.rev.Sent), Onset: r.stamp(info.Onset), Expires: r.stamp(expires(f)),
		Headline:    mark(firstOf(info.Headline, info.Event), f.rev.Status, shape{FormHeadline, language}),
		Description: mark(info.Description, f.rev.Status, shape{FormDescription, language}),
	}
	for line := range strings.Lines(mark(info.Instruction, f.rev.Status, shape{FormInstruction, language})) {
		if line = strings.TrimSpace(line); line != "" {
			p.Instructions = append(p.Instructions, line)
		}
	}
	if p.Sender == "" {
		p.Sender, _ = r.opt.Agency.in(shape{FormDescription, language})
	}
	for _, ref := range f.rev.References {
		p.References = append(p.References, AppReference{ref.Sender, ref.Identifier, r.stamp(ref.Sent)})
	}
	body, err := encode(p)
	if err == nil && len(body) > MaxApp {
		for i := range p.Areas { // the codes alone still say where; a shape only narrows them
			p.Areas[i].Polygons, p.Areas[i].Circles = nil, nil
		}
		body, err = encode(p)
	}
	if err != nil {
		return Rendered{}, err
	}
	if len(body) > MaxApp {
		return Rendered{}, fmt.Errorf("%w: app document of %d bytes, at most %d", ErrTooLong, len(body), MaxApp)
	}
	return Rendered{Body: body}, nil
}
