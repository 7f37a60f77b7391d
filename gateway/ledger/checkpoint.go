package ledger

import (
	"context"
	"database/sql"
	"log/slog"
	"sync/atomic"
)

// How far the log (WAL) of SQLite grows, in pages of 4 KB.
const (
	passPages    = 1000 // between two passes, about
	passCommits  = 64   // between two passes at most, counting
	bulkCommit   = 16   // a bulk commit as so many, until it is known better
	restartPages = 4000 // then the log is made to start anew
)

// checkpointer copies pages from the log into the file on a connection of its
// own, so that the writer never waits for it. A log starts anew when all of it
// has been copied at a moment when nobody writes. So that there is one, bulk
// deeds stand back for a pass, and the writer for one more of the few pages
// that acts have added meanwhile.
type checkpointer struct {
	db     *sql.DB
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

func newCheckpointer(ctx context.Context, path string, log *slog.Logger) (*checkpointer, error) {
	db, err := sql.Open("sqlite", dsn(path, "synchronous(full)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	c := &checkpointer{db: db, log: log, due: make(chan struct{}, 1), done: make(chan struct{})}
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
	if pages < restartPages {
		return nil
	}
	c.w.rest.Lock()
	defer c.w.rest.Unlock()
	if _, err = c.pass(); err == nil {
		c.w.pause(func() { _, err = c.pass() })
	}
	return err
}

// pass copies what no reader is in the way of and says how many pages the log
// had when it began.
func (c *checkpointer) pass() (pages int, err error) {
	c.passes.Add(1)
	var busy, moved int
	err = c.db.QueryRowContext(c.ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved)
	return pages, err
}

func (c *checkpointer) close() error {
	c.cancel()
	<-c.done
	return c.db.Close()
}
