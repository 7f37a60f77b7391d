package delivery

import (
	"context"
	"errors"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
)

// Lease is a worker's hold on a batch. The holder counts HoldFor on its own
// monotonic clock from before the claim was asked; the ledger judges takeover
// after LeaseFor on its own.
type Lease struct {
	Batch
	Fence   int64 // rises with every claim of the batch
	Crashes int   // holders in a row, up to this claim, that were gone before they settled anything
}

// ClaimRequest asks for due work of one channel. With Batches it takes what is
// due among them (they came as hints; any of them may be leased, done or dead
// by now); without, whatever is due, highest priority first (direct mode).
type ClaimRequest struct {
	Kind    channels.Kind
	Holder  string // node and worker, for people to read
	Batches []BatchID
	Max     int // at most so many batches
	Now     time.Time
	// ResendAt is when a recipient found sending may be sent to once more, if
	// the batch allows it and it is the first doubt.
	ResendAt time.Time
	// LookupAt is when a provider is asked whether it took the send of a
	// recipient found sending. Zero: none can be asked.
	LookupAt time.Time
}

// Step is one worker's advance on one lease, durable before it returns.
type Step struct {
	Batch  BatchID
	Fence  int64
	Settle []Delta // what came back
	Start  []int   // indexes to mark as sending, attempt one higher than the mark's (or equal, see Reuse)
	Reuse  []int   // indexes to mark as sending with their attempt unchanged: a throttled send spent none
	Return bool    // give the lease back
}

// Verdict answers a Step.
type Verdict struct {
	Lost    bool // the fence is stale: stop at once; Settle was merged as evidence
	Dead    bool // the alert was stopped, superseded or has expired: nothing was started
	Expired bool // the batch's own time is over, maybe not its alert's: nothing was started
	Done    bool // every recipient is final: the hint can be acknowledged
	Started int  // how many of Start and Reuse are now marked; all or none
}

// Evidence is a receipt resolved to its recipient.
type Evidence struct {
	Batch BatchID
	Delta
}

// Store is what delivery needs of the ledger. Each method is one transaction
// and is durable when it returns. All errors mean that nothing was done. What
// a delta, a start and a claim do to a mark is written in Settle, Start and
// Orphan; a batch is done and due as Batch.Done and Batch.Ready say. Doubts
// survive when a row is replaced; steps and leases are not kept by either side
// after a call returns.
type Store interface {
	// Claim leases due batches whose alert is live. Recipients left sending by
	// an earlier holder become ambiguous, as Orphan says. Lease.Crashes counts
	// the claims since something was last settled, or the lease given back,
	// that took a lease over from a holder that was gone. Batches of dead
	// alerts are not returned. A batch without a lease is due now if it has a
	// pending recipient without an exception, else at the earliest Due of its
	// exceptions; without either it is done.
	Claim(ctx context.Context, r ClaimRequest) ([]Lease, error)
	// Advance settles and starts, one verdict per step, and renews each lease.
	Advance(ctx context.Context, now time.Time, steps []Step) ([]Verdict, error)
	// Receive merges evidence. Unknown batches and indexes are ignored and counted.
	Receive(ctx context.Context, now time.Time, es []Evidence) (unknown int, err error)
	// Due lists batches of live alerts that are due and not leased, ordered by
	// (priority, batch), after the given one; for the sweeper.
	Due(ctx context.Context, now time.Time, after Hint, limit int) ([]Hint, error)
	// Orphans lists batches of the channel that are due and whose holder neither
	// gave them back nor lived to renew its lease, ordered like Due. Those of
	// which so many holders died in a row that they may be the cause are left out.
	Orphans(ctx context.Context, now time.Time, kind channels.Kind, limit int) ([]Hint, error)
	// Busiest is the highest priority of the channel that has work: batches of
	// live alerts that are due, or leased to whomever. P3 if there is none.
	Busiest(ctx context.Context, now time.Time, kind channels.Kind) (Priority, error)
	// Locate finds a person's delivery by endpoint: for receipts of installs.
	Locate(ctx context.Context, id alert.ID, revision int, kind channels.Kind, endpoint int64) (BatchID, int, uint8, error)
	// Dead lists which of the alerts may not be sent any more.
	Dead(ctx context.Context, now time.Time, ids []alert.ID) ([]alert.ID, error)
	// Outstanding counts batches of live alerts that are not done.
	Outstanding(ctx context.Context, kind channels.Kind) (int, error)
}

// ErrNotFound is returned by Locate.
var ErrNotFound = errors.New("delivery: no such delivery")

// Addresses opens sealed addresses just before a send; filled by audience. The
// answer is parallel to ids; an empty address means that the endpoint is gone
// (retired or erased) and its delivery is cancelled. Find goes the other way,
// for installs that acknowledge; it returns 0 if nobody has the address.
type Addresses interface {
	Open(ctx context.Context, kind channels.Kind, commune area.Code, language string, ids []int64) ([]channels.Address, error)
	Find(ctx context.Context, kind channels.Kind, a channels.Address) (int64, error)
}

// Hints is the conveyor belt; filled by queue. Every error means only that the
// ledger must be asked instead: hints may be lost, repeated and invented.
type Hints interface {
	Push(ctx context.Context, hs ...Hint) error
	// Pop waits up to block for hints of the channel, highest priority first
	// and none below lowest. With no block it only looks.
	Pop(ctx context.Context, kind channels.Kind, lowest Priority, consumer string, limit int, block time.Duration) ([]Entry, error)
	// Done acknowledges entries after the ledger commit.
	Done(ctx context.Context, es ...Entry) error
	// Waiting counts entries not done, per priority.
	Waiting(ctx context.Context, kind channels.Kind) ([4]int64, error)
	// Epoch is a random value that is lost with everything else; ok is false
	// if it had to be made anew, so that all that is due must be hinted again.
	Epoch(ctx context.Context) (epoch string, ok bool, err error)
}

// Entry is a Hint as it came from the queue.
type Entry struct {
	Hint
	Ref string // the queue's own id of the entry
}

// Rate is the shared per-second budget of a provider; filled by queue. Take
// asks for up to n sends and says how many may start now, or how long to wait.
type Rate interface {
	Take(ctx context.Context, provider string, perSecond, n int, now time.Time) (granted int, wait time.Duration, err error)
}
