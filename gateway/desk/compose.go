package desk

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/dispatch"
)

// DraftInput is what an author writes. The desk gives the rest of a revision:
// names, code, sender, times and references.
type DraftInput struct {
	Status    alert.Status // Actual, Exercise or Test; for an update that of what it replaces
	Infos     []alert.Info
	Kinds     []channels.Kind // empty: every configured channel
	Source    string
	Note      string
	Incidents []string
	// Key makes a repeated call answer with what the first has made. Empty: a
	// repeated call makes another draft.
	Key string
}

// InputError names a field of what was asked for and the rule it breaks.
type InputError struct{ Field, Rule string }

func (e *InputError) Error() string { return e.Field + ": " + e.Rule }

// Draft stores a new draft. It may be incomplete: Submit checks it.
func (d *Desk) Draft(ctx context.Context, token channels.Secret, in DraftInput) (*Case, error) {
	p, err := d.person(ctx, token)
	if err != nil {
		return nil, err
	}
	return d.create(ctx, p, "draft", in, dispatch.Approved, nil)
}

// create stores a draft, or answers with the one that the same key has made.
func (d *Desk) create(ctx context.Context, p Person, act string, in DraftInput, cause dispatch.Cause, replaces *Case) (*Case, error) {
	c, err := d.compose(p, act, in, cause, replaces)
	if err != nil {
		return nil, err
	}
	before, err := d.existing(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if before != nil {
		if err := d.sameInput(ctx, before, c); err != nil {
			return nil, err
		}
		return before, nil
	}
	rec := d.record(c.CreatedAt, p.ID, act, c.ID, nil)
	if err := d.o.Store.Create(ctx, *c, rec); err != nil {
		return nil, err
	}
	return c, nil
}

// sameInput is ErrConflict unless a repeated call asks for what the first has
// made: what the clock, chance and Complete gave is given again. Another error
// says that Complete could not tell.
func (d *Desk) sameInput(ctx context.Context, before, c *Case) error {
	was, r := before.Submission.Revision, *c.Submission.Revision
	r.Code, r.Sent, r.Infos = was.Code, was.Sent, slices.Clone(r.Infos)
	for i := range r.Infos {
		if i < len(was.Infos) && r.Infos[i].Expires.IsZero() {
			r.Infos[i].Expires = was.Infos[i].Expires
		}
	}
	if !was.Sent.IsZero() && d.o.Complete != nil {
		if err := d.o.Complete(ctx, &r); err != nil {
			return err
		}
	}
	if r.Hash() != was.Hash() || !slices.Equal(before.Submission.Kinds, c.Submission.Kinds) {
		return ErrConflict
	}
	return nil
}

// compose makes a case of the input, without storing it.
func (d *Desk) compose(p Person, act string, in DraftInput, cause dispatch.Cause, replaces *Case) (*Case, error) {
	if replaces != nil {
		act += "/" + string(replaces.ID)
	}
	by, key := p.ID, in.Key
	if cause == dispatch.Stopped {
		by, key = "", "notice" // a stop has one notice, whoever gives it
	}
	id, err := d.newID(by, act, key)
	if err != nil {
		return nil, err
	}
	code, err := alert.NewCode(d.o.Rand)
	if err != nil {
		return nil, err
	}
	c := &Case{ID: id, State: alert.Drafted, Author: p, CreatedAt: d.o.Now()}
	r := &alert.Revision{Alert: id, Number: 1, Code: code, Identifier: id.Identifier(1), Sender: d.o.Sender, MsgType: alert.MsgAlert, Scope: alert.Public}
	c.Submission = Submission{Revision: r, Cause: cause}
	if replaces != nil {
		old := replaces.Submission.Revision
		if in.Status, err = sameStatus(in.Status, old.Status); err != nil {
			return nil, err
		}
		r.MsgType = alert.MsgUpdate
		r.References = append(slices.Clone(old.References), old.Reference())
		c.Submission.Replaces = &dispatch.Reached{Alert: old.Alert, Revision: old.Number}
	}
	return c, d.fill(c, in)
}

// sameStatus refuses another status than that of the message it is about: no
// exercise ends a real warning, and none becomes one.
func sameStatus(given, old alert.Status) (alert.Status, error) {
	if given != "" && given != old {
		return "", &InputError{"status", "must be " + string(old) + ", as that of the message it is about; leave it out and it is"}
	}
	return old, nil
}

// fill puts the author's input into the case.
func (d *Desk) fill(c *Case, in DraftInput) error {
	switch in.Status {
	case alert.Actual, alert.Exercise, alert.Test:
	default:
		return &InputError{"status", "one of Actual, Exercise, Test"}
	}
	kinds := in.Kinds
	if len(kinds) == 0 {
		kinds = d.o.Kinds
	}
	for _, k := range kinds {
		if !slices.Contains(d.o.Kinds, k) {
			return &InputError{"kinds", fmt.Sprintf("channel %q is not configured", string(k))}
		}
	}
	r := c.Submission.Revision
	r.Status, r.Infos, r.Source, r.Note, r.Incidents = in.Status, in.Infos, in.Source, in.Note, in.Incidents
	c.Submission.Kinds = slices.Compact(slices.Sorted(slices.Values(kinds)))
	return nil
}

// Edit replaces what the author wrote, in a draft or a returned alert.
func (d *Desk) Edit(ctx context.Context, token channels.Secret, id alert.ID, in DraftInput) (*Case, error) {
	p, c, err := d.acting(ctx, token, id)
	if err != nil {
		return nil, err
	}
	if p.ID != c.Author.ID {
		return nil, fmt.Errorf("%w: only its author edits a draft", ErrNoAuthority)
	}
	if c.Submission.toReached() {
		return nil, &InputError{"cause", "a correction is not edited: make another of the alert"}
	}
	from := c.State
	if from != alert.Drafted && from != alert.Returned {
		return nil, &alert.MoveError{From: from, Act: alert.ActEdit}
	}
	r := *c.Submission.Revision
	c.Submission.Revision = &r
	if c.Submission.Replaces != nil {
		if in.Status, err = sameStatus(in.Status, r.Status); err != nil {
			return nil, err
		}
	}
	if err := d.fill(c, in); err != nil {
		return nil, err
	}
	c.Hash = SubmissionHash{}
	c.Submission.Communes, c.Submission.HeadCount, c.Submission.Unheard = nil, nil, nil
	return c, d.o.Store.Apply(ctx, Change{Case: *c, From: from, Records: records(d.record(d.o.Now(), p.ID, "edit", id, nil))})
}

// Submit freezes the text and the area, counts who would be addressed, and
// gives the hash that is to be signed. Errors of the text are those of
// alert.Validate.
func (d *Desk) Submit(ctx context.Context, token channels.Secret, id alert.ID) (*Case, error) {
	p, c, err := d.acting(ctx, token, id)
	if err != nil {
		return nil, err
	}
	if p.ID != c.Author.ID {
		return nil, fmt.Errorf("%w: only its author submits a draft", ErrNoAuthority)
	}
	from := c.State
	if c.State, err = from.Move(alert.ActSubmit); err != nil {
		return nil, err
	}
	c.Author = p // the territory as it is now
	now, err := d.freeze(ctx, p, c)
	if err != nil {
		return nil, err
	}
	rec := d.record(now, p.ID, "submit", id, map[string]any{"hash": c.Hash.String()})
	return c, d.o.Store.Apply(ctx, Change{Case: *c, From: from, Records: records(rec)})
}

// gravest is the gravest of the infos that are wanted, the first among equals;
// nil if none is.
func gravest(infos []alert.Info, wanted func(*alert.Info) bool) *alert.Info {
	var top *alert.Info
	for i := range infos {
		if in := &infos[i]; wanted(in) && (top == nil || in.Severity.Rank() > top.Severity.Rank()) {
			top = in
		}
	}
	return top
}

// asIn gives an info what it leaves out and the revision that it is about has
// said, in its language if it spoke it: a correction need not be filled in anew.
// Each of its infos is for every commune, so all are as grave as the gravest of
// the old, whatever their language.
func asIn(in *alert.Info, old *alert.Revision) {
	top := gravest(old.Infos, func(*alert.Info) bool { return true })
	if top == nil {
		return
	}
	was := cmp.Or(gravest(old.Infos, func(x *alert.Info) bool { return x.Lang() == in.Lang() }), top)
	if len(in.Categories) == 0 {
		in.Categories = was.Categories
	}
	in.Event = cmp.Or(in.Event, was.Event)
	in.Urgency = cmp.Or(in.Urgency, top.Urgency)
	in.Severity = cmp.Or(in.Severity, top.Severity)
	in.Certainty = cmp.Or(in.Certainty, top.Certainty)
}

// errArea refuses areas where the desk knows them better.
var errArea = &InputError{"infos", "give no area: it goes to exactly those who were reached"}

// overAreas gives infos the areas of the revision they are about.
func overAreas(infos []alert.Info, old *alert.Revision) ([]alert.Info, error) {
	var codes []alert.NamedValue
	for _, c := range old.Targets() {
		codes = append(codes, alert.NamedValue{Name: area.ValueName, Value: string(c)})
	}
	desc := ""
	for i := range old.Infos {
		for _, a := range old.Infos[i].Areas {
			if desc == "" {
				desc = a.Desc
			}
		}
	}
	out := slices.Clone(infos)
	for i := range out {
		if len(out[i].Areas) > 0 {
			return nil, errArea
		}
		asIn(&out[i], old)
		out[i].Areas = []alert.Area{{Desc: desc, Geocodes: codes}}
	}
	return out, nil
}
