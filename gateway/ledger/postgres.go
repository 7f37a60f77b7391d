package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"loa/gateway/delivery"
)

// OpenPostgres opens the ledger in a PostgreSQL database that several nodes
// share. Leases are judged by the database's clock and row locks keep two nodes
// from taking the same batch. It fails with ErrInUse while another process has
// it for itself; with Options.Alone, while any other uses it.
func OpenPostgres(ctx context.Context, dsn string, opt Options) (*Ledger, error) {
	if opt.Readers <= 0 {
		opt.Readers = 16
	}
	opt = opt.defaults()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The error of the parser may hold parts of the password.
		return nil, errors.New("ledger: the connection string of PostgreSQL cannot be read")
	}
	cfg.MaxConns = int32(min(opt.Readers, 1000)) //nolint:gosec // at most 1000
	cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "on"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["application_name"] = "loa"
	// A node that freezes or is cut off in a transaction holds rows that others
	// would take over: the server ends the transaction as its leases end.
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(delivery.HoldFor.Milliseconds(), 10)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("ledger: postgresql: %w", err)
	}
	d := &pg{pool: pool, present: newPresence(cfg.ConnConfig, opt.Alone)}
	if err = d.present.take(ctx); err == nil {
		db := stdlib.OpenDBFromPool(pool)
		err = errors.Join(migrate(ctx, db, "postgres"), db.Close())
	}
	if err != nil {
		pool.Close()
		d.present.close(ctx)
		return nil, fmt.Errorf("ledger: postgresql: %w", err)
	}
	return start(ctx, d, opt, false)
}

// pg is a PostgreSQL database.
type pg struct {
	pool    *pgxpool.Pool
	present *presence
	queries sync.Map // statement with "?" to statement with "$n"
}

// retries is how often a transaction is begun anew that PostgreSQL gave up
// because of another (deadlock, serialization).
const retries = 5

func (d *pg) write(ctx context.Context, _ lane, do func(tx) error) error {
	for n := 1; ; n++ {
		err := d.run(ctx, pgx.TxOptions{}, do)
		var e *pgconn.PgError
		if n == retries || !errors.As(err, &e) || (e.Code != "40P01" && e.Code != "40001") {
			return diagnose(err)
		}
	}
}

func (d *pg) read(ctx context.Context, do func(tx) error) error {
	return d.run(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, do)
}

func (d *pg) run(ctx context.Context, opt pgx.TxOptions, do func(tx) error) error {
	return pgx.BeginTxFunc(ctx, d.pool, opt, func(x pgx.Tx) error {
		return do(&pgTx{ctx: ctx, x: x, d: d})
	})
}

// scrub leaves old row versions to VACUUM, which PostgreSQL runs by itself.
func (d *pg) scrub(context.Context) error { return nil }

func (d *pg) close() error {
	d.pool.Close()
	d.present.close(context.Background()) //nolint:forbidigo // whoever closes has no context
	return nil
}

// numbered is the statement with "$n" for each "?".
func (d *pg) numbered(query string) string {
	if q, ok := d.queries.Load(query); ok {
		return q.(string)
	}
	var b strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	d.queries.Store(query, b.String())
	return b.String()
}

var pgDialect = dialect{
	lock: " FOR UPDATE", skip: " SKIP LOCKED", share: " FOR SHARE",
	inInts: " = ANY(?::bigint[])", inStrs: " = ANY(?::text[])",
	listed: `SELECT k.hash, k.id FROM unnest(?::bytea[]) AS h
 CROSS JOIN LATERAL (SELECT hash, id FROM lookup WHERE lookup.hash = h AND lookup.kind = ? LIMIT 1) k`,
	ints: func(v []int64) any { return v },
	strs: func(v []string) any { return v },
	// Others need not wait for bulk work, and each statement is a journey.
	stride: maxStage,
}

// pgTx is one transaction.
type pgTx struct {
	ctx context.Context
	x   pgx.Tx
	d   *pg
}

func (t *pgTx) exec(query string, args ...any) (int64, error) {
	tag, err := t.x.Exec(t.ctx, t.d.numbered(query), args...)
	return tag.RowsAffected(), err
}

func (t *pgTx) each(query string, args []any, row func(scan func(...any) error) error) error {
	rows, err := t.x.Query(t.ctx, t.d.numbered(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (t *pgTx) insert(table string, columns []string, rows [][]any) error {
	_, err := t.x.CopyFrom(t.ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
	return err
}

func (t *pgTx) clock() (n int64, err error) {
	_, err = one(t, "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000000)::bigint", nil, &n)
	return n, err
}

// boot is the same for all nodes: they share the database's clock.
func (t *pgTx) boot() string     { return "postgresql" }
func (t *pgTx) dialect() dialect { return pgDialect }
func (t *pgTx) leased() *leases  { return nil }
func (t *pgTx) pressed() bool    { return false }

// Time is the database's clock, by which several nodes can agree. ok is false
// for SQLite, which has none of its own.
func (l *Ledger) Time(ctx context.Context) (now time.Time, ok bool, err error) {
	if l.lite != nil {
		return time.Time{}, false, nil
	}
	var n int64
	err = l.db.read(ctx, func(t tx) (err error) {
		n, err = t.clock()
		return err
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("ledger: time: %w", err)
	}
	return time.Unix(0, n), true, nil
}
