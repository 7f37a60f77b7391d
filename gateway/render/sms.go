package render

import (
	"errors"

	"loa/gateway/alert"
)

// Text is one SMS text of an alert. Err says why it cannot go out: a
// *SlotError, or ErrUnregistered while Text, Parts and Encoding still show
// what it would be.
type Text struct {
	Template string // "storm.emergency.sms-ascii.vi"
	Text     string
	Parts    int
	Encoding string
	Err      error
}

// Twins makes the SMS texts that the author and the approver see side by side:
// in Vietnamese with marks and without, in English one.
func (r *Renderer) Twins(rev *alert.Revision, place Place, language string) ([]Text, error) {
	f, err := r.facts(rev, place, language)
	if err != nil {
		return nil, err
	}
	return r.twins(f, language), nil
}

func (r *Renderer) twins(f *facts, language string) []Text {
	var out []Text
	for _, form := range []Form{FormSMS, FormUnmarked} {
		if e := r.catalogue.entries[key{f.info.Template, form, language}]; e != nil {
			out = append(out, r.smsText(e, f))
		}
	}
	return out
}

func (r *Renderer) smsText(e *entry, f *facts) Text {
	t := Text{Template: e.String()}
	c, err := r.compose(e, f)
	if err != nil {
		t.Err = err
		return t
	}
	t.Text = mark(c.text, f.rev.Status, e.shape())
	t.Parts, t.Encoding = r.opt.Parts(t.Text)
	t.Err = r.fits(e, mark(r.registrable(e), f.rev.Status, e.shape()), c.values)
	return t
}

// sms picks the text that goes out. MaxParts is a preference: when only the
// longer text can be sent it is sent, for silence costs more.
func (r *Renderer) sms(f *facts, language string) (Rendered, error) {
	texts := r.twins(f, language)
	if len(texts) == 0 {
		return Rendered{}, &UnregisteredError{Template: f.info.Template}
	}
	best := -1
	var errs []error
	for i, t := range texts {
		if t.Err != nil {
			errs = append(errs, t.Err)
			continue
		}
		if best < 0 || r.prefersUnmarked(texts[best].Parts) {
			best = i
		}
	}
	if best < 0 {
		return Rendered{}, errors.Join(errs...)
	}
	t := texts[best]
	return Rendered{Body: []byte(t.Text), Template: t.Template, Parts: t.Parts, Encoding: t.Encoding}, nil
}

// prefersUnmarked decides for a text with marks of so many parts.
func (r *Renderer) prefersUnmarked(parts int) bool {
	switch r.opt.Twin {
	case TwinMarked:
		return false
	case TwinUnmarked:
		return true
	default:
		return parts > r.opt.MaxParts
	}
}
