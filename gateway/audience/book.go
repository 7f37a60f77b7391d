package audience

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"loa/channels"
	"loa/gateway/area"
)

// Book is the list of subscribers: the store with its addresses sealed and
// opened. Safe for concurrent use.
type Book struct {
	Store Store
	Vault *Vault
	// Origin is the only http origin that a push subscription may name, for
	// drills and demos; empty in a live deployment.
	Origin string
	Log    *slog.Logger // nil: the default logger

	opened atomic.Bool // the secret has opened a record: it is the right one
}

// Open opens the addresses of a cell's endpoints, parallel to ids. An empty
// address means that the endpoint is gone. A record that cannot be opened is
// logged by id and counts as gone; while none has ever been opened the secret may
// be wrong, which is an error, so that nobody is given up for it.
func (b *Book) Open(ctx context.Context, kind channels.Kind, commune area.Code, language string, ids []int64) ([]channels.Address, error) {
	ciphers, err := b.Store.Ciphers(ctx, kind, commune, language, ids)
	if err != nil {
		return nil, fmt.Errorf("audience: open addresses: %w", err)
	}
	if len(ciphers) != len(ids) {
		return nil, fmt.Errorf("audience: open addresses: asked for %d, got %d", len(ids), len(ciphers))
	}
	out := make([]channels.Address, len(ids))
	var opened int
	var failed error
	for i, c := range ciphers {
		if c == nil {
			continue
		}
		a, err := b.Vault.Open(kind, c)
		if err != nil {
			b.log().ErrorContext(ctx, "an address cannot be opened", "endpoint", ids[i], "channel", string(kind), "error", err)
			failed = err
			continue
		}
		out[i] = a
		opened++
	}
	if opened > 0 {
		b.opened.Store(true)
	}
	if failed != nil && opened == 0 && (errors.Is(failed, ErrUnknown) || !b.opened.Load()) {
		return nil, failed
	}
	return out, nil
}

func (b *Book) log() *slog.Logger {
	if b.Log == nil {
		return slog.Default()
	}
	return b.Log
}

// Find returns the live endpoint with the address, or 0. An address that is
// not well-formed is nobody's.
func (b *Book) Find(ctx context.Context, kind channels.Kind, a channels.Address) (int64, error) {
	_, identity, err := normalize(kind, a.Reveal(), b.Origin)
	if _, bad := errors.AsType[*AddressError](err); bad {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return b.Store.Find(ctx, kind, b.Vault.Lookup(kind, identity))
}

// Add normalises, seals and stores endpoints, at once visible, and returns
// their ids. One that is not acceptable refuses all, with FieldErrors.
func (b *Book) Add(ctx context.Context, now time.Time, es []Endpoint) ([]int64, error) {
	sealed := make([]Sealed, len(es))
	for i, e := range es {
		s, err := b.seal(e, now, nil)
		if err != nil {
			return nil, fmt.Errorf("endpoint %d: %w", i+1, err)
		}
		sealed[i] = s
	}
	return b.Store.Add(ctx, now, sealed)
}

// Page lists live endpoint ids of a cell, ascending, after the given one.
func (b *Book) Page(ctx context.Context, q Query, after int64, limit int) ([]int64, error) {
	return b.Store.Page(ctx, q, after, limit)
}

// Counts lists the non-empty cells of the communes. No communes: none.
func (b *Book) Counts(ctx context.Context, communes []area.Code, roster bool) ([]Count, error) {
	if len(communes) == 0 {
		return nil, nil
	}
	return b.Store.Counts(ctx, communes, roster)
}

// HeadCount sums what Counts lists by channel.
func (b *Book) HeadCount(ctx context.Context, communes []area.Code, roster bool) (map[channels.Kind]int, error) {
	cells, err := b.Counts(ctx, communes, roster)
	if err != nil {
		return nil, err
	}
	heads := make(map[channels.Kind]int)
	for _, c := range cells {
		heads[c.Kind] += c.Total
	}
	return heads, nil
}

// Snapshot is the highest endpoint id that is visible now.
func (b *Book) Snapshot(ctx context.Context) (int64, error) { return b.Store.Snapshot(ctx) }

// seal checks an endpoint and seals its address. Whoever read the endpoint
// hands over what was wrong with it by then; all faults are told together.
func (b *Book) seal(e Endpoint, now time.Time, faults FieldErrors) (Sealed, error) {
	faults.check(e, now)
	var a channels.Address
	var identity string
	if !faults.has("kind") {
		var err error
		a, identity, err = normalize(e.Kind, e.Address.Reveal(), b.Origin)
		if bad, ok := errors.AsType[*AddressError](err); ok {
			faults.add("address", bad.Rule)
		} else if err != nil {
			return Sealed{}, err
		}
	}
	if len(faults) > 0 {
		return Sealed{}, faults.sorted()
	}
	if e.Commune.Reserved() {
		// Somebody on duty is a subscriber too: the two are told apart.
		identity = string(e.Commune) + " " + identity
	}
	e.Address = ""
	return Sealed{Endpoint: e, Cipher: b.Vault.Seal(e.Kind, a), Lookup: b.Vault.Lookup(e.Kind, identity)}, nil
}
