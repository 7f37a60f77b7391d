package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// AddressError says that the gateway cannot listen where it is told to.
type AddressError struct {
	Place   string // of the key in the configuration, empty if there is no file
	Address string
	Err     error
}

// InUse reports whether another process listens there.
func (e *AddressError) InUse() bool { return errors.Is(e.Err, unix.EADDRINUSE) }

func (e *AddressError) Error() string {
	const hint = "another program listens there; stop it, or set the key listen (and public with it) to a free port"
	if !e.InUse() {
		return fmt.Sprintf("%slisten: %s: %v", e.Place, e.Address, e.Err)
	}
	if e.Place == "" {
		return fmt.Sprintf("listen: %s is in use: %s, in a configuration file (loa serve --config; configs/loa.yaml is a sample)", e.Address, hint)
	}
	return fmt.Sprintf("%slisten: %s is in use: %s", e.Place, e.Address, hint)
}

func (e *AddressError) Unwrap() error { return e.Err }

// listenPublic opens the configured address.
func (g *Gateway) listenPublic(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", g.cfg.Listen)
	if err != nil {
		return nil, &AddressError{g.cfg.Where("listen"), g.cfg.Listen, err}
	}
	return l, nil
}
