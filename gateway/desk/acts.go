package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/dispatch"
)

// StopInput says why an alert is stopped (Dừng) and what, if anything, those
// who were reached are told. A stop says nothing about the danger.
type StopInput struct {
	Reason string
	Status alert.Status // of the notice: that of the alert, or empty
	Notice []alert.Info // without areas; none: nobody is told
	Key    string       // makes a repeated call one notice
}

// CorrectInput is what takes the place of a mistaken alert (Đính chính).
type CorrectInput struct {
	Reason string
	Status alert.Status // that of what it corrects, or empty
	Infos  []alert.Info // without areas: it goes to exactly those who were reached. What they leave out is as in the alert.
	Key    string       // makes a repeated call one correction
	// Preview asks what would be sent: nothing is stored or sent, and the case is
	// a draft that nobody can find.
	Preview bool
}

// correctionLife is how long a correction or a notice is sent when its author
// does not say.
const correctionLife = 12 * time.Hour

// Stop stops sending an alert. Any one person with authority over its area may.
// The stop is durable before a notice, if there is one, is made; stopping what
// is stopped already is no error. A stop has one notice: the same given again,
// by whomever, is that one, and another is ErrConflict.
func (d *Desk) Stop(ctx context.Context, token channels.Secret, id alert.ID, in StopInput) (*Case, error) {
	p, c, err := d.acting(ctx, token, id)
	if err != nil {
		return nil, err
	}
	if !c.State.Issued() {
		return nil, &alert.MoveError{From: c.State, Act: alert.ActStop}
	}
	if err := d.within(p, c.Submission.Communes); err != nil {
		return nil, err
	}
	if c.State != alert.Stopped {
		if c, err = d.stop(ctx, p, c, in); err != nil {
			return nil, err
		}
	}
	if len(in.Notice) > 0 {
		_, err = d.tellReached(ctx, p, c, dispatch.Stopped, CorrectInput{Reason: in.Reason, Status: in.Status, Infos: in.Notice, Key: in.Key})
		if err != nil {
			return c, fmt.Errorf("desk: the alert is stopped, but its notice is not sent: %w", err)
		}
	}
	return c, nil
}

func (d *Desk) stop(ctx context.Context, p Person, c *Case, in StopInput) (*Case, error) {
	from, now := c.State, d.o.Now()
	next := *c
	var err error
	if next.State, err = from.Move(alert.ActStop); err != nil {
		return nil, err
	}
	next.EndedAt = now
	next.sign(p, alert.ActStop, now)
	rec := d.record(now, p.ID, string(alert.ActStop), c.ID, map[string]any{"reason": clip(in.Reason)})
	err = d.o.Store.Apply(ctx, Change{Case: next, From: from, Records: records(rec), Key: applyKey(alert.ActStop, c.ID, p, in.Key)})
	if errors.Is(err, ErrConflict) {
		// Somebody else may have stopped it at the same moment.
		if stopped, err := d.o.Store.Case(ctx, c.ID); err == nil && stopped.State == alert.Stopped {
			return stopped, nil
		}
	}
	if err != nil {
		return nil, err
	}
	d.ended(c.ID)
	return &next, nil
}

// Correct stops an alert and sends its correction, before all else, to exactly
// those who may have got it. Any one person with authority over its area may. A
// text that has its author's words waits, submitted, until another person
// approves it, and the alert stands until then. It returns the correction's case.
func (d *Desk) Correct(ctx context.Context, token channels.Secret, id alert.ID, in CorrectInput) (*Case, error) {
	p, old, err := d.acting(ctx, token, id)
	if err != nil {
		return nil, err
	}
	if !old.State.Issued() {
		return nil, &alert.MoveError{From: old.State, Act: alert.ActSupersede}
	}
	if err := d.within(p, old.Submission.Communes); err != nil {
		return nil, err
	}
	if len(in.Infos) == 0 {
		return nil, &InputError{"infos", "a correction needs a text"}
	}
	return d.tellReached(ctx, p, old, dispatch.Correction, in)
}

// tellReached composes, signs and sends a text to those whom the old alert may
// have reached.
func (d *Desk) tellReached(ctx context.Context, p Person, old *Case, cause dispatch.Cause, in CorrectInput) (*Case, error) {
	infos, err := overAreas(in.Infos, old.Submission.Revision)
	if err != nil {
		return nil, err
	}
	kinds := d.storyKinds(ctx, old)
	// Why it is sent is for the audit: a note would be read by the public.
	c, err := d.compose(p, string(cause), DraftInput{Status: in.Status, Infos: infos, Kinds: kinds, Key: in.Key}, cause, old)
	if err != nil {
		return nil, err
	}
	if in.Preview {
		return c, d.freezeToReached(ctx, p, c, old)
	}
	before, err := d.existing(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if before != nil {
		if err := d.sameInput(ctx, before, c); err != nil {
			return nil, err
		}
		switch {
		case before.State.Issued():
			return before, nil
		case before.State != alert.Submitted: // returned or rejected: another key makes another
			return nil, fmt.Errorf("desk: %s, which the same key has made, is not sent: %w", before.ID, &alert.MoveError{From: before.State, Act: alert.ActApprove})
		}
		c = before
	} else {
		if err := d.freezeToReached(ctx, p, c, old); err != nil {
			return nil, err
		}
		c.State = alert.Submitted
		rec := d.record(c.CreatedAt, p.ID, string(cause), c.ID, map[string]any{"of": string(old.ID), "hash": c.Hash.String(), "reason": clip(in.Reason)})
		if err := d.o.Store.Create(ctx, *c, rec); err != nil {
			return nil, err
		}
	}
	if why, err := d.whyTwo(ctx, c); err != nil || why != "" {
		return c, err // it waits for another person
	}
	return d.send(ctx, p, c, in.Key)
}

// freezeToReached freezes a text to those whom the old alert may have reached.
func (d *Desk) freezeToReached(ctx context.Context, p Person, c, old *Case) error {
	if c.Submission.Cause == dispatch.Correction {
		if err := d.replaceable(ctx, old); err != nil {
			return err
		}
	}
	infos := c.Submission.Revision.Infos
	for i := range infos {
		if infos[i].Expires.IsZero() {
			infos[i].Expires = d.o.Now().Truncate(time.Second).Add(correctionLife)
		}
	}
	_, err := d.freeze(ctx, p, c)
	return err
}

// storyKinds lists the channels of an alert, and those still configured of the
// alerts whose place it took: who heard the beginning hears the correction. It
// ends where an alert cannot be read, which must hold up no correction.
func (d *Desk) storyKinds(ctx context.Context, c *Case) []channels.Kind {
	kinds := slices.Clone(c.Submission.Kinds)
	story, _ := d.story(ctx, &c.Submission)
	for _, before := range story {
		for _, k := range before.Submission.Kinds {
			if !slices.Contains(kinds, k) && slices.Contains(d.o.Kinds, k) {
				kinds = append(kinds, k)
			}
		}
	}
	return kinds
}

// replaceable refuses what nothing can take the place of any more, and names
// what already has.
func (d *Desk) replaceable(ctx context.Context, old *Case) error {
	_, err := old.State.Move(alert.ActSupersede)
	if err == nil || old.State != alert.Superseded {
		return err
	}
	sent := []alert.State{alert.Approved, alert.Stopped, alert.Superseded, alert.Ended}
	all, _ := d.o.Store.Cases(ctx, sent, codesHeld) // the refusal stands without the name
	by := map[alert.ID]alert.ID{}
	for i := range all {
		if s := &all[i].Submission; s.Replaces != nil && s.Cause != dispatch.Stopped {
			by[s.Replaces.Alert] = all[i].ID
		}
	}
	live := old.ID
	for range len(by) {
		next, ok := by[live]
		if !ok {
			break
		}
		live = next
	}
	if live == old.ID {
		return err
	}
	return &SupersededError{Alert: old.ID, By: live}
}

// Update drafts what shall take the place of a live or stopped alert (Cập
// nhật). It goes to the communes of its own infos once it is submitted and
// approved; until then the old alert stands. Whoever drafts and approves it
// needs authority over the whole area of the old alert, which it ends.
func (d *Desk) Update(ctx context.Context, token channels.Secret, id alert.ID, in DraftInput) (*Case, error) {
	p, old, err := d.acting(ctx, token, id)
	if err != nil {
		return nil, err
	}
	if err := d.replaceable(ctx, old); err != nil {
		return nil, err
	}
	if err := d.within(p, old.Submission.Communes); err != nil {
		return nil, err
	}
	return d.create(ctx, p, "update", in, dispatch.Updated, old)
}

// AllClear drafts the end of the danger (Hết nguy hiểm): an update whose every
// info says AllClear.
func (d *Desk) AllClear(ctx context.Context, token channels.Secret, id alert.ID, in DraftInput) (*Case, error) {
	for i := range in.Infos {
		if !slices.Contains(in.Infos[i].ResponseTypes, allClear) {
			return nil, &InputError{fmt.Sprintf("infos[%d].responseTypes", i), "an all-clear says AllClear"}
		}
	}
	return d.Update(ctx, token, id, in)
}

// expireAtOnce is how many alerts one sweep ends.
const expireAtOnce = 100

// Expire ends live alerts whose expiry has passed and returns how many.
func (d *Desk) Expire(ctx context.Context) (int, error) {
	now := d.o.Now()
	ids, err := d.o.Store.Expired(ctx, now, expireAtOnce)
	if err != nil {
		return 0, fmt.Errorf("desk: list expired alerts: %w", err)
	}
	var faults []error
	n := 0
	for _, id := range ids {
		c, err := d.o.Store.Case(ctx, id)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		from := c.State
		if c.State, err = from.Move(alert.ActEnd); err != nil {
			continue // somebody was quicker
		}
		c.EndedAt = now
		err = d.o.Store.Apply(ctx, Change{Case: *c, From: from, Records: records(d.record(now, "system", string(alert.ActEnd), id, nil))})
		if err != nil {
			if !errors.Is(err, ErrConflict) {
				faults = append(faults, fmt.Errorf("desk: end alert %s: %w", id, err))
			}
			continue
		}
		n++
		d.ended(id)
	}
	return n, errors.Join(faults...)
}
