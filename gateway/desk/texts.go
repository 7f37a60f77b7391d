package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"loa/gateway/alert"
	"loa/gateway/dispatch"
)

const allClear = alert.ResponseType("AllClear")

// textAct is what a submission's texts are sent for.
func (s *Submission) textAct() (alert.TextAct, error) {
	switch {
	case s.Cause == dispatch.Correction:
		return alert.TextCorrect, nil
	case s.Cause == dispatch.Stopped:
		return alert.TextStop, nil
	case s.Cause == dispatch.Approved && s.Replaces == nil:
		return alert.TextDraft, nil
	case s.Cause != dispatch.Updated:
		return "", &InputError{"cause", "no text is sent for " + string(s.Cause)}
	}
	clears := 0
	for i := range s.Revision.Infos {
		if slices.Contains(s.Revision.Infos[i].ResponseTypes, allClear) {
			clears++
		}
	}
	switch clears {
	case 0:
		return alert.TextUpdate, nil
	case len(s.Revision.Infos):
		return alert.TextAllClear, nil
	default:
		return "", &InputError{"infos.responseTypes", "AllClear in every info, or in none: a message is an all-clear or an update"}
	}
}

// lawful refuses texts that the act may not carry: each act has its own, and a
// correction or a stop says nothing graver than what it takes back. Everything
// that is sent comes through here, when it is frozen and again when it is sent.
func (d *Desk) lawful(ctx context.Context, c *Case) error {
	s := &c.Submission
	act, err := s.textAct()
	if err != nil {
		return err
	}
	var story []*Case
	if act != alert.TextDraft {
		if s.Replaces == nil {
			return &InputError{"cause", actNames[act] + " names the message that it is about"}
		}
		if story, err = d.story(ctx, s); len(story) == 0 {
			return err
		}
	}
	for i := range s.Revision.Infos {
		in := &s.Revision.Infos[i]
		field := fmt.Sprintf("infos[%d]", i)
		rule, err := d.textRule(field, s.Revision.Status, in)
		if err != nil {
			return err
		}
		if s.Revision.Status == alert.Test || rule.Status != "" {
			continue // it says of itself that nothing is real
		}
		if !rule.Carries(act) {
			return &InputError{field + ".template", notCarried(in.Template, act) + d.texts(func(r alert.TextRule) bool { return r.Carries(act) })}
		}
		if act != alert.TextAllClear && slices.Contains(in.ResponseTypes, allClear) && rule.Means != alert.MeansSafe && in.Template != "" {
			return &InputError{field + ".responseTypes", "AllClear belongs to an all-clear; this text says that there is danger"}
		}
		if !s.toReached() {
			continue
		}
		if act == alert.TextCorrect && !corrects(rule, d.means(story[0])) {
			return &InputError{field + ".template", d.corrections(story[0])}
		}
		if err := d.noGraver(field, in, rule.Two, story); err != nil {
			return err
		}
	}
	return nil
}

func (d *Desk) textRule(field string, status alert.Status, in *alert.Info) (alert.TextRule, error) {
	rule, known := d.o.Texts[in.Template]
	switch {
	case !known && in.Template == "":
		return rule, &InputError{field + ".template", "a text of the catalogue"}
	case !known:
		return rule, &InputError{field + ".template", fmt.Sprintf("no such template: %q", in.Template)}
	case rule.Status != "" && status == alert.Actual:
		return rule, &InputError{field + ".template", in.Template + " says that nothing is real: its status is " + string(rule.Status)}
	}
	return rule, nil
}

// actNames are the acts as people call them.
var actNames = map[alert.TextAct]string{
	alert.TextDraft: "a new warning", alert.TextUpdate: "an update (Cập nhật)", alert.TextAllClear: "an all-clear (Hết nguy hiểm)",
	alert.TextCorrect: "a correction (Đính chính)", alert.TextStop: "the notice of a stop (Dừng)",
}

func notCarried(template string, act alert.TextAct) string {
	if template == "" {
		template = "an author's own wording"
	}
	return template + " is no text of " + actNames[act] + "; its texts are "
}

// texts lists the texts of the catalogue that are wanted.
func (d *Desk) texts(wanted func(alert.TextRule) bool) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(d.o.Texts)) {
		if name != "" && wanted(d.o.Texts[name]) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// means is what a message says of the danger, as the person who corrects it
// must know: one that ends a danger is not corrected by "there is no danger",
// and one that names none not by "the danger remains".
func (d *Desk) means(c *Case) alert.Meaning {
	means := alert.MeansNothing
	for i := range c.Submission.Revision.Infos {
		in := &c.Submission.Revision.Infos[i]
		rule, known := d.o.Texts[in.Template]
		switch {
		case rule.Means == alert.MeansSafe || in.Template == "" && slices.Contains(in.ResponseTypes, allClear):
			return alert.MeansSafe
		case !known || rule.Means != alert.MeansNothing:
			means = alert.MeansDanger
		}
	}
	return means
}

// corrects reports whether a text is the correction of what means this: of
// what names no danger, the one that says that there is none.
func corrects(r alert.TextRule, means alert.Meaning) bool {
	if means == alert.MeansNothing {
		return r.Corrects == alert.MeansDanger && r.Means == alert.MeansSafe
	}
	return r.Corrects == means
}

func (d *Desk) corrections(old *Case) string {
	means := d.means(old)
	right := d.texts(func(r alert.TextRule) bool { return r.Carries(alert.TextCorrect) && corrects(r, means) })
	switch means {
	case alert.MeansSafe:
		return "must be " + right + ": the message it corrects says that there is no danger, so its correction says that the danger remains"
	case alert.MeansNothing:
		return "must be " + right + ": the message it corrects names no danger, so none remains"
	default:
		return "must be one of " + right + ": the message it corrects warns of a danger"
	}
}

// CorrectedBy is the text of the catalogue by which one person takes back what
// was sent, "" if there is none: no text of an act says that it is a test.
func (d *Desk) CorrectedBy(c *Case) string {
	if !c.State.Issued() || c.Submission.Revision.Status == alert.Test {
		return ""
	}
	means := d.means(c)
	first, _, _ := strings.Cut(d.texts(func(r alert.TextRule) bool { return r.Carries(alert.TextCorrect) && corrects(r, means) && !r.Two }), ", ")
	return first
}

// noGraver refuses a text to those who were reached that warns of more than
// they were warned of. Only what two people have signed counts as a warning of
// a grave danger, whatever else a template has said in passing.
func (d *Desk) noGraver(field string, in *alert.Info, two bool, story []*Case) error {
	top, evacuated := alert.Minor, false
	var spoken []string
	own := slices.Clone(d.o.Agency)
	for _, c := range story {
		r := c.Submission.Revision
		if s := r.Severity(); s.Rank() > top.Rank() {
			top = s
		}
		if d.grave(r) != "" {
			spoken = append(spoken, append(r.Speaks(), alert.Leave)...)
		}
		for i := range r.Infos {
			evacuated = evacuated || slices.Contains(r.Infos[i].ResponseTypes, evacuate)
			own = append(own, r.Infos[i].Hazard())
			for _, w := range r.Infos[i].OwnWords() {
				own = append(own, w.Text)
			}
		}
	}
	if in.Severity.Rank() > top.Rank() {
		return &InputError{field + ".severity", "at most " + string(top) + ", as in the message it is about; a graver warning is an update, which two people sign"}
	}
	if slices.Contains(in.ResponseTypes, evacuate) && !evacuated {
		return &InputError{field + ".responseTypes", "Evacuate is not what the message it is about says; a new warning is an update, which two people sign"}
	}
	if two {
		return nil // whoever signs it besides its author has read its words
	}
	return asBefore(field, in, own, spoken)
}

const evacuate = alert.ResponseType("Evacuate")

// asBefore refuses new words where a correction or a notice, which one person
// sends, needs none: no list of words knows every way to raise a danger. Own is
// what may be said again, and spoken what slots may speak of.
func asBefore(field string, in *alert.Info, own, spoken []string) error {
	for _, w := range in.OwnWords() {
		text := w.Field == "headline" || w.Field == "description" || w.Field == "instruction" || strings.HasPrefix(w.Field, "slots.")
		switch {
		case slices.Contains(own, w.Text) || strings.HasPrefix(w.Field, "eventCodes") && w.Text == alert.HazardName:
		case !text:
			return &InputError{field + "." + w.Field, "must be as in the message it is about; leave it out and it is. New words are an update, which two people sign"}
		default:
			for _, danger := range alert.GraveWords(w.Text) {
				if danger == alert.Strange || !slices.Contains(spoken, danger) {
					return &InputError{field + "." + w.Field, fmt.Sprintf("speaks of %q, of which the message it is about says nothing; a new warning is an update, which two people sign", danger)}
				}
			}
		}
	}
	return nil
}

// grave says why two people must sign a revision, "" if its author alone may.
// What its author calls it does not decide.
func (d *Desk) grave(r *alert.Revision) string {
	for i := range r.Infos {
		in := &r.Infos[i]
		rule, known := d.o.Texts[in.Template]
		switch {
		case in.Severity.Grave():
			return "it is " + string(in.Severity)
		case in.Grave():
			return "it states a risk level of 3 or higher, or sends people from their homes"
		case !known || rule.Two && in.Template == "":
			return "it is in its author's own words"
		case rule.Two:
			return "two people sign every " + in.Template
		}
	}
	for _, w := range r.OwnWords() {
		if words := alert.GraveWords(w.Text); len(words) > 0 && !slices.Contains(d.o.Agency, w.Text) {
			return fmt.Sprintf("its author's words in %s speak of %q", w.Field, words[0])
		}
	}
	return ""
}

// NeedsTwo reports whether the author alone may not send the case: it, or what
// it takes the place of, warns of a grave danger that is real. A correction or a
// notice of a stop takes back, and any one person may do that, unless its text
// has room for new words.
func (d *Desk) NeedsTwo(ctx context.Context, c *Case) (bool, error) {
	why, err := d.whyTwo(ctx, c)
	return why != "", err
}

func (d *Desk) whyTwo(ctx context.Context, c *Case) (string, error) {
	s := &c.Submission
	if s.Revision.Status != alert.Actual {
		return "", nil
	}
	if s.toReached() {
		return d.newWords(s.Revision), nil
	}
	if why := d.grave(s.Revision); why != "" || s.Replaces == nil {
		return why, nil
	}
	story, err := d.story(ctx, s)
	for _, old := range story {
		if why := d.grave(old.Submission.Revision); why != "" {
			return "of the alert " + string(old.ID) + " that it takes the place of: " + why, nil
		}
	}
	if errors.Is(err, ErrNotFound) && len(story) > 0 {
		return "the alerts that it takes the place of are not all known any more", nil
	}
	return "", err
}

// newWords says why two people must sign what goes to those who were reached,
// "" if its texts are whole as the catalogue has them.
func (d *Desk) newWords(r *alert.Revision) string {
	for i := range r.Infos {
		if name := r.Infos[i].Template; d.o.Texts[name].Two {
			alone := d.texts(func(r alert.TextRule) bool {
				return r.Carries(alert.TextCorrect) && r.Means == alert.MeansSafe && !r.Two
			})
			return "two people sign every " + name + ", for it has its author's words; one person takes an alert back fastest with " + alone + ", or stops it"
		}
	}
	return ""
}

// story lists what a submission takes the place of, the newest first. An error
// says that it is not whole.
func (d *Desk) story(ctx context.Context, s *Submission) ([]*Case, error) {
	var story []*Case
	seen := map[alert.ID]bool{}
	for s.Replaces != nil && !seen[s.Replaces.Alert] {
		seen[s.Replaces.Alert] = true
		c, err := d.o.Store.Case(ctx, s.Replaces.Alert)
		if err != nil {
			return story, fmt.Errorf("desk: what the alert replaces: %w", err)
		}
		story, s = append(story, c), &c.Submission
	}
	return story, nil
}
