package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrInUse says that others use a ledger of PostgreSQL that one process needs
// for itself alone, or that one process has it for itself.
var ErrInUse = errors.New("the ledger is in use, by other processes or by a change of its master key")

// Confirm proves that a ledger in PostgreSQL is still shared with nobody who
// needs it alone, and that its tables are where they were: those that were
// restored from a dump, or moved, are put on hold. It fails with ErrInUse if
// another process has taken the ledger for itself meanwhile. Of SQLite there is
// nothing to prove.
func (l *Ledger) Confirm(ctx context.Context) error {
	if l.present == nil {
		return nil
	}
	if err := l.present.take(ctx); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if err := l.atHome(ctx); err != nil {
		return fmt.Errorf("ledger: its place: %w", err)
	}
	return nil
}

// atHome puts the ledger on hold if it lies elsewhere than it did.
func (l *Ledger) atHome(ctx context.Context) error {
	place, err := l.place(ctx)
	if err != nil || place == "" {
		return err
	}
	settled := func(t tx, suffix string) (home string, ok bool, err error) {
		var held int64
		_, err = one(t, "SELECT home, held FROM guard WHERE id = 1"+suffix, nil, &home, &held)
		return home, home == place || home != "" && held != 0, err
	}
	var ok bool
	err = l.db.read(ctx, func(t tx) (err error) {
		_, ok, err = settled(t, "")
		return err
	})
	if err != nil || ok {
		return err
	}
	return l.db.write(ctx, acts, func(t tx) error {
		home, ok, err := settled(t, t.dialect().lock)
		switch {
		case err != nil || ok:
			return err
		case home == "":
			_, err := t.exec("UPDATE guard SET home = ? WHERE id = 1", place)
			return err
		}
		g, err := readGuard(t, "")
		if err != nil {
			return err
		}
		return hold(t, g, l.now(), HoldCopy, 0)
	})
}

// place names the cluster, the database and the table of the guard; empty: this
// user may not know it, or it is SQLite.
func (l *Ledger) place(ctx context.Context) (place string, err error) {
	if l.present == nil {
		return "", nil
	}
	err = l.db.read(ctx, func(t tx) error {
		_, err := one(t, `SELECT s.system_identifier || '/' || d.oid || '/' || 'guard'::regclass::oid
 FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()`, nil, &place)
		return err
	})
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "42501" { // insufficient_privilege
		return "", nil
	}
	return place, err
}

// presence is an advisory lock on the database, which lasts as long as its
// connection: shared by all who use the ledger, whole for one that needs it
// alone.
type presence struct {
	cfg   *pgx.ConnConfig
	alone bool

	mu   sync.Mutex
	conn *pgx.Conn
}

// newPresence leaves it to the server to notice within half a minute that a host
// is gone, and its lock with it.
func newPresence(cfg *pgx.ConnConfig, alone bool) *presence {
	cfg = cfg.Copy()
	cfg.RuntimeParams["application_name"] = "loa presence"
	cfg.RuntimeParams["tcp_keepalives_idle"] = "10"
	cfg.RuntimeParams["tcp_keepalives_interval"] = "5"
	cfg.RuntimeParams["tcp_keepalives_count"] = "4"
	return &presence{cfg: cfg, alone: alone}
}

// presenceKey is the number of the lock, in every database of a ledger.
const presenceKey = 0x6c6f61 // "loa"

// presenceBound is how long an end may take.
const presenceBound = 2 * time.Second

// take takes the lock, or proves that it is held.
func (p *presence) take(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		if p.conn.Ping(ctx) == nil {
			return nil
		}
		_ = p.conn.Close(ctx) // it is broken, and its lock is gone
		p.conn = nil
	}
	conn, err := pgx.ConnectConfig(ctx, p.cfg)
	if err != nil {
		return err
	}
	ask := "SELECT pg_try_advisory_lock_shared($1)"
	if p.alone {
		ask = "SELECT pg_try_advisory_lock($1)"
	}
	var ok bool
	err = conn.QueryRow(ctx, ask, presenceKey).Scan(&ok)
	if err == nil && !ok {
		err = ErrInUse
	}
	if err != nil {
		return errors.Join(err, conn.Close(ctx))
	}
	p.conn = conn
	return nil
}

func (p *presence) close(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, presenceBound)
	defer cancel()
	// The server ends the lock in any case, and a moment after the connection.
	_, _ = p.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	_ = p.conn.Close(ctx)
	p.conn = nil
}
