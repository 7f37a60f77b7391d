package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/alert"
)

// ErrNoFile says that the ledger is not a file that Loa can copy.
var ErrNoFile = errors.New("ledger: it is in PostgreSQL, whose own tools make and restore its backups")

// Copy writes a copy of the ledger, as it is at one moment, to a file that must
// not be there yet. Others write on meanwhile. The copy is on hold, and the
// generation of the ledger is above the copy's when Copy returns. Addresses stay
// sealed. What is in the file is durable when Copy returns; its name is not.
func (l *Ledger) Copy(ctx context.Context, to string) (err error) {
	if l.lite == nil {
		return ErrNoFile
	}
	db, err := sql.Open("sqlite", dsn(l.lite.path, "busy_timeout(5000)"))
	if err != nil {
		return fmt.Errorf("ledger: copy: %w", err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("ledger: copy: %w", err)
	}
	if err := l.markCopy(ctx, to); err != nil {
		return fmt.Errorf("ledger: copy: %w", err)
	}
	_, err = l.Bump(ctx)
	return err
}

// markCopy puts a copy on hold, so that it sends to nobody wherever it is put.
func (l *Ledger) markCopy(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(path, "journal_mode(delete)", "synchronous(full)"))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	for _, q := range []struct {
		text string
		args []any
	}{
		{"BEGIN", nil},
		{"UPDATE guard SET held = ?, why = ?, seen = 0, first_person = '', first_at = 0 WHERE id = 1", []any{ns(l.now()), HoldCopy}},
		{"UPDATE progress SET fence = fence + 1, until = 0 WHERE until <> 0 AND due_at IS NOT NULL", nil},
		{"UPDATE sequence SET value = value + ? WHERE name IN ('batch', 'endpoint')", []any{int64(skipped)}},
		{"COMMIT", nil},
	} {
		if _, err := db.ExecContext(ctx, q.text, q.args...); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	return db.Close()
}

// Facts are what a file of a ledger holds.
type Facts struct {
	Guard

	Schema      int64 // version of the file
	Alerts      int
	InForce     []alert.ID
	Endpoints   int
	People      int // who may act
	LastAudit   time.Time
	Sealed      []Sample // one of each kind that there is
	newestKnown int64
}

// Sample is one sealed address, to try a key on.
type Sample struct {
	Kind   channels.Kind
	Cipher []byte
}

// Inspect reads a file of a ledger that no process has open, and changes nothing.
// It fails on any damage that the database can find, and on a schema that this
// program does not know.
func Inspect(ctx context.Context, path string, now time.Time) (Facts, error) {
	f, err := inspect(ctx, path, now)
	if err != nil {
		return f, fmt.Errorf("ledger: %s: %w", path, err)
	}
	return f, nil
}

func inspect(ctx context.Context, path string, now time.Time) (f Facts, err error) {
	db, err := openUnchanged(path)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&said); err != nil {
		return f, err
	}
	if said != "ok" {
		return f, fmt.Errorf("it is damaged: %s", said)
	}
	if err := db.QueryRowContext(ctx, "SELECT MAX(version_id) FROM goose_db_version WHERE is_applied").Scan(&f.Schema); err != nil {
		return f, fmt.Errorf("it is no ledger: %w", err)
	}
	if f.newestKnown, err = newestSchema(); err != nil {
		return f, err
	}
	if f.Schema > f.newestKnown {
		return f, fmt.Errorf("it was written by a newer Loa (schema %d, this one knows %d)", f.Schema, f.newestKnown)
	}
	if f.Schema < guardSchema {
		return f, fmt.Errorf("it was written by a Loa without generations (schema %d)", f.Schema)
	}
	return f, f.read(ctx, db, ns(now))
}

// openUnchanged opens a file that no process has open, so that nothing of it or
// beside it is changed: a log that a crash has left is not read.
func openUnchanged(path string) (*sql.DB, error) {
	if strings.ContainsAny(path, "?#%") {
		return nil, errors.New("'?', '#' and '%' are not allowed in its path")
	}
	q := url.Values{"mode": {"ro"}, "immutable": {"1"}}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: filepath.ToSlash(path), RawQuery: q.Encode()}).String())
}

// guardSchema is the first schema with a guard.
const guardSchema = 4

func (f *Facts) read(ctx context.Context, db *sql.DB, now int64) error {
	var held, first, last int64
	row := db.QueryRowContext(ctx, "SELECT "+guardColumns+" FROM guard WHERE id = 1")
	if err := row.Scan(&f.Ledger, &f.Generation, &held, &f.Why, &f.Seen, &f.First, &first, &f.Key, &f.Rotating); err != nil {
		return err
	}
	f.Held, f.FirstAt = fromNS(held), fromNS(first)
	err := db.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM alert_case WHERE state <> 'drafted'), (SELECT COUNT(*) FROM endpoint WHERE retired = 0),
 (SELECT COUNT(*) FROM person WHERE revoked = 0), (SELECT COALESCE(MAX(at), 0) FROM audit)`).Scan(&f.Alerts, &f.Endpoints, &f.People, &last)
	if err != nil {
		return err
	}
	f.LastAudit = fromNS(last)
	rows, err := db.QueryContext(ctx, "SELECT id FROM alert_case WHERE state = ? AND expires > ? ORDER BY id", string(alert.Approved), now)
	if err != nil {
		return err
	}
	for rows.Next() {
		var id alert.ID
		if err := rows.Scan(&id); err != nil {
			return errors.Join(err, rows.Close())
		}
		f.InForce = append(f.InForce, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for code, kind := range kindNames {
		s := Sample{Kind: kind}
		err := db.QueryRowContext(ctx, "SELECT cipher FROM endpoint WHERE kind = ? AND retired = 0 LIMIT 1", code).Scan(&s.Cipher)
		if err == nil {
			f.Sealed = append(f.Sealed, s)
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
}

// newestSchema is the newest version that this program knows.
func newestSchema() (newest int64, err error) {
	names, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	for _, name := range names {
		var n int64
		if _, err := fmt.Sscanf(filepath.Base(name), "%d_", &n); err != nil {
			return 0, fmt.Errorf("migrations: %s: %w", name, err)
		}
		newest = max(newest, n)
	}
	return newest, err
}
