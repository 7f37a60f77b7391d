package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// PingSQLite says whether a file, if it is there, can be a ledger and be written
// to. It changes nothing, and a gateway may be using it.
func PingSQLite(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the data folder is the operator's
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if closed := f.Close(); closed != nil {
		return fmt.Errorf("ledger: %w", closed)
	}
	if n > 0 && (err != nil || !bytes.Equal(head, []byte("SQLite format 3\x00"))) {
		return fmt.Errorf("ledger: %s is not a ledger", path)
	}
	return nil
}

// Key is the id of the master key of a ledger, and of the one that its addresses
// are being sealed with anew. Both are empty of a ledger that has none yet.
type Key struct {
	ID, Rotating string
	Ledger       string // the ledger's own name; empty: there is none yet
	Behind       bool   // a crash has left a log, which may know better
}

const keyQuery = "SELECT key_id, rotating, ledger FROM guard WHERE id = 1"

// SQLiteKey reads the key's id from a file that no process has open, and changes
// nothing. Without a file there is no key.
func SQLiteKey(ctx context.Context, path string) (k Key, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return k, nil
	}
	if log, err := os.Stat(path + "-wal"); err == nil {
		k.Behind = log.Size() > 0
	}
	db, err := openUnchanged(path)
	if err != nil {
		return k, fmt.Errorf("ledger: key: %w", err)
	}
	var guards int
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'guard'").Scan(&guards)
	if err == nil && guards == 1 {
		err = db.QueryRowContext(ctx, keyQuery).Scan(&k.ID, &k.Rotating, &k.Ledger)
	}
	if err = errors.Join(err, db.Close()); err != nil && !k.Behind {
		return k, fmt.Errorf("ledger: key: %w", err)
	}
	return k, nil
}

// PostgresKey reads the key's id, and changes nothing.
func PostgresKey(ctx context.Context, dsn string) (k Key, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return k, errors.New("PostgreSQL does not answer")
	}
	err = conn.QueryRow(ctx, keyQuery).Scan(&k.ID, &k.Rotating, &k.Ledger)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42P01" { // undefined_table: no ledger yet
		err = nil
	}
	return k, errors.Join(err, conn.Close(ctx))
}

// PingPostgres proves that a PostgreSQL answers and lets us in. It changes
// nothing there. The error quotes no connection string.
func PingPostgres(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && strings.HasPrefix(refused.Code, "28"):
		return errors.New("PostgreSQL refuses the user or the password")
	case errors.As(err, &refused) && refused.Code == "3D000":
		return errors.New("PostgreSQL has no such database")
	case errors.As(err, &refused):
		return fmt.Errorf("PostgreSQL refuses the connection (SQLSTATE %s)", refused.Code)
	case err != nil:
		return errors.New("PostgreSQL does not answer")
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

// PostgresSums reports whether a PostgreSQL sums its pages, so that it notices
// damage on its disk.
func PostgresSums(ctx context.Context, dsn string) (on bool, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return false, errors.New("PostgreSQL does not answer")
	}
	var said string
	err = conn.QueryRow(ctx, "SHOW data_checksums").Scan(&said)
	return said == "on", errors.Join(err, conn.Close(ctx))
}
