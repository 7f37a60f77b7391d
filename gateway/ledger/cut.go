package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"loa/channels"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
)

// Cut stores batches and moves the cursor. Those of p0 go with people's acts,
// the others wait behind them.
func (l dispatchStore) Cut(ctx context.Context, key string, from, to dispatch.Cursor, due time.Time, bs []delivery.Batch) ([]delivery.BatchID, error) {
	rows, err := newBatches(bs)
	if err != nil {
		return nil, err
	}
	before, err := json.Marshal(from)
	if err != nil {
		return nil, fmt.Errorf("ledger: cut: %w", err)
	}
	after, err := json.Marshal(to)
	if err != nil {
		return nil, fmt.Errorf("ledger: cut: %w", err)
	}
	in := acts
	for i := range bs {
		if bs[i].Priority != delivery.P0 {
			in = bulk
		}
	}
	ids := make([]delivery.BatchID, len(bs))
	err = l.db.write(ctx, in, func(t tx) error {
		n, err := t.exec("UPDATE request SET cursor = ?, due = ?, done = ? WHERE key = ? AND cursor = ? AND done = 0",
			string(after), ns(due), flag(to.Done), key, string(before))
		if err != nil {
			return err
		}
		if n != 1 {
			return dispatch.ErrCursor
		}
		id, err := take(t, "batch", len(bs))
		if err != nil {
			return err
		}
		messages := make(map[[32]byte]int64)
		for i := range rows {
			id++
			ids[i] = delivery.BatchID(id)
			if err := rows[i].store(t, id, messages); err != nil {
				return fmt.Errorf("batch %d: %w", i, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: cut: %w", err)
	}
	return ids, nil
}

// newBatch is a batch ready to be stored.
type newBatch struct {
	*delivery.Batch
	kind   int64
	packed []byte
	hash   [32]byte
	p      progress
}

func newBatches(bs []delivery.Batch) ([]newBatch, error) {
	rows := make([]newBatch, len(bs))
	for i := range bs {
		if err := rows[i].from(&bs[i]); err != nil {
			return nil, fmt.Errorf("ledger: cut: batch %d: %w", i, err)
		}
	}
	return rows, nil
}

func (r *newBatch) from(b *delivery.Batch) (err error) {
	r.Batch = b
	n := len(b.Recipients)
	switch {
	case n == 0 || n > delivery.MaxRecipients:
		return fmt.Errorf("%d recipients: 1 to %d are allowed", n, delivery.MaxRecipients)
	case b.Marks != nil && len(b.Marks) != n:
		return fmt.Errorf("%d marks for %d recipients", len(b.Marks), n)
	case b.Commune == "" || b.Language == "":
		return errors.New("no commune or no language")
	case b.Status == channels.StatusUnset:
		return errors.New("no status")
	}
	if r.kind, err = kindCode(b.Kind); err != nil {
		return err
	}
	if r.packed, err = packIDs(b.Recipients); err != nil {
		return err
	}
	r.hash = sha256.Sum256(b.Body)
	r.p = progress{excepted: map[int]delivery.Exception{}, changed: map[int]bool{}, marks: make([]byte, n)}
	for i, m := range b.Marks {
		r.p.marks[i] = byte(m)
	}
	for i := range r.p.marks {
		o := r.p.mark(i).Outcome()
		if int(o) >= channels.OutcomeCount {
			return fmt.Errorf("mark %d has no outcome", i)
		}
		r.p.counts[o]++
	}
	if len(b.Body) == 0 && r.p.counts[channels.Pending] > 0 {
		return errors.New("recipients are pending and there is no message")
	}
	for _, x := range b.Exceptions {
		if x.Index < 0 || x.Index >= n {
			return fmt.Errorf("an exception for recipient %d of %d", x.Index, n)
		}
		r.p.except(x)
	}
	r.p.ready()
	return nil
}

func (r *newBatch) store(t tx, id int64, messages map[[32]byte]int64) error {
	message, err := r.message(t, messages)
	if err != nil {
		return err
	}
	flags := flag(r.Roster)*flagRoster | flag(r.Resend)*flagResend | flag(r.Urgent)*flagUrgent
	_, err = t.exec(`INSERT INTO batch (id, alert, revision, kind, commune, language, priority, status, flags, code, expires, message, count, first_id, last_id, ids)
 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		id, string(r.Alert), int64(r.Revision), r.kind, string(r.Commune), r.Language, int64(r.Priority), int64(r.Status), flags, r.Code,
		expiryNS(r.Expires), message, int64(len(r.Recipients)), r.Recipients[0], r.Recipients[len(r.Recipients)-1], r.packed)
	if err != nil {
		return err
	}
	args := []any{id, r.kind, int64(r.Priority), string(r.Alert), expiryNS(r.Expires), dueColumn(r.p.due), int64(len(r.p.excepted)), r.p.marks}
	for _, n := range r.p.counts {
		args = append(args, n)
	}
	_, err = t.exec(`INSERT INTO progress (batch, kind, priority, alert, expires, due_at, fence, until, boot, holder, excepted, marks, c0, c1, c2, c3, c4, c5, c6, c7, c8)
 VALUES (?, ?, ?, ?, ?, ?, 0, 0, '', '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, args...)
	if err != nil {
		return err
	}
	r.p.batch = delivery.BatchID(id)
	for i := range r.p.excepted {
		r.p.changed[i] = true // again, if this is a second attempt
	}
	return r.p.saveExceptions(t)
}

// message is the number of the text, which is stored once.
func (r *newBatch) message(t tx, seen map[[32]byte]int64) (int64, error) {
	if id, ok := seen[r.hash]; ok {
		return id, nil
	}
	var id int64
	ok, err := one(t, "SELECT id FROM message WHERE hash = ?", []any{r.hash[:]}, &id)
	if err == nil && !ok {
		_, err = one(t, "INSERT INTO message (hash, body) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash RETURNING id",
			[]any{r.hash[:], append([]byte{}, r.Body...)}, &id)
	}
	if err == nil {
		seen[r.hash] = id
	}
	return id, err
}
