// Package desk is where warnings become lawful: compose, submit, sign, return,
// and the four acts on a live alert. It must never import web or ledger.
package desk

import (
	"context"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audit"
	"loa/gateway/dispatch"
)

// Person is who acts. Territory is the code of a province or commune, or
// "VN" for the nation.
type Person struct {
	ID        string
	Name      string
	Territory area.Code
}

// Authority says whose a token is; filled by account. Any error means that it
// is nobody's.
type Authority interface {
	Person(ctx context.Context, token channels.Secret) (id, name string, territory area.Code, err error)
}

// Signature is one person's word for one exact submission.
type Signature struct {
	Person string
	Name   string
	Act    alert.Act
	Hash   SubmissionHash
	At     time.Time
}

// Submission is what is signed: the frozen revision, the resolved communes and
// how many people would be addressed on which channel.
type Submission struct {
	Revision  *alert.Revision
	Communes  []area.Code
	HeadCount map[channels.Kind]int
	// Unheard counts who has subscribed there on channels that are not
	// configured: nothing goes to them. Channels with nobody are left out.
	Unheard  map[channels.Kind]int `json:",omitempty"`
	Kinds    []channels.Kind
	Cause    dispatch.Cause
	Replaces *dispatch.Reached // what an update or a correction replaces
}

// Case is an alert on the desk.
type Case struct {
	ID         alert.ID
	State      alert.State
	Author     Person
	Submission Submission
	Hash       SubmissionHash // zero until submitted
	Signatures []Signature
	CreatedAt  time.Time
	ApprovedAt time.Time
	EndedAt    time.Time
}

// SubmissionHash is what people read out and sign.
type SubmissionHash [32]byte

// Change is one lawful act with everything that must become durable with it.
// The ledger refuses it with ErrConflict if the stored state is not From; if
// the stored hash is not Case.Hash, unless From is draft or returned, where the
// text may still be edited; or if an alert in Supersede has been superseded
// already, by another one. An alert in Supersede that has ended stays as it
// is. A change whose Key is already stored with the same hash does nothing and
// is no error; with another hash it is ErrConflict.
type Change struct {
	Case      Case // as it is to be stored
	From      alert.State
	Records   []audit.Record
	Requests  []dispatch.Request
	Supersede []alert.ID // alerts that this one takes the place of
	Key       string     // idempotency key of the caller; empty for none
}

// Store is what the desk needs of the ledger; each method is one transaction.
type Store interface {
	Case(ctx context.Context, id alert.ID) (*Case, error)
	// Cases lists alerts in the states, the newest first; a limit of 0 is none.
	Cases(ctx context.Context, states []alert.State, limit int) ([]Case, error)
	// Create stores a new draft.
	Create(ctx context.Context, c Case, rec audit.Record) error
	// Apply makes a change durable: state, signatures, audit records, queue
	// intent and, for a stop, the alert-level epoch, all or nothing.
	Apply(ctx context.Context, c Change) error
	// Expired lists live alerts whose expiry has passed.
	Expired(ctx context.Context, now time.Time, limit int) ([]alert.ID, error)
}
