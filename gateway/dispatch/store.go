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

// Reached addresses who may have got an earlier revision.
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
	Pass     int   // a reached request is cut again as calls return
	Done     bool
}

// Job is a stored request with its cursor.
type Job struct {
	Request
	Cursor Cursor
	Due    time.Time // zero: now
}

// Store is what dispatch needs of the ledger; each method is one transaction.
type Store interface {
	// Jobs lists requests that are not done and due, highest priority first.
	Jobs(ctx context.Context, now time.Time, limit int) ([]Job, error)
	// Revision loads what is to be sent, and whether its alert is still live.
	Revision(ctx context.Context, id alert.ID, number int) (*alert.Revision, alert.State, error)
	// Already returns the ids already cut for (alert, revision, kind) in the
	// commune and language, ascending.
	Already(ctx context.Context, id alert.ID, revision int, kind channels.Kind, commune area.Code, language string) ([]int64, error)
	// ReachedCells and ReachedIDs list who may have got the revision, by cell,
	// ids ascending.
	ReachedCells(ctx context.Context, r Reached) ([]Cell, error)
	ReachedIDs(ctx context.Context, r Reached, c Cell, after int64, limit int) ([]int64, error)
	// InFlight counts recipients of the revision that are still sending.
	InFlight(ctx context.Context, r Reached) (int, error)
	// Cut stores batches and moves the cursor in one transaction, and returns
	// the batches' ids in order. It fails with ErrCursor, storing nothing, if
	// the stored cursor is not from.
	Cut(ctx context.Context, key string, from, to Cursor, due time.Time, bs []delivery.Batch) ([]delivery.BatchID, error)
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
