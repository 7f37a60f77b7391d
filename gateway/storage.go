package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"

	"loa/gateway/alert"
	"loa/gateway/desk"
	"loa/gateway/ledger"
	"loa/gateway/watch"
)

// ownersAlone has a database readable by its owner alone, also one that is not made
// yet. SQLite gives its log and its index the mode of the database.
func ownersAlone(path string) error {
	const own = 0o600
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, own) //nolint:gosec // the data folder is the operator's
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(name, own); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("ledger: %w", err)
		}
	}
	return nil
}

// roomyDesk takes no new alert while the disk is nearly full: what is left is
// for those that run, and for what corrects, updates or ends them.
type roomyDesk struct {
	desk.Store
	room func() error
}

// Apply makes a change durable.
func (d roomyDesk) Apply(ctx context.Context, c desk.Change) error {
	begins := c.Case.State == alert.Approved && c.From != alert.Approved && c.Case.Submission.Replaces == nil && len(c.Supersede) == 0
	if begins {
		if err := d.room(); err != nil {
			return fmt.Errorf("desk: %w", err)
		}
	}
	return d.Store.Apply(ctx, c)
}

// probeStorage tells how the disk and the file under the ledger are.
func (g *Gateway) probeStorage(context.Context) []watch.Part {
	c := g.ledger.Condition()
	pages, space := watch.Fine("ledger/file"), watch.Fine("ledger/space")
	if c.Err != nil {
		pages = watch.Fault("ledger/file", watch.LedgerReadOnly, sentence(c.Err))
		pages.Remedy = "Check the disk and its log (dmesg, smartctl), move the data folder to a sound one if need be, and restart loa: nothing that was acknowledged is lost."
		if errors.Is(c.Err, ledger.ErrCorrupt) {
			pages.Remedy = "Stop loa, keep the data folder for examination, and restore the last backup: loa restore --help."
		}
	}
	if c.Free >= 0 {
		space.Text = fmt.Sprintf("%d MB are free on the disk of the ledger.", c.Free>>20)
	}
	if c.Low {
		space = watch.Fault("ledger/space", watch.DiskFull, fmt.Sprintf("Only %d MB are free on the disk of the ledger: its reserve was given to the alerts that run, and new ones are refused.", c.Free>>20))
	}
	pages.Vital = true
	return []watch.Part{pages, space}
}
