package render

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"loa/gateway/alert"
)

// ourSlots are filled from the revision, the place and the configuration; an
// author cannot give them.
var ourSlots = map[string]bool{"agency": true, "issued_at": true, "code": true, "area": true, "areas": true}

// unmarkedSuffix ends the key of a hand-written value for the unmarked SMS:
// "right.ascii" beside "right".
const unmarkedSuffix = ".ascii"

// facts are what slots are filled from.
type facts struct {
	rev   *alert.Revision
	info  *alert.Info
	place Place
	areas []Place
	room  int // for the list of areas, in characters, where less than the slot's; 0: the slot's
}

// given is the author's value of a slot, or what the info itself says.
func (f *facts) given(slot string) string {
	if v := f.info.Slots[slot]; v != "" {
		return v
	}
	switch {
	case slot == "until" && !f.info.Expires.IsZero():
		return f.info.Expires.Format(time.RFC3339)
	case slot == "from" && !f.info.Onset.IsZero():
		return f.info.Onset.Format(time.RFC3339)
	case slot == "wind_kmh":
		return speeds(f.info.Slots["wind"])
	}
	return ""
}

// composed is a finished text with the value that stands in each slot.
type composed struct {
	text   string
	values map[string]string
}

// compose fills one entry. An error is a *SlotError, or joins several.
func (r *Renderer) compose(e *entry, f *facts) (composed, error) {
	out := composed{values: make(map[string]string, len(e.slots))}
	var b strings.Builder
	var errs []error
	for _, p := range e.pieces {
		if !p.slot {
			b.WriteString(p.text)
			continue
		}
		st := e.slots[p.text]
		v, err := r.value(p.text, st, e.shape(), f)
		if err == nil {
			err = within(v, st.longest, e.shape())
		}
		if err != nil {
			errs = append(errs, &SlotError{Template: e.String(), Slot: p.text, Err: err})
			continue
		}
		out.values[p.text] = v
		b.WriteString(v)
	}
	if err := oneOrAll(errs); err != nil {
		return composed{}, err
	}
	out.text = capitals(b.String())
	return out, nil
}

// oneOrAll is a single error as it is, and several joined.
func oneOrAll(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// within refuses a value that is too long, or has marks in a text without.
func within(v string, longest int, s shape) error {
	if utf8.RuneCountInString(v) > longest {
		return longerThan(v, longest)
	}
	if s.unmarked() && strings.ContainsFunc(v, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return fmt.Errorf("%q must be written without marks here", v)
	}
	return nil
}

// value writes one slot for one form.
func (r *Renderer) value(name string, st slotType, s shape, f *facts) (string, error) {
	switch name {
	case "agency":
		return r.opt.Agency.in(s)
	case "issued_at":
		if f.rev.Sent.IsZero() {
			return "", errMissing
		}
		return clock(f.rev.Sent.In(r.opt.Zone), s), nil
	case "code":
		return formatCode(f.rev.Code)
	case "area":
		return areaName(f.place, s, st.longest)
	case "areas":
		room := st.longest
		if f.room > 0 {
			room = min(room, f.room)
		}
		return areaList(f.areas, s, room)
	}
	v := f.given(name)
	if v == "" {
		return "", errMissing
	}
	return r.authored(name, v, st, s, f)
}

// authored writes a value that came from the author.
func (r *Renderer) authored(name, v string, st slotType, s shape, f *facts) (string, error) {
	switch st.kind {
	case "time":
		return r.formatTime(name, v, s)
	case "int":
		if name == "level" && stormLow(f.info.Template, v) {
			return "", errStormLow
		}
		return formatInt(v, st, s)
	case "decimal":
		return formatDecimal(v, s)
	case "range":
		return formatRange(name, v, s)
	case "gust":
		return formatGust(v, s)
	case "code":
		return formatCode(v)
	case "hazard", "service", "action", "role", "direction":
		w, ok := r.catalogue.fixed(st.kind, v)
		if !ok {
			return "", fmt.Errorf("%q %w", v, errNotOne)
		}
		if w.in(s) == "" {
			return "", errNoSafe
		}
		return w.in(s), nil
	case "url":
		return v, checkURL(v)
	case "phone":
		return v, checkPhone(v)
	default:
		return freeText(name, v, st, s, f)
	}
}

// freeText takes words as the author wrote them. For the unmarked SMS the
// author's own unmarked wording is used if there is one; a proper name may
// lose its marks, a sentence only if no word of it turns ambiguous.
func freeText(name, v string, st slotType, s shape, f *facts) (string, error) {
	switch {
	case s.lang == "en" && s.sms():
		v = unmark(v) // a marked name would treble the parts
	case s.unmarked():
		own := f.info.Slots[name+unmarkedSuffix]
		if own == "" {
			own = unmark(v)
			if word := RiskyWord(own); word != "" && st.kind == "text" {
				return "", fmt.Errorf("%q is ambiguous without marks: give %s", word, name+unmarkedSuffix)
			}
		}
		v = own
	}
	v = norm.NFC.String(v)
	return v, checkWords(v)
}

func stormLow(template, level string) bool {
	if !strings.HasPrefix(template, "storm.") && !strings.HasPrefix(template, "tropical_depression.") {
		return false
	}
	n, err := strconv.Atoi(level)
	return err == nil && (n < 3 || n > 5)
}

func formatCode(v string) (string, error) {
	if !codeRule.MatchString(v) {
		return "", errCode
	}
	return v, nil
}

// isDeadline reports whether people are asked to act before the slot's time.
func isDeadline(slot string) bool { return slot == "before" || slot == "next_at" }

// formatTime writes a moment and refuses a deadline that has passed, as the
// reader would see it.
func (r *Renderer) formatTime(name, v string, s shape) (string, error) {
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return "", errTime
	}
	t = shown(name, t.In(r.opt.Zone), s)
	text := clock(t, s)
	if isDeadline(name) && !t.After(r.opt.Now()) {
		return "", fmt.Errorf("%s %w", text, ErrPast)
	}
	return text, nil
}

// capitals turns the first letter of the text and of every sentence into a
// capital: a slot value may stand there.
func capitals(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	start, stop := true, false
	for _, c := range s {
		if start && unicode.IsLower(c) {
			c = unicode.ToUpper(c)
		}
		start = c == ' ' && (stop || start)
		stop = c == '.' || c == '|'
		b.WriteRune(c)
	}
	return b.String()
}
