package witness

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"

	"loa/gateway/alert"
	"loa/gateway/audit"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/historytest"
)

// Ledger is what the truth of a run is read from when it is over.
type Ledger interface {
	Batches(ctx context.Context, yield func(delivery.Batch) error) error
	Audit(ctx context.Context, after int64, limit int) ([]audit.Record, error)
}

// sent are the states of alerts that have been submitted.
var sent = []alert.State{alert.Submitted, alert.Returned, alert.Rejected, alert.Approved, alert.Stopped, alert.Superseded, alert.Ended}

// Truth writes down what the ledger says in the end: every batch with what
// became of its recipients, the acts of people, whom corrections went to, and
// the audit records.
func Truth(ctx context.Context, rec *historytest.Recorder, l Ledger, d desk.Store) error {
	begin := historytest.Now()
	run := historytest.Run{Begin: begin, End: begin}
	cases, err := d.Cases(ctx, sent, 0)
	if err != nil {
		return err
	}
	reached := map[alert.ID]*desk.Case{}
	for i := range cases {
		c := &cases[i]
		if err := rec.Record(acted(c, run)...); err != nil {
			return err
		}
		if r := c.Submission.Replaces; r != nil && (c.Submission.Cause == dispatch.Correction || c.Submission.Cause == dispatch.Stopped) {
			reached[c.ID] = c
		}
	}
	err = l.Batches(ctx, func(b delivery.Batch) error {
		for e, err := range historytest.Rows(one(row(b)), begin.Mono) {
			if err != nil {
				return err
			}
			if err := rec.Record(e); err != nil {
				return err
			}
		}
		if c := reached[b.Alert]; c != nil {
			return rec.Record(told(c, b, run)...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return records(ctx, rec, l, run)
}

// acted are the acts of an alert.
func acted(c *desk.Case, run historytest.Run) []historytest.Event {
	s := &c.Submission
	if s.Revision == nil || len(c.Signatures) == 0 {
		return nil
	}
	head := historytest.Event{Alert: string(c.ID), Revision: s.Revision.Number, Areas: plain(s.Communes)}
	var events []historytest.Event
	for _, sig := range c.Signatures {
		e := head
		e.T, e.Hash, e.Person, e.Account = run.Place(sig.At), hex.EncodeToString(sig.Hash[:]), sig.Person, sig.Person
		switch sig.Act {
		case alert.ActSubmit:
			e.Kind, e.Op = historytest.KindSubmit, "alert.submit"
			if s.Cause == dispatch.Correction || s.Cause == dispatch.Stopped {
				e.Op = "alert." + string(s.Cause) // written and submitted in one
			}
			e.Status, e.Severity, e.Priority, e.Expires = s.Revision.Status, s.Revision.Severity(), priority(dispatch.PriorityOf(s.Cause, s.Revision.Severity())), run.Place(s.Revision.Expires())
			events = append(events, e)
			if c.ApprovedAt.IsZero() {
				continue
			}
			// The author's signature sends nothing before the other one is there.
			e.Kind, e.Op, e.T = historytest.KindApproval, "alert.submit", run.Place(c.ApprovedAt)
			events = append(events, e)
		case alert.ActApprove:
			e.Kind = historytest.KindApproval
			events = append(events, e)
		default: // what it does shows in the case's state
		}
	}
	if (c.State == alert.Stopped || c.State == alert.Superseded) && !c.ApprovedAt.IsZero() {
		e := head
		e.Kind, e.T = historytest.KindCancel, run.Place(c.EndedAt)
		events = append(events, e)
	}
	return events
}

// told is whom a correction or a notice goes to: nobody else is eligible.
func told(c *desk.Case, b delivery.Batch, run historytest.Run) []historytest.Event {
	e := historytest.Event{T: run.Place(c.ApprovedAt), Kind: historytest.KindEligible, Alert: string(b.Alert), Revision: b.Revision, Channel: b.Kind,
		Commune: string(b.Commune), IDs: b.Recipients}
	r := c.Submission.Replaces
	by := historytest.Event{T: e.T, Kind: historytest.KindCorrection, Alert: string(r.Alert), Revision: r.Revision, By: string(b.Alert), ByRevision: b.Revision,
		Channel: b.Kind, IDs: b.Recipients}
	return []historytest.Event{e, by}
}

func row(b delivery.Batch) historytest.Row {
	r := historytest.Row{Batch: int64(b.ID), Alert: string(b.Alert), Revision: b.Revision, Channel: b.Kind, Commune: string(b.Commune), Recipients: b.Recipients,
		Reasons: map[int]string{}}
	for _, m := range b.Marks {
		r.Outcomes, r.Attempts = append(r.Outcomes, m.Outcome()), append(r.Attempts, m.Attempt())
	}
	for _, x := range b.Exceptions {
		r.Reasons[x.Index] = fmt.Sprintf("%s %s", x.Fault, x.Code)
	}
	return r
}

func one(r historytest.Row) iter.Seq2[historytest.Row, error] {
	return func(yield func(historytest.Row, error) bool) { yield(r, nil) }
}

// page is how many audit records are read at once.
const page = 1000

func records(ctx context.Context, rec *historytest.Recorder, l Ledger, run historytest.Run) error {
	for after := int64(0); ; {
		rs, err := l.Audit(ctx, after, page)
		if err != nil || len(rs) == 0 {
			return err
		}
		for _, r := range rs {
			after = r.Seq
			err := rec.Record(historytest.Event{T: run.Place(r.At), Kind: historytest.KindAudit, Seq: r.Seq, At: r.At.UTC().UnixNano(), Person: r.Actor, Op: r.Act,
				Object: r.Object, Detail: r.Detail, Prev: r.Prev.String(), Hash: r.Hash.String()})
			if err != nil {
				return err
			}
		}
	}
}
