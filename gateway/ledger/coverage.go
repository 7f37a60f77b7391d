package ledger

import (
	"context"
	"fmt"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
)

// Cells counts outcomes by commune and channel. Marks of a dead alert stay as
// they were; here its pending recipients count as expired, if the expiry came
// first, or as cancelled, and those whose holder died while sending as
// ambiguous.
func (l coverageSource) Cells(ctx context.Context, id alert.ID, revision int) ([]coverage.Cell, error) {
	var cells []coverage.Cell
	now := ns(l.now())
	err := l.db.read(ctx, func(t tx) error {
		cells = nil
		clock, err := t.clock()
		if err != nil {
			return err
		}
		var h life
		var ended int64
		if _, err := one(t, "SELECT state, expires, ended FROM alert_case WHERE id = ?", []any{string(id)}, &h.state, &h.expires, &ended); err != nil {
			return err
		}
		// Until when a send could start: the act that ended the alert, or now.
		last, rest := now, channels.Pending
		if !h.state.Live() {
			rest = channels.Cancelled
			if ended != 0 {
				last = ended
			}
		}
		if last >= h.expires {
			last = never
		}
		return t.each(`SELECT b.commune, b.kind, CASE WHEN b.expires <= ? THEN 1 ELSE 0 END AS late,
 CASE WHEN p.until > ? AND p.boot = ? THEN 1 ELSE 0 END AS held,
 CAST(SUM(p.c0) AS BIGINT), CAST(SUM(p.c1) AS BIGINT), CAST(SUM(p.c2) AS BIGINT), CAST(SUM(p.c3) AS BIGINT), CAST(SUM(p.c4) AS BIGINT), CAST(SUM(p.c5) AS BIGINT), CAST(SUM(p.c6) AS BIGINT), CAST(SUM(p.c7) AS BIGINT), CAST(SUM(p.c8) AS BIGINT)
 FROM batch b JOIN progress p ON p.batch = b.id WHERE b.alert = ? AND b.revision = ?
 GROUP BY b.commune, b.kind, late, held ORDER BY b.commune, b.kind`,
			[]any{last, clock, t.boot(), string(id), int64(revision)},
			func(scan func(...any) error) error {
				var commune string
				var kind, late, held int64
				var n [channels.OutcomeCount]int
				dest := []any{&commune, &kind, &late, &held}
				for i := range n {
					dest = append(dest, &n[i])
				}
				if err := scan(dest...); err != nil {
					return err
				}
				to := rest
				if late == 1 {
					to = channels.Expired
				}
				cells = gather(cells, commune, kindNames[kind], n, to, held == 1)
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: coverage: %w", err)
	}
	return cells, nil
}

// Recipients walks over everybody the revision was cut for, by batch. What is
// yielded is what is stored: pending stays pending.
func (l coverageSource) Recipients(ctx context.Context, id alert.ID, revision int, yield func(coverage.Recipient) error) error {
	err := l.db.read(ctx, func(t tx) error {
		return t.each(`SELECT b.kind, b.commune, b.count, b.ids, p.marks FROM batch b JOIN progress p ON p.batch = b.id
 WHERE b.alert = ? AND b.revision = ? ORDER BY b.id`, []any{string(id), int64(revision)}, func(scan func(...any) error) error {
			var kind int64
			var commune area.Code
			var n int
			var packed, marks []byte
			if err := scan(&kind, &commune, &n, &packed, &marks); err != nil {
				return err
			}
			ids, err := unpackIDs(packed, n)
			if err != nil {
				return err
			}
			for i, id := range ids {
				err := yield(coverage.Recipient{Kind: kindNames[kind], Commune: commune, Endpoint: id, Outcome: delivery.Mark(marks[i]).Outcome()})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("ledger: recipients: %w", err)
	}
	return nil
}

// Faults counts the exceptions of a revision by channel, fault and code.
func (l coverageSource) Faults(ctx context.Context, id alert.ID, revision int) ([]coverage.FaultCount, error) {
	var all []coverage.FaultCount
	err := l.db.read(ctx, func(t tx) error {
		all = nil
		return t.each(`SELECT b.kind, e.fault, e.code, COUNT(*) FROM batch b JOIN exception e ON e.batch = b.id
 WHERE b.alert = ? AND b.revision = ? GROUP BY b.kind, e.fault, e.code ORDER BY COUNT(*) DESC, b.kind, e.fault, e.code`,
			[]any{string(id), int64(revision)}, func(scan func(...any) error) error {
				var kind int64
				var f coverage.FaultCount
				if err := scan(&kind, &f.Fault, &f.Code, &f.Count); err != nil {
					return err
				}
				f.Kind = kindNames[kind]
				all = append(all, f)
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: faults: %w", err)
	}
	return all, nil
}

// gather adds a row to the last cell, or begins a new one.
func gather(cells []coverage.Cell, commune string, kind channels.Kind, n [channels.OutcomeCount]int, pending channels.Outcome, held bool) []coverage.Cell {
	if pending != channels.Pending {
		n[pending] += n[channels.Pending]
		n[channels.Pending] = 0
		if !held {
			n[channels.Ambiguous] += n[channels.Sending]
			n[channels.Sending] = 0
		}
	}
	if k := len(cells) - 1; k < 0 || string(cells[k].Commune) != commune || cells[k].Kind != kind {
		cells = append(cells, coverage.Cell{Commune: area.Code(commune), Kind: kind})
	}
	last := &cells[len(cells)-1]
	for i := range n {
		last.Counts[i] += n[i]
	}
	return cells
}
