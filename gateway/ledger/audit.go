package ledger

import (
	"context"
	"fmt"
	"time"

	"loa/gateway/audit"
)

// seal appends records to the chain in the running transaction.
func seal(t tx, recs ...audit.Record) error {
	if len(recs) == 0 {
		return nil
	}
	var seq int64
	var head []byte
	if _, err := one(t, "SELECT seq, hash FROM audit_head WHERE id = 1"+t.dialect().lock, nil, &seq, &head); err != nil {
		return err
	}
	prev := audit.Hash(head)
	for _, r := range recs {
		seq++
		r.Seq, r.Prev = seq, prev
		r.Hash = audit.Seal(prev, r)
		prev = r.Hash
		_, err := t.exec("INSERT INTO audit (seq, at, actor, act, object, detail, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			r.Seq, r.At.UnixNano(), r.Actor, r.Act, r.Object, r.Detail, r.Prev[:], r.Hash[:])
		if err != nil {
			return err
		}
	}
	_, err := t.exec("UPDATE audit_head SET seq = ?, hash = ? WHERE id = 1", seq, prev[:])
	return err
}

// Audit lists records after a sequence number, in order.
func (l *Ledger) Audit(ctx context.Context, after int64, limit int) ([]audit.Record, error) {
	if limit <= 0 {
		return nil, nil
	}
	var recs []audit.Record
	err := l.db.read(ctx, func(t tx) error {
		recs = nil
		return t.each("SELECT seq, at, actor, act, object, detail, prev, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", []any{after, int64(limit)},
			func(scan func(...any) error) error {
				var r audit.Record
				var at int64
				var prev, hash []byte
				if err := scan(&r.Seq, &at, &r.Actor, &r.Act, &r.Object, &r.Detail, &prev, &hash); err != nil {
					return err
				}
				r.At = time.Unix(0, at).UTC()
				copy(r.Prev[:], prev)
				copy(r.Hash[:], hash)
				recs = append(recs, r)
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: audit: %w", err)
	}
	return recs, nil
}
