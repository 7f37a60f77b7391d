package historytest

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"loa/channels"
)

// Person is one recipient as the harness drew it, independent of the ledger.
type Person struct {
	ID      int64 // endpoint id
	Channel channels.Kind
	Commune string
}

// Eligible is the snapshot of who must hear a revision, by channel and commune.
// At is when it was taken, on the monotonic clock.
func Eligible(alert string, revision int, at int64, people []Person) []Event {
	type cell struct {
		kind    channels.Kind
		commune string
	}
	ids := map[cell][]int64{}
	for _, p := range people {
		c := cell{p.Channel, p.Commune}
		ids[c] = append(ids[c], p.ID)
	}
	var out []Event
	for c, list := range ids {
		out = append(out, Event{T: at, Kind: KindEligible, Alert: alert, Revision: revision, Channel: c.kind, Commune: c.commune, IDs: list})
	}
	slices.SortFunc(out, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Commune, b.Commune))
	})
	return out
}

// Row is one batch as the ledger holds it at the end of a run. Outcomes and
// Attempts are parallel to Recipients; Reasons are the codes or faults of
// exceptions, by index.
type Row struct {
	Batch      int64
	Alert      string
	Revision   int
	Channel    channels.Kind
	Commune    string
	Recipients []int64
	Outcomes   []channels.Outcome
	Attempts   []uint8
	Reasons    map[int]string
}

// Rows turns the ledger's batches into the batches and last outcomes of a
// history. At is when they were read, on the monotonic clock: everything of the
// run was before it.
func Rows(rows iter.Seq2[Row, error], at int64) History {
	return func(yield func(Event, error) bool) {
		for r, err := range rows {
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range r.events(at) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Orphans are the recipients that a ledger without a living process shows as
// being sent to: their calls are in doubt. At is when the last process ended.
func Orphans(rows iter.Seq2[Row, error], at int64) History {
	return func(yield func(Event, error) bool) {
		for r, err := range rows {
			if err != nil {
				yield(Event{}, err)
				return
			}
			for i, o := range r.Outcomes {
				e := Event{T: at, Kind: KindOutcome, Batch: r.Batch, Index: i, Outcome: channels.Ambiguous.String(), Reason: "its process ended"}
				if i < len(r.Attempts) {
					e.Attempt = r.Attempts[i]
				}
				if o == channels.Sending && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// events gathers recipients with equal states, so that a batch of a thousand
// is a few events.
func (r *Row) events(at int64) []Event {
	type state struct {
		outcome channels.Outcome
		attempt uint8
		reason  string
	}
	out := []Event{{T: at, Kind: KindBatch, Batch: r.Batch, Alert: r.Alert, Revision: r.Revision, Channel: r.Channel, Commune: r.Commune, IDs: r.Recipients}}
	place := map[state]int{}
	for i, o := range r.Outcomes {
		s := state{o, 0, r.Reasons[i]}
		if i < len(r.Attempts) {
			s.attempt = r.Attempts[i]
		}
		n, ok := place[s]
		if !ok {
			n = len(out)
			place[s] = n
			out = append(out, Event{T: at, Kind: KindOutcome, Batch: r.Batch, Attempt: s.attempt, Outcome: s.outcome.String(), Reason: s.reason})
		}
		out[n].Indexes = append(out[n].Indexes, i)
	}
	return out
}

// Record is one audit record as the ledger holds it; Prev and Hash in hex.
type Record struct {
	Seq                        int64
	At                         time.Time
	Actor, Act, Object, Detail string
	Prev, Hash                 string
}

// Audit turns the ledger's audit records into events. A record's place in time
// is what it says itself; Loa writes it in the transaction of its act.
func Audit(records iter.Seq2[Record, error], run Run) History {
	return func(yield func(Event, error) bool) {
		for r, err := range records {
			if err != nil {
				yield(Event{}, err)
				return
			}
			e := Event{T: run.Place(r.At), Kind: KindAudit, Seq: r.Seq, At: r.At.UTC().UnixNano(), Person: r.Actor, Op: r.Act,
				Object: r.Object, Detail: r.Detail, Prev: r.Prev, Hash: r.Hash}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Sources are what a run in separate processes leaves behind.
type Sources struct {
	Run            Run
	Recorded       string  // folder of recorders; empty: none
	Acts           []Event // submissions, signatures, snapshots, stops, corrections, backlogs
	SMS, Push      string  // books files; empty: none
	SMSName        string  // the providers' names in the configuration
	PushName       string
	Shown          iter.Seq[Shown] // nil: no apps
	Rows           iter.Seq2[Row, error]
	Audit          iter.Seq2[Record, error]
	Read           int64 // when Rows were read, on the monotonic clock
	ByNumber       func(string) int64
	BySubscription func(int) int64
	ByInstall      func(int) int64
}

// History joins the sources. It fails if the wall clock was set during the
// run, as the times of books and rows could not be believed.
func (s Sources) History() (History, error) {
	if err := s.Run.Check(); err != nil {
		return nil, err
	}
	all := []History{Of(s.Acts...)}
	if s.Rows != nil {
		all = append(all, Rows(s.Rows, s.Read))
	}
	if s.Recorded != "" {
		all = append(all, ReadDir(s.Recorded))
	}
	if s.SMS != "" {
		all = append(all, SMSBooks(s.SMS, s.SMSName, s.Run, s.ByNumber))
	}
	if s.Push != "" {
		all = append(all, PushBooks(s.Push, s.PushName, s.Run, s.BySubscription))
	}
	if s.Shown != nil {
		all = append(all, AppBooks(s.Shown, s.Run, s.ByInstall))
	}
	if s.Audit != nil {
		all = append(all, Audit(s.Audit, s.Run))
	}
	return Join(all...), nil
}
