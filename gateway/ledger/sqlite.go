package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// lite is an SQLite database: one connection that writes, some that read.
type lite struct {
	wdb, rdb *sql.DB
	path     string
	w        *writer
	c        *checkpointer
	sums     *sums
	latch    *latch
	patrol   func()       // ends it
	scrubbed atomic.Int64 // how often every page was read
	now      func() int64
	life     string
	own      *reader      // statements of the writer's connection
	readers  chan *reader // those that are free
	closed   chan struct{}
	once     sync.Once
}

// reader is one connection with its prepared statements. Statements belong to
// a connection: one prepared on the pool would wait for a second connection
// while holding the first.
type reader struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (r *reader) prepare(q string) (*sql.Stmt, error) {
	if s, ok := r.stmts[q]; ok {
		return s, nil
	}
	s, err := r.conn.PrepareContext(context.Background(), q) //nolint:forbidigo // the statement outlives the call that needs it first
	if err != nil {
		return nil, fmt.Errorf("ledger: prepare: %w", err)
	}
	r.stmts[q] = s
	return s, nil
}

// close also closes the statements: one that is open keeps SQLite's own
// connection alive, and with it the WAL.
func (r *reader) close() error {
	var errs []error
	for _, s := range r.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, r.conn.Close())...)
}

// dsn names the file and what every connection sets first.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": pragmas}
	return (&url.URL{Scheme: "file", Opaque: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

// openLite opens the file, creates it if it is not there, and brings it to the
// newest schema. Before anything else its pages are held against their sums,
// and what the log of an earlier life holds is put into the file: nothing
// relies on a sync that may have failed then.
func openLite(ctx context.Context, path string, opt Options) (*lite, error) {
	if strings.ContainsAny(path, "?#%") {
		return nil, fmt.Errorf("ledger: path %q: '?', '#' and '%%' are not allowed", path)
	}
	s, checked, err := openSums(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	var life [8]byte
	_, _ = rand.Read(life[:])
	d := &lite{path: path, sums: s, life: hex.EncodeToString(life[:]), closed: make(chan struct{}), readers: make(chan *reader, opt.Readers)}
	d.latch = &latch{log: opt.Log, full: func() {}}
	if err := d.connect(ctx, opt); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %s: %w", path, diagnose(err)), d.shut(ctx))
	}
	if err := d.settle(ctx, checked); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: %s: %w", path, diagnose(err)), d.shut(ctx))
	}
	lasting := context.WithoutCancel(ctx)
	start := opt.Now()
	// Differences of the injected clock are monotonic where it is.
	d.now = func() int64 { return start.UnixNano() + int64(opt.Now().Sub(start)) }
	d.w = newWriter(&liteTx{
		ctx:  lasting, // one commit carries the acts of many callers
		now:  d.now,
		life: d.life, known: newLeases(),
		prepare: d.own.prepare,
	}, d.latch, d.c.committed)
	d.w.patience = func(wait time.Duration) error {
		// A prepared one would set it when it is prepared, and never again.
		_, err := d.own.conn.ExecContext(lasting, fmt.Sprintf("PRAGMA busy_timeout(%d)", wait.Milliseconds()))
		return err
	}
	d.c.start(d.w)
	d.patrol = startPatrol(lasting, d, opt.ScrubEvery)
	return d, nil
}

// connect opens every connection.
func (d *lite) connect(ctx context.Context, opt Options) (err error) {
	common := []string{"busy_timeout(5000)", "foreign_keys(1)", "temp_store(memory)", "cache_size(-32768)"}
	write := append([]string{"journal_mode(wal)", "synchronous(full)", "secure_delete(1)", "journal_size_limit(67108864)", "wal_autocheckpoint(0)"}, common...)
	if opt.maxPages > 0 {
		write = append(write, fmt.Sprintf("max_page_count(%d)", opt.maxPages))
	}
	if d.wdb, err = sql.Open("sqlite", dsn(d.path, write...)); err != nil {
		return err
	}
	d.wdb.SetMaxOpenConns(1)
	if err := migrate(ctx, d.wdb, "sqlite"); err != nil {
		return err
	}
	conn, err := d.wdb.Conn(ctx)
	if err != nil {
		return err
	}
	d.own = &reader{conn: conn, stmts: make(map[string]*sql.Stmt)}
	if d.rdb, err = sql.Open("sqlite", dsn(d.path, append(common, "query_only(1)")...)); err != nil {
		return err
	}
	d.rdb.SetMaxOpenConns(opt.Readers)
	d.rdb.SetMaxIdleConns(opt.Readers)
	for range opt.Readers {
		c, err := d.rdb.Conn(ctx)
		if err != nil {
			return err
		}
		d.readers <- &reader{conn: c, stmts: make(map[string]*sql.Stmt)}
	}
	d.c, err = newCheckpointer(ctx, d.path, d.sums, d.latch, opt.Log)
	return err
}

// settle empties the log, and makes the sums if the file was not held against
// any.
func (d *lite) settle(ctx context.Context, checked bool) error {
	if !checked {
		if err := d.intact(ctx); err != nil {
			return err
		}
	}
	if err := d.c.settled(ctx); err != nil {
		return err
	}
	if err := d.truncate(ctx); err != nil {
		return err
	}
	if checked && d.sums.pages != nil {
		return nil
	}
	return d.sums.make()
}

// intact has SQLite check the structure of the file, which finds much damage
// and not all.
func (d *lite) intact(ctx context.Context) error {
	rows, err := d.own.conn.QueryContext(ctx, "PRAGMA integrity_check(1)")
	if err != nil {
		return err
	}
	var said string
	for rows.Next() {
		if err := rows.Scan(&said); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("%w: %s: %s", ErrCorrupt, d.path, said)
	}
	return nil
}

func (d *lite) write(ctx context.Context, l lane, do func(tx) error) error {
	return d.w.submit(ctx, l, do)
}

// read runs do in a read transaction: WAL gives it one state of the database.
func (d *lite) read(ctx context.Context, do func(tx) error) error {
	var r *reader
	select {
	case r = <-d.readers:
	case <-d.closed:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("ledger: read: %w", ctx.Err())
	}
	defer func() { d.readers <- r }()
	// A statement with a context that can end costs two goroutines: each looks
	// at the caller's between rows instead.
	t := &liteTx{ctx: context.Background(), caller: ctx, now: d.now, life: d.life, prepare: r.prepare} //nolint:forbidigo // see above
	if _, err := t.exec("BEGIN"); err != nil {
		return fmt.Errorf("ledger: read: %w", err)
	}
	err := do(t)
	if _, e := t.exec("ROLLBACK"); err == nil && e != nil {
		err = fmt.Errorf("ledger: read: %w", e)
	}
	return err
}

// close waits for the group that is being committed; what still waits gets
// ErrClosed.
func (d *lite) close() error {
	var errs []error
	d.once.Do(func() {
		d.patrol()
		d.c.stop()
		d.w.close()
		close(d.closed)
		free := make(chan *reader, cap(d.readers))
		for range cap(d.readers) {
			free <- <-d.readers // nobody reads any more
		}
		d.readers = free
		errs = append(errs, d.shut(context.Background())) //nolint:forbidigo // whoever closes has no context
	})
	return errors.Join(errs...)
}

// shut closes every connection. The last one would fold the log into the file,
// so that is done before, with the sums. If it cannot be, the connections stay
// for the end of the process, which folds nothing.
func (d *lite) shut(ctx context.Context) error {
	if d.c != nil {
		if err := d.c.settled(ctx); err != nil {
			return fmt.Errorf("ledger: close: the log stays: %w", err)
		}
	}
	var errs []error
	for range len(d.readers) {
		errs = append(errs, (<-d.readers).close())
	}
	if d.rdb != nil {
		errs = append(errs, d.rdb.Close())
	}
	if d.c != nil {
		errs = append(errs, d.c.close())
	}
	if d.own != nil {
		errs = append(errs, d.own.close())
	}
	if d.wdb != nil {
		errs = append(errs, d.wdb.Close())
	}
	d.sums.close()
	return errors.Join(errs...)
}

var liteDialect = dialect{
	inInts: " IN (SELECT value FROM json_each(?))",
	inStrs: " IN (SELECT value FROM json_each(?))",
	ints:   func(v []int64) any { return jsonText(v) },
	strs:   func(v []string) any { return jsonText(v) },
	stride: 32,
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers and strings always marshal
	}
	return string(b)
}

// defaults fills what the caller left out.
func (o Options) defaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Readers <= 0 {
		o.Readers = 4
	}
	if o.ScrubEvery <= 0 {
		o.ScrubEvery = 10 * time.Minute
	}
	return o
}

// scrub folds the WAL into the file and empties it, so that no older copy of a
// page stays; deleted rows are overwritten by secure_delete. The writer waits
// for it, so it gives way to readers at once.
func (d *lite) scrub(ctx context.Context) (err error) {
	if _, err := d.c.pass(); err != nil {
		return err
	}
	d.w.pause(func() {
		if err = d.c.settled(ctx); err == nil {
			err = d.truncate(ctx)
		}
	})
	return err
}

// truncate empties the log, all of which must be in the file.
func (d *lite) truncate(ctx context.Context) error {
	d.sums.mu.Lock()
	defer d.sums.mu.Unlock()
	db, err := sql.Open("sqlite", dsn(d.path, "busy_timeout(20)"))
	if err != nil {
		return err
	}
	var busy, frames, moved int
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && busy != 0 {
		err = errBusy
	}
	return errors.Join(d.latch.met(err), db.Close())
}
