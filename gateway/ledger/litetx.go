package ledger

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// liteTx runs statements on one connection; the writer has one for ever, a
// reader for one transaction.
type liteTx struct {
	ctx     context.Context
	caller  context.Context // of a read: ends it between rows
	prepare func(query string) (*sql.Stmt, error)
	now     func() int64
	life    string
	known   *leases
	press   func() bool // of the writer
}

func (t *liteTx) exec(query string, args ...any) (int64, error) {
	s, err := t.prepare(query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *liteTx) each(query string, args []any, row func(scan func(...any) error) error) error {
	s, err := t.prepare(query)
	if err != nil {
		return err
	}
	if err := t.over(); err != nil {
		return err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		err := row(rows.Scan)
		if err == nil {
			err = t.over()
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// over says why nobody waits for the answer any more.
func (t *liteTx) over() error {
	if t.caller == nil {
		return nil
	}
	select {
	case <-t.caller.Done():
		return context.Cause(t.caller)
	default:
		return nil
	}
}

func (t *liteTx) insert(table string, columns []string, rows [][]any) error {
	q := "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
	for _, r := range rows {
		if _, err := t.exec(q, r...); err != nil {
			return err
		}
	}
	return nil
}

func (t *liteTx) clock() (int64, error) { return t.now(), nil }
func (t *liteTx) boot() string          { return t.life }
func (t *liteTx) dialect() dialect      { return liteDialect }
func (t *liteTx) leased() *leases       { return t.known }
func (t *liteTx) pressed() bool         { return t.press() }
