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
