package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/audit"
	"loa/gateway/dispatch"
)

func records(rs ...audit.Record) []audit.Record { return rs }

// Return gives a submission back to its author with a reason.
func (d *Desk) Return(ctx context.Context, token channels.Secret, id alert.ID, reason string) (*Case, error) {
	return d.refuse(ctx, token, id, alert.ActReturn, reason)
}

// Reject ends a submission with a reason.
func (d *Desk) Reject(ctx context.Context, token channels.Secret, id alert.ID, reason string) (*Case, error) {
	return d.refuse(ctx, token, id, alert.ActReject, reason)
}

func (d *Desk) refuse(ctx context.Context, token channels.Secret, id alert.ID, act alert.Act, reason string) (*Case, error) {
	p, c, err := d.acting(ctx, token, id)
	if err != nil {
		return nil, err
	}
	from := c.State
	if c.State, err = from.Move(act); err != nil {
		return nil, err
	}
	if err := d.within(p, c.Submission.Communes); err != nil {
		return nil, err
	}
	now := d.o.Now()
	c.sign(p, act, now)
	rec := d.record(now, p.ID, string(act), id, map[string]any{"hash": c.Hash.String(), "reason": clip(reason)})
	return c, d.o.Store.Apply(ctx, Change{Case: *c, From: from, Records: records(rec)})
}

// Approve signs a submission by its hash and sends it. The state, the
// signature, the audit record, the queue intent and the end of what it replaces
// become durable together. An Actual alert of a grave danger, and whatever
// replaces one, needs a person who is not its author (NeedsTwo); both need
// authority over every commune. Approving twice has one effect.
func (d *Desk) Approve(ctx context.Context, token channels.Secret, id alert.ID, hash SubmissionHash, key string) (*Case, error) {
	p, c, err := d.acting(ctx, token, id)
	if err != nil {
		return nil, err
	}
	if c.approvedBy(p, hash) {
		return c, nil
	}
	if _, err := c.State.Move(alert.ActApprove); err != nil {
		return nil, err
	}
	if hash != c.Hash || c.Hash != c.Submission.Hash() {
		return nil, ErrHash
	}
	for _, who := range []Person{p, c.Author} {
		if err := d.within(who, c.Submission.Communes); err != nil {
			return nil, err
		}
	}
	if p.ID == c.Author.ID {
		why, err := d.whyTwo(ctx, c)
		if err != nil {
			return nil, err
		}
		if why != "" {
			return nil, fmt.Errorf("%w: %s", ErrOwnAlert, why)
		}
	}
	approved, err := d.send(ctx, p, c, key)
	if errors.Is(err, ErrConflict) {
		// The same call may have come twice at once.
		if c, err := d.o.Store.Case(ctx, id); err == nil && c.approvedBy(p, hash) {
			return c, nil
		}
	}
	return approved, err
}

func (c *Case) approvedBy(p Person, hash SubmissionHash) bool {
	return c.State == alert.Approved && slices.ContainsFunc(c.Signatures, func(s Signature) bool {
		return s.Person == p.ID && s.Act == alert.ActApprove && s.Hash == hash
	})
}

// send makes a submitted case approved.
func (d *Desk) send(ctx context.Context, p Person, c *Case, key string) (*Case, error) {
	// One at a time, so that of two that would replace the same alert the second
	// sees the first.
	select {
	case d.sending <- struct{}{}:
		defer func() { <-d.sending }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := d.o.Now()
	s := &c.Submission
	if !now.Before(s.Revision.Expires()) {
		return nil, &InputError{"expires", "the alert has expired; return it to its author"}
	}
	if err := d.lawful(ctx, c); err != nil {
		return nil, err
	}
	if err := d.stillSigned(ctx, s); err != nil {
		return nil, err
	}
	if d.o.Check != nil {
		// A deadline in the text may have passed since it was submitted.
		if err := d.o.Check(ctx, s); err != nil {
			return nil, fmt.Errorf("desk: the text cannot be sent any more, return it to its author: %w", err)
		}
	}
	next := *c
	next.State, next.ApprovedAt = alert.Approved, now
	next.sign(p, alert.ActApprove, now)
	change := Change{Case: next, From: c.State, Key: applyKey(alert.ActApprove, c.ID, p, key)}
	change.Records = records(d.record(now, p.ID, string(alert.ActApprove), c.ID, map[string]any{"hash": c.Hash.String(), "cause": string(s.Cause)}))
	if s.Replaces != nil && s.Cause != dispatch.Stopped {
		if err := d.supersede(ctx, p, &change, s.Replaces.Alert); err != nil {
			return nil, err
		}
	}
	var err error
	if change.Requests, err = d.intent(ctx, &next); err != nil {
		return nil, err
	}
	if err := d.o.Store.Apply(ctx, change); err != nil {
		return nil, err
	}
	d.ended(change.Supersede...)
	d.woke()
	return &next, nil
}

// supersede puts the end of the old alert into the change. One that has expired
// meanwhile needs no end; one that another has replaced is a conflict.
func (d *Desk) supersede(ctx context.Context, p Person, change *Change, id alert.ID) error {
	old, err := d.o.Store.Case(ctx, id)
	if err != nil {
		return fmt.Errorf("desk: what the alert replaces: %w", err)
	}
	if old.State == alert.Ended {
		return nil
	}
	if _, err := old.State.Move(alert.ActSupersede); err != nil {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	for _, who := range []Person{p, change.Case.Author} {
		if err := d.within(who, old.Submission.Communes); err != nil {
			return err
		}
	}
	change.Supersede = []alert.ID{id}
	change.Records = append(change.Records, d.record(d.o.Now(), p.ID, string(alert.ActSupersede), id, map[string]any{"by": string(change.Case.ID)}))
	return nil
}

// stillSigned refuses to send to many more people than were counted when the
// alert was submitted: the head-count is part of what is signed. A tenth, or a
// hundred people, may have subscribed meanwhile.
func (d *Desk) stillSigned(ctx context.Context, s *Submission) error {
	if s.toReached() {
		return nil
	}
	heads, err := d.o.HeadCount(ctx, s.Communes, s.Revision.Status != alert.Actual)
	if err != nil {
		return fmt.Errorf("desk: head-count: %w", err)
	}
	for _, k := range s.Kinds {
		if signed := s.HeadCount[k]; heads[k] > signed+max(100, signed/10) {
			return &InputError{"headCount", fmt.Sprintf("%s has grown from %d to %d since the alert was submitted: return it, so that it is submitted and signed again", k, signed, heads[k])}
		}
	}
	return nil
}
