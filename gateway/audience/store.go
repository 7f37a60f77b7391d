package audience

import (
	"context"
	"errors"
	"time"

	"loa/channels"
	"loa/gateway/area"
)

// Query names one cell of the audience. Upto bounds a snapshot: endpoints with
// higher ids subscribed later. Roster limits it to people with a role.
type Query struct {
	Kind     channels.Kind
	Commune  area.Code
	Language string
	Upto     int64
	Roster   bool
}

// Count is how many endpoints a cell has.
type Count struct {
	Kind     channels.Kind
	Commune  area.Code
	Language string
	Total    int
}

// ImportID names one staged import.
type ImportID int64

// ErrImporting is returned by Begin while another import is open.
var ErrImporting = errors.New("audience: another import is open")

// Store is what audience needs of the ledger; each method is one transaction.
type Store interface {
	// Page lists live endpoint ids of a cell, ascending, after the given one.
	Page(ctx context.Context, q Query, after int64, limit int) ([]int64, error)
	// Snapshot is the highest endpoint id that is visible now.
	Snapshot(ctx context.Context) (int64, error)
	// Counts lists the non-empty cells of the communes. No communes: none.
	Counts(ctx context.Context, communes []area.Code, roster bool) ([]Count, error)
	// Ciphers returns the sealed addresses parallel to ids, nil where gone. The
	// cell says where to look first; an endpoint that moved is still found.
	Ciphers(ctx context.Context, kind channels.Kind, commune area.Code, language string, ids []int64) ([][]byte, error)
	// Find returns the live endpoint with the lookup hash, or 0.
	Find(ctx context.Context, kind channels.Kind, lookup [16]byte) (int64, error)
	// Add stores endpoints at once visible and returns their ids. An endpoint
	// that is live with the same lookup keeps its id and takes the new cell.
	Add(ctx context.Context, now time.Time, es []Sealed) ([]int64, error)
	// Begin, Stage (at most 1,000 rows), Flip and Abort are an import: staged
	// rows are invisible until Flip, which makes all visible in one commit
	// however many they are. Flip returns how many are new and how many were
	// already known.
	Begin(ctx context.Context, now time.Time, source string) (ImportID, error)
	Stage(ctx context.Context, id ImportID, es []Sealed) error
	Flip(ctx context.Context, id ImportID, now time.Time) (added, known int, err error)
	Abort(ctx context.Context, id ImportID) error
	// Retire stops addressing endpoints; their ids stay.
	Retire(ctx context.Context, ids []int64, now time.Time, why string) error
	// Erase deletes endpoints with their ciphertexts and lookup hashes.
	Erase(ctx context.Context, ids []int64) error
}
