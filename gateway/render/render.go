// Package render turns a signed alert into what one channel carries in one
// language to one commune: an SMS that fits a template registered with the
// carrier, a push document of at most 2 KB, a full document for the app.
//
// Wording comes from the catalogue (messages.csv, words.csv); nothing here
// invents a sentence. It is handed place names and a function that counts SMS
// parts. It knows no recipient, no provider's protocol and no storage, and
// must never import audience, delivery or a driver.
package render

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/alert"
)

// Agency is who speaks, as texts name it.
type Agency struct {
	Short         string // SMS and push, at most 20 characters: "BCH PTDS Quảng Ninh"
	ShortUnmarked string // SMS without marks; empty: Short without its marks
	ShortEN       string // at most 25 characters
	Long          string // app and speech, at most 50 characters
	LongEN        string // at most 38 characters
}

func (a Agency) in(s shape) (string, error) {
	name := a.Short
	switch {
	case s.unmarked() && a.ShortUnmarked != "":
		name = a.ShortUnmarked
	case s.unmarked():
		name = unmark(a.Short)
	case s.lang == "en" && s.full():
		name = a.LongEN
	case s.lang == "en":
		name = a.ShortEN
	case s.full() || s.form == FormSpeech:
		name = a.Long
	}
	if name == "" {
		return "", errMissing
	}
	return name, nil
}

// Twin says which Vietnamese SMS goes out.
type Twin string

// The choices of Twin. They are an order of preference: when the preferred
// text cannot be made, or is not registered, the other one goes out.
const (
	TwinAuto     Twin = ""         // with marks, unless that takes more than MaxParts
	TwinMarked   Twin = "marked"   // with marks, whatever it costs
	TwinUnmarked Twin = "unmarked" // without marks: fewest parts, for overload
)

// Options is what New needs. Parts, Now and Agency are required.
type Options struct {
	// Parts counts an SMS and names its encoding: "GSM-7" or "UCS-2".
	Parts func(text string) (parts int, encoding string)
	Now   func() time.Time
	Zone  *time.Location // the readers' time zone; nil: UTC+7, which has no summer time

	Agency   Agency
	Twin     Twin
	MaxParts int // for TwinAuto; 0: 3

	Senders    []Sender     // whom SMS go out through; a text must be registered with each
	Registered []Registered // what the carriers have registered
}

// Renderer makes texts. It is safe for concurrent use.
type Renderer struct {
	catalogue  *catalogue
	opt        Options
	registered map[Sender]map[string]Registered // sender, then text
}

// New reads and checks messages.csv, acts.csv and words.csv and the registered texts.
// An error names the file and row, or the entry of the configuration.
func New(fsys fs.FS, opt Options) (*Renderer, error) {
	if opt.Parts == nil || opt.Now == nil {
		return nil, errors.New("render: Options.Parts and Options.Now are required")
	}
	if opt.Zone == nil {
		opt.Zone = time.FixedZone("Asia/Ho_Chi_Minh", 7*60*60)
	}
	if opt.MaxParts == 0 {
		opt.MaxParts = 3
	}
	switch opt.Twin {
	case TwinAuto, TwinMarked, TwinUnmarked:
	default:
		return nil, fmt.Errorf("render: twin %q: not one of \"\", marked, unmarked", opt.Twin)
	}
	c, err := loadCatalogue(fsys)
	if err != nil {
		return nil, err
	}
	r := &Renderer{catalogue: c, opt: opt}
	if r.registered, err = index(opt.Registered); err != nil {
		return nil, err
	}
	if err := r.checkAgency(); err != nil {
		return nil, err
	}
	return r, nil
}

// checkAgency refuses a name that no template has room for.
func (r *Renderer) checkAgency() error {
	for _, e := range r.catalogue.order {
		st, ok := e.slots["agency"]
		if !ok {
			continue
		}
		name, err := r.opt.Agency.in(e.shape())
		if err == nil && len([]rune(name)) > st.longest {
			err = longerThan(name, st.longest)
		}
		if err != nil {
			return fmt.Errorf("render: agency for %s in %s: %w", e.form, e.lang, err)
		}
	}
	return nil
}

// Rendered is what one batch carries.
type Rendered struct {
	Body     []byte // SMS: UTF-8 text; web push: a PushPayload; app: an AppPayload
	Template string // catalogue id of an SMS: "storm.emergency.sms.vi"
	Parts    int    // of an SMS
	Encoding string // of an SMS: "GSM-7" or "UCS-2"
}

// Render makes what people in one commune get on one channel. Language is a
// primary subtag: "vi", "en". Errors: ErrNoInfo, ErrChannel, ErrStatus,
// ErrTemplate, ErrUnregistered, ErrTooLong, or a *SlotError.
func (r *Renderer) Render(rev *alert.Revision, place Place, kind channels.Kind, language string) (Rendered, error) {
	f, err := r.facts(rev, place, language)
	if err != nil {
		return Rendered{}, err
	}
	switch kind {
	case channels.SMS:
		return r.sms(f, language)
	case channels.WebPush:
		return r.push(f, language)
	case channels.App:
		return r.app(f, language)
	default:
		return Rendered{}, fmt.Errorf("%w: %s", ErrChannel, kind)
	}
}

func (r *Renderer) facts(rev *alert.Revision, place Place, language string) (*facts, error) {
	info, ok := infoFor(rev.InfoFor, place.Code, language)
	if !ok || place.Code == "" {
		return nil, fmt.Errorf("%w: language %s, commune %s", ErrNoInfo, language, place.Code)
	}
	if err := r.lawful(rev, info); err != nil {
		return nil, err
	}
	return &facts{rev: rev, info: info, place: place, areas: []Place{place}}, nil
}

// infoFor asks for a commune by its plain code: this room does not know areas.
func infoFor[C ~string](find func(C, string) (*alert.Info, bool), code, language string) (*alert.Info, bool) {
	return find(C(code), language)
}

// lawful refuses a text whose status is not what its words say: a test names
// no hazard, an exercise never looks real, a real warning is no exercise.
func (r *Renderer) lawful(rev *alert.Revision, info *alert.Info) error {
	if _, err := formatCode(rev.Code); err != nil {
		return &SlotError{Template: info.Template, Slot: "code", Err: err}
	}
	if info.Template != "" && !r.catalogue.has(info.Template) {
		return fmt.Errorf("%w: %q", ErrTemplate, info.Template)
	}
	says := r.catalogue.acts[info.Template].Status // of itself
	mock := says != ""
	ok := false
	switch rev.Status {
	case alert.Actual:
		ok = !mock
	case alert.Exercise:
		ok = !mock || says == alert.Exercise
	case alert.Test:
		ok = info.Template == "" || says == alert.Test
	}
	if !ok {
		return fmt.Errorf("%w: template %q, status %q", ErrStatus, info.Template, rev.Status)
	}
	return nil
}

// marker is the word that a message that is not real begins with.
func marker(status alert.Status, s shape) string {
	words := [3]string{"THỬ NGHIỆM", "THU NGHIEM", "TEST"}
	switch status {
	case alert.Test:
	case alert.Exercise:
		words = [3]string{"DIỄN TẬP", "DIEN TAP", "EXERCISE"}
	default:
		return ""
	}
	switch {
	case s.lang == "en":
		return words[2]
	case s.unmarked():
		return words[1]
	default:
		return words[0]
	}
}

// mark puts the marker first, and last where the form ends with it. A text
// that has it already is left alone.
func mark(text string, status alert.Status, s shape) string {
	m := marker(status, s)
	if m == "" || text == "" {
		return text
	}
	if !strings.HasPrefix(text, m) {
		text = m + notReal(status, s) + text
	}
	if (s.sms() || s.form == FormDescription) && !strings.HasSuffix(strings.TrimSuffix(text, "."), m) {
		text = strings.TrimSuffix(text, ".") + ". " + m
		if s.form == FormDescription {
			text += "."
		}
	}
	return text
}

// notReal follows the marker. An exercise that names a hazard says in the same
// sentence that nothing is real; a title has no room for it.
func notReal(status alert.Status, s shape) string {
	stop := ". "
	switch s.form {
	case FormPushTitle, FormInstruction:
		return ": "
	case FormHeadline:
		stop = ": "
	}
	switch {
	case status != alert.Exercise:
		return stop
	case s.lang == "en":
		return ", no real danger" + stop
	case s.unmarked():
		return ", KHONG co nguy hiem that" + stop
	default:
		return ", không có nguy hiểm thật" + stop
	}
}
