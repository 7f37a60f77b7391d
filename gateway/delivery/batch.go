// Package delivery is the waist of Loa: batches, leases, sliding windows,
// back-off, rate, breaker and receipts. What is above it only pushes batches
// in; what is below it only reads outcomes. It knows neither people nor
// places nor providers by name: it must never import dispatch, audience, web
// or a driver.
package delivery

import (
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
)

// MaxRecipients is the largest batch.
const MaxRecipients = 1000

// MaxAttempt is the highest attempt number a Mark can hold. Later attempts
// keep this number.
const MaxAttempt = 15

// BatchID identifies a batch; the ledger gives it, ascending, never reused.
type BatchID int64

// Priority orders work; 0 goes first.
type Priority uint8

// The priorities.
const (
	P0 Priority = iota // Extreme and Severe, and the four acts on a live alert
	P1                 // other alerts
	P2                 // fallback and canaries
	P3                 // bulletins
)

// Priorities lists them, highest first.
func Priorities() []Priority { return []Priority{P0, P1, P2, P3} }

// Batch is the unit of durability: one alert revision, channel, language and
// commune, for at most MaxRecipients endpoints. Its identity never changes;
// Marks and Exceptions do.
type Batch struct {
	ID         BatchID
	Alert      alert.ID
	Revision   int
	Kind       channels.Kind
	Language   string
	Commune    area.Code
	Priority   Priority
	Status     channels.Status
	Roster     bool      // audience is people with a role and canaries, at most 500
	Resend     bool      // one more send is allowed after an ambiguous answer
	Urgent     bool      // Severe or Extreme
	Code       string    // the alert's check code
	Expires    time.Time // no send may start at or after this moment
	Body       []byte    // the rendered message; stored once per distinct text
	Recipients []int64   // endpoint ids, ascending, each once
	Marks      []Mark    // one per recipient; nil when new means all pending
	Exceptions []Exception
}

// Mark is one recipient's state in one byte: outcome in the low four bits,
// attempt number in the high four. The zero Mark is pending, never attempted.
type Mark uint8

// NewMark packs an outcome and an attempt, which is held at MaxAttempt.
func NewMark(o channels.Outcome, attempt uint8) Mark {
	return Mark(min(attempt, MaxAttempt)<<4 | uint8(o)&0x0f)
}

// Outcome is the mark's outcome.
func (m Mark) Outcome() channels.Outcome { return channels.Outcome(m & 0x0f) }

// Attempt is the number of the latest attempt, 0 if there was none.
func (m Mark) Attempt() uint8 { return uint8(m >> 4) }

// Exception is a row that exists only for retry, failure and ambiguity.
type Exception struct {
	Index       int
	Attempt     uint8
	Doubts      uint8     // ambiguous answers so far; at most one resend follows
	Due         time.Time // when to look at it again; zero: never
	Fault       channels.Fault
	Code        string // the provider's own code
	Provider    string // whom the call went to; empty if unknown
	Asks        uint8  // lookups since the doubt
	ProviderRef string
	At          time.Time
}

// Delta is one recipient's change.
//
// Settled by the holder of the current fence, it replaces a mark that is still
// (Attempt, Sending): so a send that was certainly not accepted becomes
// pending again. In every other case it is evidence and merges: see Settle and
// Merge. One that does not apply changes neither mark nor exception.
type Delta struct {
	Index       int
	Attempt     uint8
	Outcome     channels.Outcome
	Exception   bool // write or replace the exception row; otherwise it is removed
	Doubt       bool // counts one ambiguous answer
	Retire      bool // the address never works: retire the endpoint
	Due         time.Time
	Fault       channels.Fault
	Code        string
	Provider    string
	Asks        uint8
	ProviderRef string
	At          time.Time
}

// Hint says that a batch is due. It is all that the queue carries.
type Hint struct {
	Batch    BatchID
	Kind     channels.Kind
	Priority Priority
}
