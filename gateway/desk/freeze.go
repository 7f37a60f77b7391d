package desk

import (
	"context"
	"fmt"
	"slices"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/dispatch"
)

// freeze completes and checks a submission, hashes it, and signs it as its
// author's.
func (d *Desk) freeze(ctx context.Context, p Person, c *Case) (time.Time, error) {
	now := d.o.Now()
	s := &c.Submission
	r := *s.Revision
	r.Sent = now.Truncate(time.Second)
	for _, ref := range r.References {
		if ref.Sent.After(r.Sent) {
			r.Sent = ref.Sent // the clock was set back meanwhile; a correction cannot wait for it
		}
	}
	r.Infos = slices.Clone(r.Infos)
	s.Revision = &r
	if err := d.ownCode(ctx, c, &r); err != nil {
		return now, err
	}
	if err := d.lawful(ctx, c); err != nil {
		return now, err
	}
	if d.o.Complete != nil {
		if err := d.o.Complete(ctx, &r); err != nil {
			return now, err
		}
	}
	if err := r.Validate(); err != nil {
		return now, err
	}
	communes, err := d.o.Expand(r.Targets())
	if err != nil {
		return now, err
	}
	if err := d.within(p, communes); err != nil {
		return now, err
	}
	s.Communes = communes
	if err := d.covers(ctx, s); err != nil {
		return now, err
	}
	if err := d.count(ctx, s); err != nil {
		return now, err
	}
	if d.o.Check != nil {
		if err := d.o.Check(ctx, s); err != nil {
			return now, err
		}
	}
	c.Hash = s.Hash()
	c.sign(p, alert.ActSubmit, now)
	return now, nil
}

// codesHeld is of how many alerts, the newest, a new one's code must differ.
const codesHeld = 1000

// ownCode gives the revision another code while another alert that people may
// have before them, or soon will, has the same.
func (d *Desk) ownCode(ctx context.Context, c *Case, r *alert.Revision) error {
	others, err := d.o.Store.Cases(ctx, []alert.State{alert.Submitted, alert.Approved, alert.Stopped}, codesHeld)
	if err != nil && !c.Submission.toReached() { // nothing but its own faults may hold up a correction
		return fmt.Errorf("desk: codes in use: %w", err)
	}
	taken := map[string]bool{}
	for i := range others {
		if other := others[i].Submission.Revision; others[i].ID != c.ID && d.o.Now().Before(other.Expires()) {
			taken[other.Code] = true
		}
	}
	for taken[r.Code] {
		if r.Code, err = alert.NewCode(d.o.Rand); err != nil {
			return err
		}
	}
	return nil
}

// covers refuses an update or an all-clear of what another has replaced
// meanwhile, and one that leaves out a commune of the alert it replaces: people
// there would silently lose a warning that was not withdrawn for them.
func (d *Desk) covers(ctx context.Context, s *Submission) error {
	if s.Replaces == nil || s.toReached() {
		return nil
	}
	old, err := d.o.Store.Case(ctx, s.Replaces.Alert)
	if err != nil {
		return fmt.Errorf("desk: what the alert replaces: %w", err)
	}
	if old.State != alert.Ended {
		if err := d.replaceable(ctx, old); err != nil {
			return err
		}
	}
	var missing []area.Code
	for _, c := range old.Submission.Communes {
		if _, found := slices.BinarySearch(s.Communes, c); !found {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &InputError{"infos.areas", fmt.Sprintf("must hold every commune of the alert it replaces; %d are missing, the first is %s", len(missing), missing[0])}
}

// count fills in the head-count of the chosen channels, and who cannot be
// reached because their channel is not configured. What goes to those who
// were reached has none: receipts may still add to them.
func (d *Desk) count(ctx context.Context, s *Submission) error {
	if s.toReached() {
		return nil
	}
	roster := s.Revision.Status != alert.Actual
	heads, err := d.o.HeadCount(ctx, s.Communes, roster)
	if err != nil {
		return fmt.Errorf("desk: head-count: %w", err)
	}
	s.Unheard = nil
	for k, n := range heads {
		if n == 0 || slices.Contains(d.o.Kinds, k) {
			continue
		}
		if s.Unheard == nil {
			s.Unheard = map[channels.Kind]int{}
		}
		s.Unheard[k] = n
	}
	s.HeadCount = make(map[channels.Kind]int, len(s.Kinds))
	total := 0
	for _, k := range s.Kinds {
		s.HeadCount[k] = heads[k]
		total += heads[k]
	}
	if roster && total > dispatch.MaxRoster {
		return dispatch.ErrRoster
	}
	return nil
}

// toReached reports whether the submission goes to those who may have got what
// it replaces, and not to areas.
func (s *Submission) toReached() bool {
	return s.Cause == dispatch.Correction || s.Cause == dispatch.Stopped
}

func (c *Case) sign(p Person, act alert.Act, at time.Time) {
	c.Signatures = append(slices.Clone(c.Signatures), Signature{Person: p.ID, Name: p.Name, Act: act, Hash: c.Hash, At: at})
}
