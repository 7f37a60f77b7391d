package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"loa/gateway/alert"
)

// SlotSpec is what an author fills in. Lengths are in characters.
type SlotSpec struct {
	Name     string
	Type     string   // time, int, decimal, range, gust, code, url, phone, a fixed list, or words
	Min, Max int      // of an int; both 0 if there are no bounds
	Longest  int      // the shortest of the limits of the forms that show it
	Unmarked int      // the limit in the SMS without marks; 0 if that does not show it
	Values   []string // codes of a fixed list; a hazard may also be "storm:3" or "storm:Yagi"
	Optional bool     // taken from the info when not given: from (onset), until (expires), wind_kmh (wind)
}

// Templates lists the catalogue's templates in order.
func (r *Renderer) Templates() []string {
	var out []string
	for _, e := range r.catalogue.order {
		if !slices.Contains(out, e.template) {
			out = append(out, e.template)
		}
	}
	return out
}

// Hazard is the hazard code of a template ("storm", "any"), "" if there is no
// such template.
func (r *Renderer) Hazard(template string) string {
	if e := r.catalogue.entries[key{template, FormHeadline, "vi"}]; e != nil {
		return e.hazard
	}
	return ""
}

// Names reports whether the slot "hazard" can name it: a hazard of the catalogue,
// or one storm ("storm:3").
func (r *Renderer) Names(hazard string) bool {
	_, ok := r.catalogue.fixed("hazard", hazard)
	return ok
}

// authoredEntries lists the forms of a template that an author's slots go into.
func (r *Renderer) authoredEntries(template, language string) []*entry {
	var out []*entry
	for _, form := range forms {
		if e := r.catalogue.entries[key{template, form, language}]; e != nil && form != FormSpeech {
			out = append(out, e)
		}
	}
	return out
}

// Slots lists what the author of a template fills in, by name. It is nil for
// an unknown template or language, and for a template without any.
func (r *Renderer) Slots(template, language string) []SlotSpec {
	found := map[string]SlotSpec{}
	for _, e := range r.authoredEntries(template, language) {
		for name, st := range e.slots {
			if ourSlots[name] {
				continue
			}
			s, seen := found[name]
			if !seen {
				s = SlotSpec{Name: name, Type: st.kind, Min: st.min, Max: st.max, Longest: st.longest}
				s.Values = slices.Clone(r.catalogue.codes[st.kind])
				s.Optional = name == "until" || name == "from" || name == "wind_kmh"
				if name == "level" && stormLow(template, "1") {
					s.Min = 3
				}
			}
			if e.form == FormUnmarked {
				s.Unmarked = st.longest
			} else {
				s.Longest = min(s.Longest, st.longest)
			}
			found[name] = s
		}
	}
	if len(found) == 0 {
		return nil
	}
	out := make([]SlotSpec, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[name])
	}
	return out
}

// CheckSlots says everything that is wrong with an author's values in one
// language: missing slots, slots that no template has (a value that another
// template takes is left aside), wrong types, values longer than a form
// takes, deadlines already past, an end before its start. The error joins
// *SlotErrors. A slot that is optional may be missing.
func (r *Renderer) CheckSlots(template, language string, values map[string]string) error {
	entries := r.authoredEntries(template, language)
	if len(entries) == 0 {
		return fmt.Errorf("%w: %q in %q", ErrTemplate, template, language)
	}
	specs := r.Slots(template, language)
	var errs []error
	refuse := func(slot string, err error) {
		errs = append(errs, &SlotError{Template: template, Slot: slot, Err: err})
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		base := strings.TrimSuffix(name, unmarkedSuffix)
		known := slices.ContainsFunc(r.catalogue.order, func(e *entry) bool { return e.slots[base].kind != "" })
		switch {
		case ourSlots[base]:
			refuse(name, errOurs)
		case !known:
			refuse(name, errUnknown)
		}
	}
	f := &facts{rev: &alert.Revision{}, info: &alert.Info{Template: template, Slots: values}}
	for _, s := range specs {
		if f.given(s.Name) == "" {
			if !s.Optional || s.Name == "wind_kmh" {
				refuse(s.Name, errMissing)
			}
			continue
		}
		if err := r.checkSlot(s.Name, entries, f); err != nil {
			refuse(s.Name, err)
		}
	}
	if !inOrder(values["from"], values["until"]) {
		refuse("until", errors.New("must be after from"))
	}
	if err := windFits(values["wind"], values["wind_kmh"]); err != nil {
		refuse("wind_kmh", err)
	}
	if err := gustFits(values["wind"], values["gust"]); err != nil {
		refuse("gust", err)
	}
	return errors.Join(errs...)
}

// checkSlot returns the first form's refusal of a value.
func (r *Renderer) checkSlot(name string, entries []*entry, f *facts) error {
	for _, e := range entries {
		st, ok := e.slots[name]
		if !ok {
			continue
		}
		v, err := r.value(name, st, e.shape(), f)
		if err == nil {
			err = within(v, st.longest, e.shape())
		}
		// These cost the SMS without marks alone; the one with marks goes out.
		twinOnly := e.form == FormUnmarked && (errors.Is(err, errNoSafe) || errors.Is(err, ErrPast))
		if err != nil && !twinOnly {
			return fmt.Errorf("%w (%s)", err, e.form)
		}
	}
	return nil
}

// deadlines refuses an app text, written and signed earlier, that asks people
// to act before a moment now past.
func (r *Renderer) deadlines(f *facts, language string) error {
	for _, form := range []Form{FormHeadline, FormDescription, FormInstruction} {
		e := r.catalogue.entries[key{f.info.Template, form, language}]
		if e == nil {
			continue
		}
		for name := range e.slots {
			if !isDeadline(name) {
				continue
			}
			if _, err := r.value(name, e.slots[name], e.shape(), f); err != nil {
				return &SlotError{Template: e.String(), Slot: name, Err: err}
			}
		}
	}
	return nil
}

// inOrder reports whether two RFC 3339 times rise; what is no time passes, for
// the slot itself is refused.
func inOrder(from, until string) bool {
	a, errA := time.Parse(time.RFC3339, from)
	b, errB := time.Parse(time.RFC3339, until)
	return errA != nil || errB != nil || b.After(a)
}

// FillInfo writes Headline, Description and Instruction of an info from its
// template, so that CAP, app and signature hold the same words. Call it before
// the revision is frozen: Sent, Code and Status of rev must be set. Areas are
// the places the info is for, most important first. An instruction is one line
// for each act.
func (r *Renderer) FillInfo(info *alert.Info, rev *alert.Revision, areas []Place) error {
	if err := r.lawful(rev, info); err != nil {
		return err
	}
	f := &facts{rev: rev, info: info, areas: areas}
	var texts [3]string
	var errs []error
	for i, form := range []Form{FormHeadline, FormDescription, FormInstruction} {
		t, err := r.marked(form, info.Lang(), f)
		errs = append(errs, err)
		texts[i] = t
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	info.Headline, info.Description = texts[0], texts[1]
	info.Instruction = strings.ReplaceAll(texts[2], itemSeparator, "\n")
	return nil
}

// marked composes one form with its marker. A headline keeps to its limit: the
// areas are counted rather than named, and what is longer still is cut at a
// word, for the description says it all.
func (r *Renderer) marked(form Form, lang string, f *facts) (string, error) {
	sh := shape{form, lang}
	t, err := r.text(form, lang, f)
	if err != nil {
		return "", err
	}
	t = mark(t, f.rev.Status, sh)
	over := utf8.RuneCountInString(t) - alert.MaxHeadline
	if form != FormHeadline || over <= 0 {
		return t, nil
	}
	e := r.catalogue.entries[key{f.info.Template, form, lang}]
	if st, ok := e.slots["areas"]; ok {
		tight := *f
		tight.room = max(1, st.longest-over)
		if named, err := areaList(f.areas, sh, st.longest); err == nil {
			tight.room = max(1, utf8.RuneCountInString(named)-over)
		}
		if t, err = r.text(form, lang, &tight); err != nil {
			return "", err
		}
		t = mark(t, f.rev.Status, sh)
	}
	return shorten(t, alert.MaxHeadline), nil
}
