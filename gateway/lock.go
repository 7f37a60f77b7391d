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

// lockFolder takes data/loa.lock for the life of the process.
func lockFolder(data string) (*os.File, error) {
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
	return f, nil
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
