// Package historytest judges what a run of Loa did. A history is an
// append-only list of events written by every process that took part: what
// clients asked, who signed, what was claimed, which calls to a provider began
// and how they ended, and, as ground truth, what the provider's own books say.
// Check holds it against the invariants I1 to I14 and says of each whether it
// was kept, broken, or cannot be judged.
//
// It is a witness and must stay independent: it knows the words of alerts and
// channels and nothing of desk, delivery, ledger, queue or any driver. What it
// needs of their formats (a delivery reference, the seal of an audit record,
// the lines of a stand-in's books) it reads by its own code.
package historytest

import (
	"loa/channels"
	"loa/gateway/alert"
)

// Kind says what happened.
type Kind string

// The kinds of events. Of each, the fields that count are listed.
const (
	KindCall       Kind = "call"       // a client's request: Phase, Op ("approve", "stop"), ID, Alert, Revision
	KindSubmit     Kind = "submit"     // Alert, Revision, Hash, Status, Severity, Priority, Expires, Areas, Person
	KindApproval   Kind = "approval"   // one signature: Alert, Revision, Hash, Person, Account, Device, StepUp, Areas, BreakGlass; Op: its audit act, if another
	KindEligible   Kind = "eligible"   // snapshot at approval: Alert, Revision, Channel, Commune, IDs
	KindBatch      Kind = "batch"      // Batch, Alert, Revision, Channel, Commune, IDs
	KindClaim      Kind = "claim"      // Batch, Fence, Holder; at the commit
	KindMark       Kind = "mark"       // durably marked sending: Batch, Indexes or Whole, Attempt, Fence
	KindRequest    Kind = "request"    // a call to a provider begins: Batch, Index or Whole, Attempt, Fence, Provider, Status, Live, Roster, Priority
	KindAnswer     Kind = "answer"     // and ends: Batch, Index or Whole, Attempt, Outcome (an outcome or a fault)
	KindBook       Kind = "book"       // the provider's own entry: Ref, or Batch and Index, or Alert, Revision, Channel, Recipient; Outcome: accepted, refused or dropped; Reason, if the caller of one accepted was not told so
	KindCallback   Kind = "callback"   // a provider called back: Ref, Outcome
	KindReceipt    Kind = "receipt"    // its evidence is durable: Batch, Index, Attempt, Outcome
	KindOutcome    Kind = "outcome"    // the recipient's state after a commit: Batch, Index or Indexes or Whole, Attempt, Fence, Outcome, Reason
	KindCancel     Kind = "cancel"     // a stop is durable: Alert, Revision (and all before it); Op: its audit act, if another; Reason: Updated, if no correction is due
	KindCorrection Kind = "correction" // whom a correction goes to, one cut: Alert, Revision (corrected), By, ByRevision, Channel, IDs
	KindExpiry     Kind = "expiry"     // the alert ends earlier or later than submitted: Alert, Revision, Expires
	KindBacklog    Kind = "backlog"    // work of a priority waits, or no longer: Priority, Channel (empty: all), Open
	KindStream     Kind = "stream"     // what an app was shown: ID (install), Epoch, Offset, Resync, Alert, Revision
	KindAudit      Kind = "audit"      // Seq, Prev, Hash, At, Actor in Person, Act in Op, Object, Detail
)

// Phase of a client's call, as in Jepsen: it was made, it was answered with
// success, with refusal, or nobody knows.
type Phase string

// The phases.
const (
	Invoke Phase = "invoke"
	OK     Phase = "ok"
	Fail   Phase = "fail"
	Info   Phase = "info"
)

// Words of KindBook that are no outcome.
const (
	Refused = "refused" // the provider answered that it took nothing
	Dropped = "dropped" // the request never reached the provider's books

	// Undelivered, as the reason of an entry of the books: the provider took it
	// and reported later that it did not arrive.
	Undelivered = "reported undelivered"
)

// Updated is the Reason of a cancel by an update, which goes to the area and
// not to those who were reached.
const Updated = "updated"

// ForGood is the Reason of a cancel by a stop that nobody means to correct.
const ForGood = "for good"

// Everywhere stands in Areas for every commune.
const Everywhere = "*"

// Event is one thing that happened. Times are nanoseconds of the machine's
// monotonic clock, which all its processes share; durations are nanoseconds.
// Absent facts are zero: a check that needs one says unknown.
type Event struct {
	T    int64  `json:"t"`
	Node string `json:"node,omitempty"` // the process that saw it
	Kind Kind   `json:"kind"`

	Phase Phase  `json:"phase,omitempty"`
	Op    string `json:"op,omitempty"`
	ID    string `json:"id,omitempty"`

	Alert    string         `json:"alert,omitempty"`
	Revision int            `json:"revision,omitempty"`
	Channel  channels.Kind  `json:"channel,omitempty"`
	Status   alert.Status   `json:"status,omitempty"`
	Severity alert.Severity `json:"severity,omitempty"`
	Priority string         `json:"priority,omitempty"` // "p0" to "p3"
	Expires  int64          `json:"expires,omitempty"`
	Areas    []string       `json:"areas,omitempty"` // commune codes

	Person     string `json:"person,omitempty"`
	Account    string `json:"account,omitempty"`
	Device     string `json:"device,omitempty"`
	StepUp     int64  `json:"step_up,omitempty"` // since the person proved anew who they are
	BreakGlass bool   `json:"break_glass,omitempty"`
	Hash       string `json:"hash,omitempty"`

	Commune   string  `json:"commune,omitempty"`
	IDs       []int64 `json:"ids,omitempty"` // recipients
	Recipient int64   `json:"recipient,omitempty"`
	Batch     int64   `json:"batch,omitempty"`
	Index     int     `json:"index,omitempty"`
	Indexes   []int   `json:"indexes,omitempty"`
	Whole     bool    `json:"whole,omitempty"` // every recipient of the batch
	Attempt   uint8   `json:"attempt,omitempty"`
	Fence     int64   `json:"fence,omitempty"`
	Holder    string  `json:"holder,omitempty"`

	Provider string `json:"provider,omitempty"`
	Live     bool   `json:"live,omitempty"`   // the provider reaches real people
	Roster   bool   `json:"roster,omitempty"` // the audience has a role or is a canary
	Ref      string `json:"ref,omitempty"`
	Outcome  string `json:"outcome,omitempty"`
	Reason   string `json:"reason,omitempty"`

	By         string `json:"by,omitempty"` // the alert that carries a correction
	ByRevision int    `json:"by_revision,omitempty"`

	Open   bool   `json:"open,omitempty"`
	Epoch  string `json:"epoch,omitempty"`
	Offset int64  `json:"offset,omitempty"` // from 1; 0: positions are not known
	Resync bool   `json:"resync,omitempty"`

	Seq    int64  `json:"seq,omitempty"`
	Prev   string `json:"prev,omitempty"`
	At     int64  `json:"at,omitempty"` // wall clock, nanoseconds since 1970, as sealed
	Object string `json:"object,omitempty"`
	Detail string `json:"detail,omitempty"`
}
