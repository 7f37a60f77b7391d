package alert

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Known is what is remembered of an earlier message.
type Known struct {
	Reference
	Alert      ID        // the messages of one alert are related
	Expires    time.Time // zero: it did not say
	Cancelled  bool      // by a Cancel; an update does not cancel
	References []Reference
}

// inForce reports whether people may still be acting on the message.
func (k *Known) inForce(now time.Time) bool {
	return !k.Cancelled && (k.Expires.IsZero() || k.Expires.After(now))
}

// HeldError says that a message refers to messages which have not been seen.
// It is kept until they are, never applied by guess (they may be on the way).
type HeldError struct{ Missing []Reference }

func (e *HeldError) Error() string {
	return fmt.Sprintf("alert: held: %d of the messages that it refers to are unknown (A29, C27)", len(e.Missing))
}

// Reference is how later messages refer to this one.
func (r *Revision) Reference() Reference {
	return Reference{Sender: r.Sender, Identifier: r.Identifier, Sent: r.Sent}
}

// Related lists what a message that follows must refer to: the messages that
// are still in force, oldest first. With none there is nothing to update.
func Related(known []Known, now time.Time) []Reference {
	var refs []Reference
	for i := range known {
		if known[i].inForce(now) {
			refs = append(refs, known[i].Reference)
		}
	}
	slices.SortStableFunc(refs, func(a, b Reference) int {
		return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.Identifier, b.Identifier))
	})
	return slices.Compact(refs)
}

// CheckReferences holds an Update or a Cancel against the messages that are
// known: it must refer to every related message in force and to no other
// alert's, all by its own sender, and never, however far around, to itself.
// Referring to ancestors that are cancelled or expired is no fault. It returns
// FieldErrors, a *HeldError when nothing but knowledge is missing, or nil.
func (r *Revision) CheckReferences(known []Known, now time.Time) error {
	if r.MsgType != MsgUpdate && r.MsgType != MsgCancel {
		return nil
	}
	var f faults
	if len(r.References) == 0 {
		f.add("references", "C21", "an Update or a Cancel names the messages that it is about")
	}
	byName := make(map[[2]string]*Known, len(known))
	for i := range known {
		byName[name(known[i].Reference)] = &known[i]
	}
	seen, missing := r.resolve(&f, byName)
	if r.loops(byName) {
		f.add("references", "A31", "references must not come back to the message itself")
	}
	if len(missing) == 0 && len(r.References) > 0 {
		r.checkRelated(&f, known, seen, now)
	}
	if len(f.all) == 0 && len(missing) > 0 {
		return &HeldError{Missing: missing}
	}
	return f.err()
}

func name(ref Reference) [2]string { return [2]string{ref.Sender, ref.Identifier} }

// resolve finds the messages referred to and returns them with the references
// that nothing is known of.
func (r *Revision) resolve(f *faults, byName map[[2]string]*Known) (seen map[*Known]bool, missing []Reference) {
	seen = map[*Known]bool{}
	for i, ref := range r.References {
		field := at("references", i)
		k := byName[name(ref)]
		switch {
		case name(ref) == name(r.Reference()):
			f.add(field, "C23", "a message cannot refer to itself")
		case ref.Sender != r.Sender:
			f.add(field, "A30", "only its sender can update or cancel a message")
		case k == nil:
			missing = append(missing, ref)
		case !k.Sent.Equal(ref.Sent):
			f.add(field, "C20", "the message of this name was sent at another time")
		default:
			seen[k] = true
		}
	}
	return seen, missing
}

func (r *Revision) checkRelated(f *faults, known []Known, seen map[*Known]bool, now time.Time) {
	alerts, live := map[ID]bool{}, map[ID]bool{}
	for k := range seen {
		alerts[k.Alert] = true
		if k.inForce(now) {
			live[k.Alert] = true
		}
	}
	if len(live) == 0 && len(seen) > 0 {
		f.add("references", "C22", "none of the messages named is in force")
	}
	if len(live) > 1 && r.MsgType == MsgCancel {
		f.add("references", "C26", "a Cancel is for one alert: which of several is meant is not clear")
	}
	for i := range known {
		k := &known[i]
		if alerts[k.Alert] && !seen[k] && k.inForce(now) && name(k.Reference) != name(r.Reference()) {
			f.add("references", "C22", "message "+k.Identifier+" of the same alert is in force and not named")
		}
	}
}

// loops reports whether following references leads back to the revision.
func (r *Revision) loops(byName map[[2]string]*Known) bool {
	visited := map[*Known]bool{}
	queue := slices.Clone(r.References)
	for len(queue) > 0 {
		ref := queue[0]
		queue = queue[1:]
		k := byName[name(ref)]
		if k == nil || visited[k] {
			continue
		}
		visited[k] = true
		for _, next := range k.References {
			if name(next) == name(r.Reference()) {
				return true
			}
			queue = append(queue, next)
		}
	}
	return false
}
