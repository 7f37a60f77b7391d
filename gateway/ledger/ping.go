package ledger

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// PingPostgres proves that a PostgreSQL answers and lets us in. It changes
// nothing there. The error quotes no connection string.
func PingPostgres(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return errors.New("PostgreSQL does not answer, or refuses the user")
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}
