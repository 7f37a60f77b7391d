package ledger

import (
	"context"
	"fmt"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/coverage"
)

// InForce lists the approved alerts that have not expired, oldest first, with
// the revision that is in force. However many alerts there were before them,
// none of those is read.
func (l *Ledger) InForce(ctx context.Context, now time.Time) ([]InForce, error) {
	var all []InForce
	err := l.db.read(ctx, func(t tx) error {
		all = nil
		return t.each("SELECT id, revision FROM alert_case WHERE state = ? AND expires > ? ORDER BY created, id", []any{string(alert.Approved), ns(now)},
			func(scan func(...any) error) error {
				var f InForce
				if err := scan(&f.Alert, &f.Revision); err != nil {
					return err
				}
				all = append(all, f)
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: alerts in force: %w", err)
	}
	return all, nil
}

// InForce names a frozen revision: it never changes.
type InForce struct {
	Alert    alert.ID
	Revision int
}

// Second counts the recipients of a revision whom one more send will follow,
// because the first was in doubt or was reported as not arrived. Of an alert
// that is not sent any more there are none.
func (l *Ledger) Second(ctx context.Context, id alert.ID, revision int) (coverage.Second, error) {
	var s coverage.Second
	var next int64
	now := ns(l.now())
	err := l.db.read(ctx, func(t tx) error {
		_, err := one(t, `SELECT COUNT(*), COALESCE(MIN(x.due_at), 0) FROM batch b
 JOIN alert_case a ON a.id = b.alert JOIN progress p ON p.batch = b.id JOIN exception x ON x.batch = b.id
 WHERE b.alert = ? AND b.revision = ? AND a.state = ? AND a.expires > ? AND p.due_at IS NOT NULL AND p.excepted > 0
 AND x.doubts > 0 AND x.due_at <> 0 AND x.due_at < b.expires AND b.expires > ?`,
			[]any{string(id), int64(revision), string(alert.Approved), now, now}, &s.Waiting, &next)
		return err
	})
	if err != nil {
		return coverage.Second{}, fmt.Errorf("ledger: second attempts: %w", err)
	}
	s.Next = fromNS(next)
	return s, nil
}

// Doubt is how many recipients of one channel a holder of leases has marked as
// sending. Held says that the lease may still be renewed.
type Doubt struct {
	Holder string
	Kind   channels.Kind
	N      int
	Held   bool
}

// Doubts lists who is marked as sending in batches that are not done.
func (l *Ledger) Doubts(ctx context.Context) ([]Doubt, error) {
	var all []Doubt
	err := l.db.read(ctx, func(t tx) error {
		all = nil
		clock, err := t.clock()
		if err != nil {
			return err
		}
		for _, kind := range channels.AllKinds() {
			err := t.each(`SELECT p.holder, CASE WHEN p.until > ? AND p.boot = ? THEN 1 ELSE 0 END AS held, CAST(SUM(p.c1) AS BIGINT)
 FROM progress p WHERE p.kind = ? AND p.due_at IS NOT NULL AND p.c1 > 0 GROUP BY p.holder, held`, []any{clock, t.boot(), kindCodes[kind]},
				func(scan func(...any) error) error {
					d := Doubt{Kind: kind}
					var held int64
					if err := scan(&d.Holder, &held, &d.N); err != nil {
						return err
					}
					d.Held = held == 1
					all = append(all, d)
					return nil
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: recipients in doubt: %w", err)
	}
	return all, nil
}

// Probe proves that the ledger can still be written to: it makes a row durable
// in the lane of people's acts, and takes it out again in the same commit.
func (l *Ledger) Probe(ctx context.Context) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		const key = "loa/probe"
		if _, err := t.exec("INSERT INTO act_key (key, hash) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", key, []byte{0}); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM act_key WHERE key = ?", key)
		return err
	})
	if err != nil {
		return fmt.Errorf("ledger: probe: %w", err)
	}
	return nil
}
