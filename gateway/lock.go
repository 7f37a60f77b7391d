package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrRunning says that another process holds the data folder.
var ErrRunning = errors.New("another process is using the data folder")

// ErrLinked says that the ledger's file stands in another folder.
var ErrLinked = errors.New("it is a symbolic link, so that another process could use the same ledger; put the file itself there, or make the whole data folder the link")

// lockFolder takes data/loa.lock for the life of the process, and with it the
// ledger in the folder.
func lockFolder(data string) (*folderLock, error) {
	if err := standsHere(data); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(data, "loa.lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the data folder is the operator's
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", data, ErrRunning)
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return &folderLock{f}, nil
}

// folderLock is the lock of a data folder.
type folderLock struct{ f *os.File }

// Close gives the lock up at once, though a process that is being started may
// hold the file open for a moment.
func (l *folderLock) Close() error {
	return errors.Join(unix.Flock(int(l.f.Fd()), unix.LOCK_UN), l.f.Close())
}

// standsHere refuses a ledger that is a link to a file elsewhere: the lock of
// its folder would not keep others from that file, and the log of the database
// lies beside the file. The data folder itself may be a link.
func standsHere(data string) error {
	info, err := os.Lstat(ledgerFile(data))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		return fmt.Errorf("%s: %w", ledgerFile(data), ErrLinked)
	}
	return nil
}

// SocketPath is where "loa serve" listens for the other subcommands.
func SocketPath(data string) string { return filepath.Join(data, "loa.sock") }

// listenSocket opens the 0600 socket. A leftover of a dead process is replaced:
// the caller holds the lock.
func listenSocket(ctx context.Context, data string) (net.Listener, error) {
	path := SocketPath(data)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("socket: %w", err)
	}
	old := unix.Umask(0o177)
	defer unix.Umask(old)
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	return l, nil
}
