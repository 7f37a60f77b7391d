package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loa/gateway/account"
	"loa/gateway/audience"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// Options says how a ledger is opened. The zero value is good.
type Options struct {
	// Now is the process clock. SQLite judges leases by it, PostgreSQL by the
	// database's own. Nil: time.Now.
	Now func() time.Time
	// Log takes what goes wrong in the background. Nil: nothing is logged.
	Log *slog.Logger
	// Readers is how many connections read beside the writer (SQLite) or how
	// many there are at all (PostgreSQL). 0: 4, and 16.
	Readers int
	// Metrics takes the ledger's metrics. Nil: nothing is measured.
	Metrics prometheus.Registerer

	// ScrubEvery is how often every page of an SQLite file is read and held
	// against its sum in the background. 0: 10 minutes.
	ScrubEvery time.Duration
	// Ballast keeps a reserve on the disk of an SQLite ledger, the file "ballast"
	// beside it.
	Ballast bool

	// Alone opens a ledger in PostgreSQL only if no other process uses it, and
	// keeps others from using it. One of SQLite is never shared.
	Alone bool

	maxPages int // of SQLite; tests fill the disk with it
}

// Ledger is an open ledger. Its methods hand out one set of methods per room;
// all are safe for concurrent use.
type Ledger struct {
	db      base
	lite    *lite     // nil: PostgreSQL
	present *presence // nil: SQLite
	ballast *ballast  // nil: none is kept
	now     func() time.Time
	log     *slog.Logger

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup
	closed func() error
}

// OpenSQLite opens the ledger in a file and creates it if it is not there.
// Only one process may have it open; leases of an earlier one are void, and an
// import that it left open is given up.
func OpenSQLite(ctx context.Context, path string, opt Options) (*Ledger, error) {
	opt = opt.defaults()
	db, err := openLite(ctx, path, opt)
	if err != nil {
		return nil, err
	}
	return start(ctx, db, opt, true)
}

// reserve begins to watch the disk.
func (l *Ledger) reserve(path string) {
	l.ballast = newBallast(filepath.Dir(path), l.log)
	l.lite.latch.full = l.ballast.exhausted
	l.lite.c.low = l.ballast.low.Load
	l.ballast.step(false)
	l.work.Go(func() { l.ballast.run(l.ctx) })
}

func start(ctx context.Context, db base, opt Options, alone bool) (*Ledger, error) {
	file, _ := db.(*lite)
	var present *presence
	if shared, ok := db.(*pg); ok {
		present = shared.present
	}
	if opt.Metrics != nil {
		db = measure(db, opt.Metrics)
	}
	l := &Ledger{db: db, lite: file, present: present, now: opt.Now, log: opt.Log}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.closed = sync.OnceValue(func() error {
		l.cancel()
		l.work.Wait()
		return db.close()
	})
	if opt.Ballast && file != nil {
		l.reserve(file.path)
	}
	if err := l.Confirm(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := l.resume(ctx, alone); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: resume: %w", err), l.Close())
	}
	return l, nil
}

// Close waits for what is being committed. Whoever still waits gets ErrClosed.
// A second call waits for the first and returns the same.
func (l *Ledger) Close() error { return l.closed() }

// Each room has a set of methods of its own, since their names collide.
type (
	deliveryStore  struct{ *Ledger }
	dispatchStore  struct{ *Ledger }
	audienceStore  struct{ *Ledger }
	deskStore      struct{ *Ledger }
	accountStore   struct{ *Ledger }
	coverageSource struct{ *Ledger }
)

// Delivery is the ledger as delivery sees it.
func (l *Ledger) Delivery() delivery.Store { return deliveryStore{l} }

// Dispatch is the ledger as dispatch sees it.
func (l *Ledger) Dispatch() dispatch.Store { return dispatchStore{l} }

// Audience is the ledger as audience sees it.
func (l *Ledger) Audience() audience.Store { return audienceStore{l} }

// Desk is the ledger as the desk sees it.
func (l *Ledger) Desk() desk.Store { return deskStore{l} }

// Account is the ledger as account sees it.
func (l *Ledger) Account() account.Store { return accountStore{l} }

// Coverage is the ledger as coverage sees it.
func (l *Ledger) Coverage() coverage.Source { return coverageSource{l} }
