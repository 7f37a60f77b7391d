package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math"
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
	if _, err := one(t, headQuery+t.dialect().lock, nil, &seq, &head); err != nil {
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
	recs, _, err := l.AuditPage(ctx, after, limit)
	return recs, err
}

// AuditPage lists records after a sequence number, in order, with the end that
// is kept apart from them as it was at the same moment; nil if there is none.
func (l *Ledger) AuditPage(ctx context.Context, after int64, limit int) (recs []audit.Record, head *audit.Head, err error) {
	if limit <= 0 {
		return nil, nil, nil
	}
	err = l.db.read(ctx, func(t tx) error {
		recs, head = nil, nil
		var seq int64
		var hash []byte
		found, err := one(t, headQuery, nil, &seq, &hash)
		if err != nil {
			return err
		}
		if found {
			head = &audit.Head{Seq: seq, Hash: hashOf(hash)}
		}
		return t.each("SELECT "+auditColumns+" FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", []any{after, int64(limit)},
			func(scan func(...any) error) error {
				r, err := scanRecord(scan)
				recs = append(recs, r)
				return err
			})
	})
	if err != nil {
		return nil, nil, fmt.Errorf("ledger: audit: %w", err)
	}
	return recs, head, nil
}

const (
	auditColumns = "seq, at, actor, act, object, detail, prev, hash"
	headQuery    = "SELECT seq, hash FROM audit_head WHERE id = 1"
)

func scanRecord(scan func(...any) error) (r audit.Record, err error) {
	var at int64
	var prev, hash []byte
	err = scan(&r.Seq, &at, &r.Actor, &r.Act, &r.Object, &r.Detail, &prev, &hash)
	r.At = time.Unix(0, at).UTC()
	r.Prev, r.Hash = hashOf(prev), hashOf(hash)
	return r, err
}

// hashOf reads a stored hash. One that was made longer or shorter is no hash of
// anything: its digest stands for it, which fits nowhere.
func hashOf(b []byte) audit.Hash {
	if len(b) != len(audit.Hash{}) {
		return sha256.Sum256(b)
	}
	return audit.Hash(b)
}

// Seal appends records that change nothing else: what is about to be read, or
// done outside the ledger.
func (l *Ledger) Seal(ctx context.Context, recs ...audit.Record) error {
	if err := l.db.write(ctx, acts, func(t tx) error { return seal(t, recs...) }); err != nil {
		return fmt.Errorf("ledger: audit: %w", err)
	}
	return nil
}

// auditPage is how many records a walk reads at once.
const auditPage = 1000

// Walk hands every record to the walk, page by page while others write, and
// gives back the end that is kept apart, as it was when the last was read.
func (l *Ledger) Walk(ctx context.Context, w *audit.Walk) (head *audit.Head, err error) {
	for after, more := int64(math.MinInt64), true; more; {
		var recs []audit.Record
		if recs, head, err = l.AuditPage(ctx, after, auditPage); err != nil {
			return nil, err
		}
		for _, r := range recs {
			w.Add(r)
			after = r.Seq
		}
		more = len(recs) == auditPage
	}
	return head, nil
}

// WalkFile is Walk over a file of SQLite that no process has open. begin makes
// the walk of the ledger that the file holds.
func WalkFile(ctx context.Context, path string, begin func(ledger string) *audit.Walk) (w *audit.Walk, head *audit.Head, err error) {
	db, err := openUnchanged(path)
	if err != nil {
		return nil, nil, fmt.Errorf("ledger: audit: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if w, head, err = walkFile(ctx, db, begin); err != nil {
		err = fmt.Errorf("ledger: audit: %s: %w", path, err)
	}
	return w, head, err
}

func walkFile(ctx context.Context, db *sql.DB, begin func(ledger string) *audit.Walk) (w *audit.Walk, head *audit.Head, err error) {
	var name string
	if err := db.QueryRowContext(ctx, "SELECT ledger FROM guard WHERE id = 1").Scan(&name); err != nil {
		return nil, nil, fmt.Errorf("it is no ledger: %w", err)
	}
	w = begin(name)
	rows, err := db.QueryContext(ctx, "SELECT "+auditColumns+" FROM audit ORDER BY seq")
	if err != nil {
		return nil, nil, err
	}
	for rows.Next() {
		r, err := scanRecord(rows.Scan)
		if err != nil {
			return nil, nil, errors.Join(err, rows.Close())
		}
		w.Add(r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, nil, err
	}
	var seq int64
	var hash []byte
	switch err := db.QueryRowContext(ctx, headQuery).Scan(&seq, &hash); {
	case errors.Is(err, sql.ErrNoRows):
		return w, nil, nil
	case err != nil:
		return nil, nil, err
	}
	return w, &audit.Head{Seq: seq, Hash: hashOf(hash)}, nil
}
