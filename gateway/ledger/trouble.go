package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// trouble is a sort of failure of the database itself, for people to read.
type trouble struct{ word, text string }

func (e *trouble) Error() string { return e.text }

// Storage is the stable word of the trouble: full, broken, corrupt or locked.
func (e *trouble) Storage() string { return e.word }

// What can be the matter with the database. Nothing that failed with one of
// these has been acknowledged to anybody.
var (
	// ErrFull: the disk has no room. What runs goes on as far as it can; the
	// same may succeed once there is room.
	ErrFull error = &trouble{"full", "the disk of the ledger is full: free space on it, then try again"}
	// ErrBroken: a write or a sync failed. Whether the last of it is on the disk
	// cannot be known any more from these handles, and a second sync would lie,
	// so they write nothing again. What was being written may turn out to be
	// there after the restart, which reads the disk anew.
	ErrBroken error = &trouble{"broken", "the disk of the ledger failed: nothing is accepted or sent until loa is restarted on a sound disk"}
	// ErrCorrupt: a page of the file is not what was written.
	ErrCorrupt error = &trouble{"corrupt", "the ledger's file is damaged: nothing is accepted or sent; stop loa, keep the file and restore the last backup (loa restore --help)"}
	// ErrLocked: another program kept the database for longer than we wait.
	ErrLocked error = &trouble{"locked", "another program holds the ledger's file: close it, then try again"}
)

// diagnose adds to an error of the database what it means.
func diagnose(err error) error {
	var known *trouble
	if err == nil || errors.As(err, &known) {
		return err
	}
	var lite *sqlite.Error
	var pg *pgconn.PgError
	what := error(nil)
	switch {
	case errors.As(err, &lite):
		what = meaning(lite.Code())
	case errors.As(err, &pg) && pg.Code == "53100": // disk_full
		what = ErrFull
	case errors.As(err, &pg) && pg.Code == "XX001": // data_corrupted
		what = ErrCorrupt
	}
	if what == nil {
		return err
	}
	return fmt.Errorf("%w: %w", what, err)
}

// meaning reads a result code of SQLite (https://sqlite.org/rescode.html).
func meaning(code int) error {
	switch code {
	case codes.SQLITE_IOERR_SHMSIZE, codes.SQLITE_IOERR_SHMMAP:
		return ErrFull // the index of the log, which holds nothing that lasts, has no room
	}
	switch code & 0xff {
	case codes.SQLITE_FULL:
		return ErrFull
	case codes.SQLITE_IOERR:
		return ErrBroken
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return ErrCorrupt
	case codes.SQLITE_BUSY:
		return ErrLocked
	default:
		return nil
	}
}

// latch keeps the first failure after which nothing may be written any more.
type latch struct {
	first atomic.Pointer[error]
	log   *slog.Logger
	full  func() // told when the disk is full
}

// met diagnoses an error that a write met, and closes if it must.
func (l *latch) met(err error) error {
	err = diagnose(err)
	switch {
	case errors.Is(err, ErrBroken), errors.Is(err, ErrCorrupt):
		if l.first.CompareAndSwap(nil, &err) {
			l.log.Error("ledger: nothing is written any more", slog.Any("error", err))
		}
	case errors.Is(err, ErrFull):
		l.full()
	}
	return err
}

// closed is the failure that has closed the latch, or nil.
func (l *latch) closed() error {
	if e := l.first.Load(); e != nil {
		return *e
	}
	return nil
}
