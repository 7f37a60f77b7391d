// Package dispatch turns one request into batches: it asks audience who must
// hear, render what they read, and cuts the result into the ledger. A request
// with the same key fans out once, and an interrupted one resumes where it
// stopped. It must never import escalation, coverage or a driver.
package dispatch

import (
	"context"
	"errors"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/delivery"
)

// Cause says why a dispatch was asked for.
type Cause string

// The causes.
const (
	Approved   Cause = "approved"
	Correction Cause = "correction"
	Updated    Cause = "updated"
	Stopped    Cause = "stopped"
	Fallback   Cause = "fallback"
	Scheduled  Cause = "scheduled"
	Canary     Cause = "canary"
)

// Request asks for one act of fan-out. Exactly one of Areas, Reached and
// People is set; a request with none is refused, never widened.
type Request struct {
	Key      string // the same key fans out once
	Alert    alert.ID
	Revision int
	Cause    Cause
	Priority delivery.Priority
	Kinds    []channels.Kind // empty: every channel that is configured
	Snapshot int64           // highest endpoint id at the time of asking
	Roster   bool            // people with a role and canaries only

	Areas   []area.Code
	Reached *Reached
	People  []int64
}

// Reached addresses who may have got a revision, or an earlier one of the same
// alert, or any of the alerts whose place it took: whoever heard the beginning
// of a story must hear its correction. Each person counts once.
type Reached struct {
	Alert    alert.ID
	Revision int
	// Settled leaves out recipients whose call has not returned. It is set only
	// when the store is asked, never in a stored request: a person's correction
	// starts after their alert's call has returned.
	Settled bool
}

// Cursor is how far a request has been cut. The zero Cursor is its beginning.
type Cursor struct {
	Kind     channels.Kind
	Commune  area.Code
	Language string
	After    int64 // highest endpoint id cut in this cell
	// Pass counts how often the cells were gone through. A reached request is cut
	// again as calls return, another one once more for those who moved meanwhile.
	Pass int
	Done bool
}

// Job is a stored request with its cursor.
type Job struct {
	Request
	Cursor Cursor
	Due    time.Time // zero: now
	// Err says that the stored request cannot be read; then only Key, Alert and
	// Priority are known.
	Err error
}

// Store is what dispatch needs of the ledger; each method is one transaction.
type Store interface {
	// Jobs lists requests that are not done and due, highest priority first.
	Jobs(ctx context.Context, now time.Time, limit int) ([]Job, error)
	// Revision loads what is to be sent, and whether its alert is still live.
	Revision(ctx context.Context, id alert.ID, number int) (*alert.Revision, alert.State, error)
	// Already returns which of the ids (ascending, all of the cell) have been cut
	// for the request's alert and revision on the cell's channel, whatever their
	// commune and language were then, ascending.
	Already(ctx context.Context, r *Request, c Cell, ids []int64) ([]int64, error)
	// MovedCells lists cells of the communes that somebody has left since the
	// snapshot, MovedIDs who left one of them: those subscribed at q.Upto whose
	// first move since then was out of the cell, ascending.
	MovedCells(ctx context.Context, communes []area.Code, snapshot int64) ([]Cell, error)
	MovedIDs(ctx context.Context, q audience.Query, after int64, limit int) ([]int64, error)
	// ReachedCells and ReachedIDs list who may have got the revision, by cell,
	// ids ascending.
	ReachedCells(ctx context.Context, r Reached) ([]Cell, error)
	ReachedIDs(ctx context.Context, r Reached, c Cell, after int64, limit int) ([]int64, error)
	// InFlight counts those of them that are still sending.
	InFlight(ctx context.Context, r Reached) (int, error)
	// Cut stores batches and moves the cursor in one transaction, and returns
	// the batches' ids in order. It fails with ErrCursor, storing nothing, if
	// the stored cursor is not from.
	Cut(ctx context.Context, key string, from, to Cursor, due time.Time, bs []delivery.Batch) ([]delivery.BatchID, error)
	// Quarantine sets aside a request that cannot be read. It is kept, and is
	// listed no more.
	Quarantine(ctx context.Context, key string) error
	// Note keeps what is not sent, for people to read. A second refusal of the
	// same alert, revision, channel, commune and code changes nothing.
	Note(ctx context.Context, now time.Time, rs ...Refusal) error
}

// Cell is one channel, commune and language.
type Cell struct {
	Kind     channels.Kind
	Commune  area.Code
	Language string
}

// ErrCursor is returned by Cut when another cutter was quicker.
var ErrCursor = errors.New("dispatch: the cursor has moved")

// ErrNoTarget refuses a request that names nobody.
var ErrNoTarget = errors.New("dispatch: a request names areas, reached people or people")
