package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"loa/gateway/config"
	"loa/gateway/ledger"
)

// maxSocket is the longest path of a socket (sockaddr_un of Linux, with its
// closing zero).
const maxSocket = 107

// data checks the folder that New would use: that it is one or can be made,
// takes files, was sealed with this key, and holds a ledger that is one.
func (c *checking) data(ctx context.Context) {
	data := c.g.cfg.Data
	if n := len(SocketPath(data)); n > maxSocket {
		c.fault("data", fmt.Errorf("data: the path of the socket %s has %d bytes, at most %d are possible", SocketPath(data), n, maxSocket))
	}
	info, err := os.Stat(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.fault("data", named("data", canMake(data)))
		return
	case err != nil:
		c.fault("data", named("data", err))
		return
	case !info.IsDir():
		c.fault("data", fmt.Errorf("data: %s is not a folder", data))
		return
	}
	if err := takesFiles(data); err != nil {
		c.fault("data", named("data", err))
		return
	}
	c.held = held(data)
	if c.held {
		c.note("data", "data: a gateway is running on %s; a second one cannot be started there", data)
	}
	c.key(data)
	if c.g.cfg.Ledger.Postgres == "" {
		c.file(ctx, data)
	}
}

// file checks the ledger of a data folder. A gateway that runs on it has
// compared their keys.
func (c *checking) file(ctx context.Context, data string) {
	var k ledger.Key
	err := standsHere(data)
	if err == nil {
		err = ledger.PingSQLite(ledgerFile(data))
	}
	if err == nil && !c.held {
		k, err = ledger.SQLiteKey(ctx, ledgerFile(data))
	}
	c.fault("data", named("data", err))
	c.ledgerKey(k)
}

// shared checks the key of a ledger in PostgreSQL. Offline only the folder tells
// of it, and the key may have been changed from another node.
func (c *checking) shared(ctx context.Context, online bool) {
	dsn := c.g.cfg.Ledger.Postgres
	switch {
	case dsn == "":
	case online:
		bound, cancel := context.WithTimeout(ctx, checkBound)
		defer cancel()
		k, err := ledger.PostgresKey(bound, dsn.Reveal())
		if err == nil { // that it answers is checked elsewhere
			c.ledgerKey(k)
		}
	case c.folder != nil:
		c.note("keys.master", "keys.master: it is not the key that this data folder knows; if it was changed on another node that is right: \"loa check --online\" asks the ledger")
	}
}

// witness checks that the witness file can be written and is of this ledger. A
// gateway that runs has compared them.
func (c *checking) witness(ctx context.Context, online bool) {
	w := witnessFile(c.g.cfg.Witness)
	switch {
	case w == "":
	case c.held || c.ledger == "" && c.g.cfg.Ledger.Postgres != "" && !online:
		c.fault("witness", w.writable())
	case c.ledger == "":
		bound, cancel := context.WithTimeout(ctx, checkBound)
		defer cancel()
		c.fault("witness", c.g.openWitness(bound))
	default:
		_, err := w.seen(c.ledger)
		if errors.Is(err, errAbsent) {
			err = nil
		}
		c.fault("witness", errors.Join(w.writable(), err))
	}
}

// ledgerKey checks that the master key is the ledger's, or the folder's of a
// ledger without one, as a start does.
func (c *checking) ledgerKey(k ledger.Key) {
	c.ledger = k.Ledger
	err := c.folder
	switch {
	case k.Rotating != "":
		err = ErrRotating
	case k.ID == "":
	case k.ID != c.name:
		err = ErrOtherKey
	default:
		err = nil // the folder follows
	}
	if err != nil && k.Behind {
		c.note("keys.master", "keys.master: %s (by the ledger's file; its log, which the next start reads, may know better)", err)
		return
	}
	c.fault("keys.master", err)
}

// canMake reports whether a folder can be made.
func canMake(path string) error {
	for dir := filepath.Dir(filepath.Clean(path)); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir):
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a folder", dir)
		}
		return takesFiles(dir)
	}
}

// takesFiles makes a file and removes it again: only that proves it, whoever
// we are and however the disk is mounted.
func takesFiles(dir string) error {
	f, err := os.CreateTemp(dir, ".loa-check-")
	if err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// held reports whether another process has locked the folder.
func held(data string) bool {
	f, err := os.OpenFile(filepath.Join(data, "loa.lock"), os.O_RDONLY, 0) //nolint:gosec // the data folder is the operator's
	if err != nil {
		return false // nobody has ever run here
	}
	defer func() { _ = f.Close() }()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// key checks that the master key is the folder's, without making one.
func (c *checking) key(data string) {
	master := c.g.cfg.Keys.Master
	if master == "" {
		path := filepath.Join(data, "master.key")
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(filepath.Join(data, keyID)); err == nil {
				c.folder = ErrOtherKey
			}
			return // a start makes one
		}
		if err == nil && info.Mode().Perm()&^0o600 != 0 {
			c.wide(path, info.Mode().Perm())
		}
		if master, err = masterIn(data); err != nil {
			c.fault("keys", named("keys.master", err))
			return
		}
	}
	k, err := deriveKeys(master)
	if err != nil {
		c.fault("keys.master", err)
		return
	}
	c.name = k.name()
	if err := k.compare(data); !errors.Is(err, fs.ErrNotExist) {
		c.folder = err
	}
}

func (c *checking) wide(path string, mode fs.FileMode) {
	text := fmt.Sprintf("keys.master: %s has mode %04o, which lets others read it; make it 0600", path, mode)
	if c.g.cfg.Deployment == config.Live {
		c.fault("keys", errors.New(text))
		return
	}
	c.note("keys", "%s", text)
}
