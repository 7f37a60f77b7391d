package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"loa/gateway/alert"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
	"loa/gateway/dispatch"
)

// maxNotice bounds the text of a notice, in bytes.
const maxNotice = 1000

// notice stores what is not sent. The first word stays.
func notice(t tx, n coverage.Notice) error {
	kind := int64(0)
	if n.Kind != "" {
		var err error
		if kind, err = kindCode(n.Kind); err != nil {
			return err
		}
	}
	if n.Code == "" {
		return errors.New("a notice has no code")
	}
	if len(n.Text) > maxNotice {
		n.Text = strings.ToValidUTF8(n.Text[:maxNotice], "")
	}
	_, err := t.exec(`INSERT INTO notice (alert, revision, kind, commune, code, text, at) VALUES (?, ?, ?, ?, ?, ?, ?)
 ON CONFLICT (alert, revision, kind, commune, code) DO NOTHING`,
		string(n.Alert), int64(n.Revision), kind, string(n.Commune), n.Code, n.Text, ns(n.At))
	return err
}

// Note keeps what dispatch does not send.
func (l dispatchStore) Note(ctx context.Context, now time.Time, rs ...dispatch.Refusal) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		for _, r := range rs {
			n := coverage.Notice{Alert: r.Alert, Revision: r.Revision, Kind: r.Cell.Kind, Commune: r.Cell.Commune, Code: r.Code, At: now}
			if r.Err != nil {
				n.Text = r.Err.Error()
			}
			if err := notice(t, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ledger: notice: %w", err)
	}
	return nil
}

// NoteBatch keeps what is not sent of a batch; n's alert, revision and kind are
// taken from it. A batch that does not exist is no error.
func (l *Ledger) NoteBatch(ctx context.Context, id delivery.BatchID, n coverage.Notice) error {
	err := l.db.write(ctx, acts, func(t tx) error {
		var kind int64
		found, err := one(t, "SELECT alert, revision, kind FROM batch WHERE id = ?", []any{int64(id)}, &n.Alert, &n.Revision, &kind)
		if err != nil || !found {
			return err
		}
		n.Kind = kindNames[kind]
		return notice(t, n)
	})
	if err != nil {
		return fmt.Errorf("ledger: notice: %w", err)
	}
	return nil
}

// Notices lists what of an alert is not sent, oldest first.
func (l coverageSource) Notices(ctx context.Context, id alert.ID, limit int) ([]coverage.Notice, error) {
	var all []coverage.Notice
	err := l.db.read(ctx, func(t tx) error {
		all = nil
		return t.each("SELECT revision, kind, commune, code, text, at FROM notice WHERE alert = ? ORDER BY at, code, kind, commune LIMIT ?", []any{string(id), int64(max(limit, 0))},
			func(scan func(...any) error) error {
				n := coverage.Notice{Alert: id}
				var kind, at int64
				err := scan(&n.Revision, &kind, &n.Commune, &n.Code, &n.Text, &at)
				n.Kind, n.At = kindNames[kind], fromNS(at)
				all = append(all, n)
				return err
			})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: notices: %w", err)
	}
	return all, nil
}

// Notices tells what of an alert is not sent.
func (l *Ledger) Notices() coverage.Notices { return coverageSource{l} }
