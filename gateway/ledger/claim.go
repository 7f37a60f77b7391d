package ledger

import (
	"context"
	"fmt"
	"slices"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
)

// Claim leases due batches, none while the ledger is on hold.
func (l deliveryStore) Claim(ctx context.Context, r delivery.ClaimRequest) ([]delivery.Lease, error) {
	kind, err := kindCode(r.Kind)
	if err != nil {
		return nil, err
	}
	if r.Max <= 0 {
		return nil, nil
	}
	var leases []delivery.Lease
	err = l.db.write(ctx, acts, func(t tx) error {
		leases = nil
		if held, err := onHold(t, t.dialect().share); err != nil || held {
			return err
		}
		c := claiming{t: t, r: r, now: ns(r.Now), kind: kind, seen: map[alert.ID]life{}}
		if c.clock, err = t.clock(); err != nil {
			return err
		}
		ids := r.Batches
		if ids == nil {
			if ids, err = c.candidates(); err != nil {
				return err
			}
		} else if ids, err = c.order(ids); err != nil {
			return err
		}
		for _, id := range ids {
			if len(leases) == r.Max {
				break
			}
			lease, err := c.take(id)
			if err != nil {
				return fmt.Errorf("batch %d: %w", id, err)
			}
			if lease != nil {
				leases = append(leases, *lease)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: claim: %w", err)
	}
	return leases, nil
}

type claiming struct {
	t          tx
	r          delivery.ClaimRequest
	kind       int64
	now, clock int64
	seen       map[alert.ID]life
}

const openLive = ` FROM progress p JOIN alert_case a ON a.id = p.alert
 WHERE p.kind = ? AND p.due_at IS NOT NULL AND p.due_at <= ? AND (p.until <= ? OR p.boot <> ?)
 AND p.expires > ? AND a.state = 'approved' AND a.expires > ?`

// candidates lists what is due, highest priority first. Some more than are
// asked for, since other nodes ask at the same time.
func (c *claiming) candidates() ([]delivery.BatchID, error) {
	limit := c.r.Max
	if c.t.dialect().skip != "" {
		limit = 4*c.r.Max + 16
	}
	return column[delivery.BatchID](c.t, "SELECT p.batch"+openLive+" ORDER BY p.priority, p.batch LIMIT ?",
		c.kind, c.now, c.clock, c.t.boot(), c.now, c.now, int64(limit))
}

// order sorts the batches that were hinted by priority.
func (c *claiming) order(hinted []delivery.BatchID) ([]delivery.BatchID, error) {
	if len(hinted) == 1 {
		return hinted, nil
	}
	d := c.t.dialect()
	numbers := make([]int64, len(hinted))
	for i, id := range hinted {
		numbers[i] = int64(id)
	}
	return column[delivery.BatchID](c.t, "SELECT batch FROM progress WHERE batch"+d.inInts+" ORDER BY priority, batch", d.ints(numbers))
}

// take leases one batch, or returns nil if it is not due, leased, or dead.
func (c *claiming) take(id delivery.BatchID) (*delivery.Lease, error) {
	p, err := load(c.t, id, true)
	if err != nil || p == nil {
		return nil, err
	}
	if p.kind != c.kind || p.due > c.now || !p.free(c.t, c.clock) || p.expires <= c.now {
		return nil, nil
	}
	if live, err := alive(c.t, c.seen, p.alert, c.now); err != nil || !live {
		return nil, err
	}
	c.orphans(p)
	if p.until != 0 {
		p.crashes++ // the holder neither gave it back nor lived to renew it
	}
	p.fence++
	p.until, p.boot, p.holder = c.clock+int64(delivery.LeaseFor), c.t.boot(), c.r.Holder
	if p.ready(); p.due > c.now {
		p.until, p.holder = 0, "" // only doubts were left
	}
	if err := p.save(c.t); err != nil || p.until == 0 {
		return nil, err
	}
	lease := delivery.Lease{Fence: p.fence, Crashes: p.crashes}
	if lease.Batch, err = readBatch(c.t, id); err != nil {
		return nil, err
	}
	lease.Marks = make([]delivery.Mark, len(p.marks))
	for i := range p.marks {
		lease.Marks[i] = p.mark(i)
	}
	for _, x := range p.excepted {
		lease.Exceptions = append(lease.Exceptions, x)
	}
	slices.SortFunc(lease.Exceptions, func(a, b delivery.Exception) int { return a.Index - b.Index })
	return &lease, nil
}

// orphans turns what an earlier holder left sending into doubts.
func (c *claiming) orphans(p *progress) {
	if p.counts[channels.Sending] == 0 {
		return
	}
	for i := range p.marks {
		if m := p.mark(i); m.Outcome() == channels.Sending {
			next, x := delivery.Orphan(i, m, p.resend, p.excepted[i], c.r)
			p.set(i, next)
			p.except(x)
		}
	}
}

// readBatch reads what never changes of a batch.
func readBatch(t tx, id delivery.BatchID) (delivery.Batch, error) {
	b := delivery.Batch{ID: id}
	var kind, flags, expires int64
	var count int
	var ids []byte
	ok, err := one(t, `SELECT b.alert, b.revision, b.kind, b.language, b.commune, b.priority, b.status, b.flags, b.code, b.expires, b.count, b.ids, m.body
 FROM batch b JOIN message m ON m.id = b.message WHERE b.id = ?`, []any{int64(id)},
		&b.Alert, &b.Revision, &kind, &b.Language, &b.Commune, &b.Priority, &b.Status, &flags, &b.Code, &expires, &count, &ids, &b.Body)
	if err != nil {
		return b, err
	}
	if !ok {
		return b, errPacked
	}
	b.Kind, b.Expires = kindNames[kind], fromExpiry(expires)
	b.Roster, b.Resend, b.Urgent = flags&flagRoster != 0, flags&flagResend != 0, flags&flagUrgent != 0
	b.Recipients, err = unpackIDs(ids, count)
	return b, err
}
