package audit

import (
	"fmt"
	"time"
)

// Kind is what was done to a record, as far as can be told.
type Kind string

// What can be told of a chain without a checkpoint.
const (
	Edited    Kind = "edited"    // it is not what was sealed
	Rewritten Kind = "rewritten" // it was changed and sealed anew, and the chain goes on from what it was
	Missing   Kind = "missing"   // it was deleted
	Moved     Kind = "moved"     // it stands under another number
	Truncated Kind = "truncated" // it and all after it were deleted
	Added     Kind = "added"     // it stands after the end that the ledger keeps
	Headless  Kind = "head"      // the end that the ledger keeps is gone
)

// Fault is the first place where a chain does not fit.
type Fault struct {
	Kind Kind   `json:"kind"`
	Seq  int64  `json:"seq"`           // the record's number
	To   int64  `json:"to,omitempty"`  // the last of several that are missing
	Act  string `json:"act,omitempty"` // what stands in the record, if it is there
	Text string `json:"text"`          // one sentence
}

func (w *Walk) fault(head *Head) *Fault {
	if m := w.misfit; m != nil {
		if m.next == nil && head != nil {
			m.next = &head.Hash
		}
		last := w.last.Seq
		if head != nil {
			last = max(last, head.Seq)
		}
		return w.classify(m, last)
	}
	last := w.last
	switch {
	case head == nil:
		return &Fault{Kind: Headless, Seq: last.Seq, Act: last.Act, Text: fmt.Sprintf("The end of the record that the ledger keeps apart (audit_head) was deleted; the last record there is has number %d.", last.Seq)}
	case head.Seq > last.Seq:
		f := span(Truncated, last.Seq+1, head.Seq)
		f.Text = fmt.Sprintf("%s at the end: the ledger keeps that its last one had number %d.", f.Text, head.Seq)
		return f
	case head.Seq < last.Seq:
		return &Fault{Kind: Added, Seq: head.Seq + 1, Act: last.Act, Text: fmt.Sprintf("The ledger keeps that its last record has number %d, and there are records up to %d: they were added without it, or the end that it keeps was changed.", head.Seq, last.Seq)}
	case head.Hash != last.Hash:
		return &Fault{Kind: Rewritten, Seq: last.Seq, Act: last.Act, Text: fmt.Sprintf("Record %d, the last, is not the one that the ledger keeps as its end: it, or records before it, were rewritten and sealed anew, or the end that is kept was changed.", last.Seq)}
	}
	return nil
}

// span is a fault of records that are not there.
func span(k Kind, from, to int64) *Fault {
	if from == to {
		return &Fault{Kind: k, Seq: from, Text: fmt.Sprintf("Record %d is missing", from)}
	}
	return &Fault{Kind: k, Seq: from, To: to, Text: fmt.Sprintf("Records %d to %d are missing", from, to)}
}

// classify tells what was done at the first misfit. last is the highest number
// that the chain has had.
func (w *Walk) classify(m *misfit, last int64) *Fault {
	r, due := m.at, m.before.Seq+1
	if r.Seq != due {
		return w.gap(m, last)
	}
	f := &Fault{Kind: Edited, Seq: due, Act: r.Act}
	linked, whole := r.Prev == m.before.Hash, intact(r)
	follows := m.next != nil && *m.next == r.Hash
	switch {
	case whole && due > 1 && follows:
		// What comes after was sealed over this one, and this one over another
		// than stands before it.
		f.Kind, f.Seq, f.Act = Rewritten, m.before.Seq, m.before.Act
		f.Text = fmt.Sprintf("Record %d was rewritten and sealed anew, or everything up to it: record %d was sealed after another one.", f.Seq, due)
	case whole:
		f.Kind = Rewritten
		f.Text = fmt.Sprintf("Record %d was rewritten and sealed anew: it does not follow the record before it.", due)
	case linked && m.next != nil && *m.next == Seal(r.Prev, r):
		f.Text = fmt.Sprintf("Record %d was edited: its hash was changed, and its contents are what was sealed.", due)
	case linked:
		f.Text = fmt.Sprintf("Record %d was edited: its contents (time, actor, act, object, detail) are not what was sealed.", due)
	case Seal(m.before.Hash, r) == r.Hash:
		f.Text = fmt.Sprintf("Record %d was edited: the hash that it keeps of the record before it was changed.", due)
	default:
		if from, ok := sealedAs(r, 1, last); ok {
			f.Kind = Moved
			f.Text = fmt.Sprintf("Record %d is not in its place: there stands the one that was sealed as record %d. Records were reordered or renumbered.", due, from)
			return f
		}
		f.Text = fmt.Sprintf("Record %d was edited: neither its contents nor the hash that it keeps of the record before it are what was sealed.", due)
	}
	return f
}

// gap tells of numbers that are not there, or not the ledger's.
func (w *Walk) gap(m *misfit, last int64) *Fault {
	r, due := m.at, m.before.Seq+1
	if r.Seq < due { // numbers begin with 1
		if from, ok := sealedAs(r, 1, last); ok {
			return &Fault{Kind: Moved, Seq: from, Act: r.Act, Text: fmt.Sprintf("Record %d was renumbered: it stands under number %d.", from, r.Seq)}
		}
		return &Fault{Kind: Added, Seq: r.Seq, Act: r.Act, Text: fmt.Sprintf("There is a record with number %d, and the first one has number 1: it was added.", r.Seq)}
	}
	stray := w.stray
	if !intact(r) {
		stray = &r
	}
	if stray != nil {
		if from, ok := sealedAs(*stray, due, r.Seq-1); ok {
			return &Fault{Kind: Moved, Seq: from, Act: stray.Act, Text: fmt.Sprintf("Record %d was renumbered: it stands under number %d.", from, stray.Seq)}
		}
	}
	f := span(Missing, due, r.Seq-1)
	f.Act = ""
	if r.Prev == m.before.Hash && intact(r) {
		f.Text += fmt.Sprintf(", and record %d was sealed as if they had never been.", r.Seq)
	} else {
		f.Text += ": deleted."
	}
	return f
}

// maxSearch bounds the search for a record's own number.
const maxSearch = 20_000_000

// sealedAs finds the number, from one to another, that a record was sealed with.
func sealedAs(r Record, from, to int64) (int64, bool) {
	for seq := from; seq <= to && seq-from < maxSearch; seq++ {
		r.Seq = seq
		if intact(r) {
			return seq, true
		}
	}
	return 0, false
}

// compare holds the checkpoints against the records that have their numbers.
func (w *Walk) compare(t trusted) []Kept {
	var out []Kept
	good := make([]bool, len(w.kept))
	var upTo int64 // the last record that a checkpoint vouches for
	for i, k := range w.kept {
		if k.err == nil {
			_, w.kept[i].err = t.signed(w.texts[i])
		}
		good[i] = w.kept[i].err == nil && k.found && k.hash == k.Hash
		if good[i] {
			upTo = max(upTo, k.Seq)
		}
	}
	for i, k := range w.kept {
		o := Kept{Seq: k.Seq, At: k.At, Good: good[i]}
		when := k.At.Format(time.RFC3339)
		since := ""
		if upTo > 0 && upTo < k.Seq {
			since = fmt.Sprintf(" after record %d, up to which another checkpoint fits", upTo)
		}
		switch {
		case k.err != nil:
			o.Text = fmt.Sprintf("The checkpoint proves nothing: %s.", k.err)
		case good[i] && w.misfit != nil:
			o.Text = fmt.Sprintf("The checkpoint of %s fits record %d.", when, k.Seq)
		case good[i]:
			o.Text = fmt.Sprintf("The checkpoint of %s fits: records 1 to %d are what they were then.", when, k.Seq)
		case !k.found && k.Seq > w.last.Seq:
			o.Text = fmt.Sprintf("The record was truncated: on %s it had %d records, and now it ends with number %d.", when, k.Seq, w.last.Seq)
		case !k.found:
			o.Text = fmt.Sprintf("Record %d, which was there on %s, is missing.", k.Seq, when)
		default:
			o.Text = fmt.Sprintf("Record %d is not what it was on %s: it, or a record before it, was rewritten%s, and what follows sealed anew.", k.Seq, when, since)
		}
		out = append(out, o)
	}
	return out
}
