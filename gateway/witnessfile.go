package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"loa/gateway/ledger"
)

// witnessFile is a file outside the data folder that holds the ledger's name and
// the highest generation that it committed: one line, "NAME GENERATION". An
// older copy of the ledger does not bring an older copy of it.
type witnessFile string

// errAbsent says that there is no witness file.
var errAbsent = errors.New("the witness file is not there")

// seen reads the generation of the ledger. A file of another ledger is an error:
// nothing says which of the two is meant.
func (w witnessFile) seen(ledger string) (int64, error) {
	name, n, err := w.read()
	if err != nil {
		return 0, err
	}
	if name != ledger {
		return 0, fmt.Errorf("witness: %s is of another ledger (%s, this one is %s); bring the right ledger or, if this one is meant to be new, move the file away", string(w), name, ledger)
	}
	return n, nil
}

// read gives the name of a ledger and its generation.
func (w witnessFile) read() (ledger string, generation int64, err error) {
	src, err := os.ReadFile(string(w))
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, errAbsent
	}
	if err != nil {
		return "", 0, fmt.Errorf("witness: %w", err)
	}
	name, number, ok := strings.Cut(strings.TrimSpace(string(src)), " ")
	n, bad := strconv.ParseInt(number, 10, 64)
	if !ok || bad != nil || n < 0 {
		return "", 0, fmt.Errorf("witness: %s is no witness file; if it is damaged, move it away", string(w))
	}
	return name, n, nil
}

// writable refuses a place that no witness can be written to.
func (w witnessFile) writable() error {
	if err := takesFiles(filepath.Dir(string(w))); err != nil {
		return fmt.Errorf("witness: %w; an old copy of the ledger would not be noticed", err)
	}
	return nil
}

// openWitness refuses, before a ledger is made, a witness that cannot be written,
// and one that knows a ledger where there is none.
func (g *Gateway) openWitness(ctx context.Context) error {
	w := witnessFile(g.cfg.Witness)
	if w == "" {
		return nil
	}
	if err := w.writable(); err != nil {
		return err
	}
	name, n, err := w.read()
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	place := "the folder " + g.cfg.Data
	if dsn := g.cfg.Ledger.Postgres; dsn != "" {
		place = "the database"
		if k, err := ledger.PostgresKey(ctx, dsn.Reveal()); err != nil || k.Ledger != "" {
			return nil //nolint:nilerr // whoever opens it tells
		}
	} else if !emptyFile(ledgerFile(g.cfg.Data)) || !emptyFile(ledgerFile(g.cfg.Data)+"-wal") {
		return nil
	}
	return fmt.Errorf("witness: %s knows a ledger (%s, generation %d), and there is none in %s: bring that ledger back or, if a new one is meant, move the file away", string(w), name, n, place)
}

// emptyFile reports whether nothing is in a file, or no file there.
func emptyFile(path string) bool {
	info, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
}

// note writes a generation that the ledger has committed. It is called by one
// goroutine at a time and never with a lower one than before.
func (w witnessFile) note(ledger string, generation int64) error {
	if err := replaceFile(string(w), fmt.Appendf(nil, "%s %d\n", ledger, generation)); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	return nil
}

// replaceFile writes a file whole or not at all, durably, readable by its owner
// alone.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path) //nolint:gosec // the operator names the file
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name())) //nolint:gosec // see above
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
