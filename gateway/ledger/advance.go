package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"loa/gateway/alert"
	"loa/gateway/delivery"
)

// UnknownBatchError says that a step names a batch that does not exist, or a
// recipient that the batch does not have. Nothing was done.
type UnknownBatchError struct {
	Batch delivery.BatchID
	Index int // -1: there is no such batch
}

func (e *UnknownBatchError) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("ledger: no batch %d", e.Batch)
	}
	return fmt.Sprintf("ledger: batch %d has no recipient %d", e.Batch, e.Index)
}

// Advance settles and starts.
func (l deliveryStore) Advance(ctx context.Context, now time.Time, steps []delivery.Step) ([]delivery.Verdict, error) {
	// Rows are taken in the order of batches, so that two nodes cannot wait
	// for each other.
	order := make([]int, len(steps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(steps[a].Batch, steps[b].Batch) })
	verdicts := make([]delivery.Verdict, len(steps))
	err := l.db.write(ctx, acts, func(t tx) error {
		clock, err := t.clock()
		if err != nil {
			return err
		}
		a := advancing{t: t, now: ns(now), when: now, clock: clock, seen: map[alert.ID]life{}}
		for _, i := range order {
			if verdicts[i], err = a.step(steps[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: advance: %w", err)
	}
	return verdicts, nil
}

type advancing struct {
	t          tx
	when       time.Time
	now, clock int64
	seen       map[alert.ID]life
}

func (a *advancing) step(s delivery.Step) (v delivery.Verdict, err error) {
	p, err := load(a.t, s.Batch, false)
	if err != nil {
		return v, err
	}
	if p == nil {
		return v, &UnknownBatchError{s.Batch, -1}
	}
	holder := p.held(a.t, s.Fence)
	v.Lost = !holder
	live, err := alive(a.t, a.seen, p.alert, a.now)
	if err != nil {
		return v, err
	}
	v.Dead, v.Expired = !live, p.expires <= a.now
	var retire []int
	for _, d := range s.Settle {
		if d.Index < 0 || d.Index >= len(p.marks) {
			return v, &UnknownBatchError{s.Batch, d.Index}
		}
		if p.settle(d, holder) && d.Retire {
			retire = append(retire, d.Index)
		}
	}
	if err := retireIndexes(a.t, p.batch, retire, a.when); err != nil {
		return v, err
	}
	if holder && (s.Return || len(s.Settle) > 0) {
		p.crashes = 0
	}
	if holder && !v.Dead && !v.Expired && !s.Return && p.start(s.Start, s.Reuse) {
		v.Started = len(s.Start) + len(s.Reuse)
	}
	switch {
	case holder && s.Return:
		p.until, p.holder = 0, ""
	case holder:
		p.until = a.clock + int64(delivery.LeaseFor)
	}
	if err := p.save(a.t); err != nil {
		return v, err
	}
	v.Done = p.done()
	return v, nil
}

// Receive merges evidence.
func (l deliveryStore) Receive(ctx context.Context, now time.Time, es []delivery.Evidence) (int, error) {
	sorted := slices.Clone(es)
	slices.SortStableFunc(sorted, func(a, b delivery.Evidence) int { return cmp.Compare(a.Batch, b.Batch) })
	var unknown int
	err := l.db.write(ctx, acts, func(t tx) error {
		unknown = 0
		for rest := sorted; len(rest) > 0; {
			n := 1
			for n < len(rest) && rest[n].Batch == rest[0].Batch {
				n++
			}
			u, err := receive(t, now, rest[0].Batch, rest[:n])
			if err != nil {
				return err
			}
			unknown += u
			rest = rest[n:]
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: receive: %w", err)
	}
	return unknown, nil
}

func receive(t tx, now time.Time, id delivery.BatchID, es []delivery.Evidence) (unknown int, err error) {
	p, err := load(t, id, false)
	if err != nil {
		return 0, err
	}
	if p == nil {
		return len(es), nil
	}
	var retire []int
	changed := false
	for _, e := range es {
		if e.Index < 0 || e.Index >= len(p.marks) {
			unknown++
			continue
		}
		before := p.mark(e.Index)
		applies := p.settle(e.Delta, false)
		if applies && e.Retire {
			retire = append(retire, e.Index)
		}
		changed = changed || applies || p.mark(e.Index) != before
	}
	if !changed {
		return unknown, nil
	}
	if err := retireIndexes(t, id, retire, now); err != nil {
		return 0, err
	}
	return unknown, p.save(t)
}

// retireIndexes retires the endpoints at some places of a batch.
func retireIndexes(t tx, id delivery.BatchID, indexes []int, now time.Time) error {
	if len(indexes) == 0 {
		return nil
	}
	var count int
	var packed []byte
	if _, err := one(t, "SELECT count, ids FROM batch WHERE id = ?", []any{int64(id)}, &count, &packed); err != nil {
		return err
	}
	all, err := unpackIDs(packed, count)
	if err != nil {
		return err
	}
	ids := make([]int64, len(indexes))
	for i, n := range indexes {
		ids[i] = all[n]
	}
	return retire(t, ids, now, "address")
}
