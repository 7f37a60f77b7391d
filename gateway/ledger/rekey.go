package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audit"
)

// ErrOtherRekey says that a change to another master key was begun.
var ErrOtherRekey = errors.New("ledger: a change to another master key was begun")

// TakeKey notes the id of the master key of a ledger that has none yet.
func (l *Ledger) TakeKey(ctx context.Context, id string) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		_, err := t.exec("UPDATE guard SET key_id = ? WHERE id = 1 AND key_id = ''", id)
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: key: %w", err)
	}
	return nil
}

// Reseal seals an address with the new key and gives the hash that it is found
// by. A nil cipher means that it is sealed with it already; an error, that
// neither key opens it.
type Reseal func(kind channels.Kind, commune area.Code, cipher []byte) (sealed []byte, lookup [16]byte, err error)

// rekeyRows is how many addresses one commit seals anew.
const rekeyRows = 500

// Rekey seals every address anew, in many commits, and may be interrupted at any
// moment and run again: until FinishRekey the ledger says that it is between two
// keys. No other process may use the ledger. unreadable counts addresses that
// neither key opens, which stay as they are.
func (l *Ledger) Rekey(ctx context.Context, from, to string, reseal Reseal) (resealed, unreadable int, err error) {
	err = l.db.write(ctx, acts, func(t tx) error {
		g, err := readGuard(t, t.dialect().lock)
		if err != nil {
			return err
		}
		if g.Key != from || g.Rotating != "" && g.Rotating != to {
			return ErrOtherRekey
		}
		_, err = t.exec("UPDATE guard SET rotating = ? WHERE id = 1", to)
		return err
	})
	for after, more := int64(0), err == nil; more; {
		if err = ctx.Err(); err != nil {
			break
		}
		var done, bad int
		next := after
		err = l.db.write(ctx, bulk, func(t tx) error {
			done, bad, next, err = rekeySome(t, after, reseal)
			return err
		})
		resealed, unreadable = resealed+done, unreadable+bad
		more = err == nil && next > after
		after = next
	}
	if err != nil {
		return resealed, unreadable, fmt.Errorf("ledger: rekey: %w", err)
	}
	return resealed, unreadable, nil
}

type sealedRow struct {
	id, kind       int64
	commune        area.Code
	cipher, lookup []byte
}

// rekeySome seals the next addresses anew and returns the last it looked at.
func rekeySome(t tx, after int64, reseal Reseal) (done, bad int, last int64, err error) {
	var rows []sealedRow
	err = t.each("SELECT id, kind, commune, cipher, lookup FROM endpoint WHERE id > ? ORDER BY id LIMIT ?", []any{after, int64(rekeyRows)}, func(scan func(...any) error) error {
		var r sealedRow
		if err := scan(&r.id, &r.kind, &r.commune, &r.cipher, &r.lookup); err != nil {
			return err
		}
		rows = append(rows, r)
		return nil
	})
	last = after
	for _, r := range rows {
		if err != nil {
			break
		}
		last = r.id
		cipher, lookup, failed := reseal(kindNames[r.kind], r.commune, r.cipher)
		switch {
		case failed != nil:
			bad++
			continue
		case cipher == nil:
			continue
		}
		if _, err = t.exec("UPDATE endpoint SET cipher = ?, lookup = ? WHERE id = ?", cipher, lookup[:], r.id); err == nil {
			_, err = t.exec("UPDATE lookup SET hash = ? WHERE hash = ? AND kind = ? AND id = ?", lookup[:], r.lookup, r.kind, r.id)
		}
		done++
	}
	return done, bad, last, err
}

// FinishRekey makes the new key the ledger's. oldRef is the sealed key of the
// references that were given out before, which stay good until then; rec tells of
// the change. What is left of the old ciphertexts is overwritten.
func (l *Ledger) FinishRekey(ctx context.Context, to string, oldRef []byte, until time.Time, rec audit.Record) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		n, err := t.exec("UPDATE guard SET key_id = ?, rotating = '', old_ref = ?, old_ref_until = ? WHERE id = 1 AND rotating = ?", to, oldRef, ns(until), to)
		if err == nil && n != 1 {
			err = ErrOtherRekey
		}
		if err != nil {
			return err
		}
		return seal(t, rec)
	})
	if err == nil {
		err = l.db.scrub(ctx)
	}
	if err != nil {
		return fmt.Errorf("ledger: rekey: %w", err)
	}
	return nil
}

// OldRef is the sealed key of references from before the last change of keys,
// and until when they are good; nil if there is none.
func (l *Ledger) OldRef(ctx context.Context) (sealed []byte, until time.Time, err error) {
	var at int64
	err = l.db.read(ctx, func(t tx) error {
		_, err := one(t, "SELECT old_ref, old_ref_until FROM guard WHERE id = 1", nil, &sealed, &at)
		return err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("ledger: reference key: %w", err)
	}
	return sealed, fromNS(at), nil
}
