package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// How far the log (WAL) of SQLite grows, in pages of 4 KB.
const (
	passPages    = 1000 // between two passes, about
	passCommits  = 64   // between two passes at most, counting
	bulkCommit   = 16   // a bulk commit as so many, until it is known better
	restartPages = 4000 // then the log is made to start anew
	shortPages   = 250  // the same while the disk is nearly full
)

// turn is a lock that may be held while SQLite waits for a reader: on a channel,
// unlike on a mutex, a test's own time goes on meanwhile.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) Lock() { t <- struct{}{} }

func (t turn) Unlock() { <-t }

// checkpointer copies pages from the log into the file on a connection of its
// own, so that the writer never waits for it. A log starts anew when all of it
// has been copied at a moment when nobody writes. So that there is one, bulk
// deeds stand back for a pass, and the writer for one more of the few pages
// that acts have added meanwhile.
type checkpointer struct {
	folding turn // one pass at a time: the run's own, or that of a scrub or a close
	db      *sql.DB
	conn    *sql.Conn // makes the passes
	// pin reads while a pass runs: the log must not start anew before the sums
	// of the pages that were copied are durable.
	pin    *sql.Conn
	pinned bool
	sums   *sums
	latch  *latch
	low    func() bool // the disk is nearly full
	log    *slog.Logger
	w      *writer
	due    chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	commits atomic.Int64 // since the last pass
	every   atomic.Int64 // commits between passes
	passes  atomic.Int64
	pages   int // of the log after the last pass
	failing bool
}

func newCheckpointer(ctx context.Context, path string, s *sums, l *latch, log *slog.Logger) (*checkpointer, error) {
	db, err := sql.Open("sqlite", dsn(path, "synchronous(full)"))
	if err != nil {
		return nil, err
	}
	c := &checkpointer{db: db, sums: s, latch: l, low: func() bool { return false }, log: log, folding: newTurn(), due: make(chan struct{}, 1), done: make(chan struct{})}
	c.conn, err = db.Conn(ctx)
	if err == nil {
		c.pin, err = db.Conn(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	c.every.Store(1)
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return c, nil
}

func (c *checkpointer) start(w *writer) {
	c.w = w
	go c.run()
}

// committed is told by the writer of each commit.
func (c *checkpointer) committed(l lane) {
	n := int64(1)
	if l == bulk {
		n = bulkCommit
	}
	if c.commits.Add(n) < c.every.Load() {
		return
	}
	select {
	case c.due <- struct{}{}:
	default:
	}
}

func (c *checkpointer) run() {
	defer close(c.done)
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.due:
		}
		err := c.round()
		if err != nil && !c.failing && c.ctx.Err() == nil {
			c.log.Error("ledger: the log of the database cannot be folded into its file, and grows", slog.Any("error", err))
		}
		c.failing = err != nil
	}
}

// round makes a pass, and has the log start anew if it has become long.
func (c *checkpointer) round() error {
	commits := c.commits.Swap(0)
	pages, err := c.pass()
	if err != nil {
		return err
	}
	grown := pages - c.pages
	if grown < 0 {
		grown = pages
	}
	c.every.Store(min(max(passPages*commits/int64(max(grown, 1)), 1), passCommits))
	c.pages = pages
	if pages < restartPages && (pages < shortPages || !c.low()) {
		return nil
	}
	if err := c.w.rest.Acquire(c.ctx, everyone); err != nil {
		return err
	}
	defer c.w.rest.Release(everyone)
	if _, err = c.pass(); err == nil {
		c.w.pause(func() { _, err = c.pass() })
	}
	return err
}

// settled makes passes until the whole log is in the file. Nobody may be
// writing; it returns errBusy if a reader is in the way.
func (c *checkpointer) settled(ctx context.Context) error {
	frames, moved, err := c.fold(ctx)
	if err == nil && moved < frames {
		// The first pass may have begun a log that its pin did not see whole.
		frames, moved, err = c.fold(ctx)
	}
	if err == nil && moved < frames {
		err = errBusy
	}
	return err
}

// pass copies what no reader is in the way of and says how many pages the log
// had when it began.
func (c *checkpointer) pass() (pages int, err error) {
	c.passes.Add(1)
	pages, _, err = c.fold(c.ctx)
	return pages, err
}

// fold makes one pass, whole: one that is cut short could leave pages copied
// that nobody has summed. After a failure that may have left the file's pages
// without their sums the pin stays, and with it the log.
func (c *checkpointer) fold(ctx context.Context) (frames, moved int, err error) {
	ctx = context.WithoutCancel(ctx)
	c.folding.Lock()
	defer c.folding.Unlock()
	if err := c.latch.closed(); err != nil {
		return 0, 0, err
	}
	frames, moved, err = c.sums.fold(func() error { return c.hold(ctx) }, func() (frames, moved int, err error) {
		var busy int
		err = c.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &moved)
		if err == nil && busy != 0 { // another program is folding
			err = errBusy
		}
		return frames, moved, err
	})
	if err = c.latch.met(err); errors.Is(err, ErrBroken) {
		return frames, moved, err
	}
	return frames, moved, errors.Join(err, c.release(ctx))
}

func (c *checkpointer) hold(ctx context.Context) error {
	if c.pinned {
		return nil
	}
	if _, err := c.pin.ExecContext(ctx, "BEGIN"); err != nil {
		return fmt.Errorf("pin the log: %w", err)
	}
	c.pinned = true
	var n int
	if err := c.pin.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_schema").Scan(&n); err != nil {
		return fmt.Errorf("pin the log: %w", err)
	}
	return nil
}

func (c *checkpointer) release(ctx context.Context) error {
	if !c.pinned {
		return nil
	}
	if _, err := c.pin.ExecContext(ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("release the log: %w", err)
	}
	c.pinned = false
	return nil
}

// stop ends the passes in the background.
func (c *checkpointer) stop() {
	c.cancel()
	<-c.done
}

func (c *checkpointer) close() error { return errors.Join(c.pin.Close(), c.conn.Close(), c.db.Close()) }
