package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run serves until ctx ends, then stops in order: no new HTTP, no new send,
// open calls finish, what came back is committed, sockets are closed. It
// returns nil after such a stop. Close comes after it.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.guard.begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop before it began
		}
		return err
	}
	listener := g.opt.Listener
	if listener == nil {
		var err error
		if listener, err = g.listenPublic(ctx); err != nil {
			return err
		}
	}
	socket, err := listenSocket(ctx, g.cfg.Data)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	public := newServer(g.publicHandler())
	public.ReadTimeout = time.Minute // no long bodies come from the network; sockets are exempt once upgraded
	local := newServer(g.localHandler())

	g.tellDoubts(ctx)
	group, work := errgroup.WithContext(ctx)
	group.Go(func() error { return g.dispatcher.Run(work) })
	group.Go(func() error { return g.Engine.Run(work) })
	group.Go(func() error { return g.expire(work) })
	group.Go(func() error { return g.guard.run(work) })
	group.Go(func() error { return g.watch(work) })
	group.Go(func() error { return g.watcher.Run(work) })
	group.Go(func() error { return g.carry(work) })
	group.Go(func() error { return g.listen(work) })
	group.Go(func() error { return g.spread(work) })
	group.Go(func() error { return serve(public, listener) })
	group.Go(func() error { return serve(local, socket) })
	group.Go(func() error {
		<-work.Done()
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), callsBound)
		defer cancel()
		return errors.Join(shutdown(bound, public), shutdown(bound, local))
	})
	close(g.started)
	for _, w := range g.cfg.Warnings {
		g.log.WarnContext(ctx, "configuration", "warning", w)
	}
	g.log.InfoContext(ctx, "gateway serves", "listen", listener.Addr().String(), "deployment", string(g.cfg.Deployment))
	return g.untilStopped(work, group.Wait)
}

// Started is closed once Run serves.
func (g *Gateway) Started() <-chan struct{} { return g.started }

func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
}

func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// shutdown lets requests finish and cuts those that do not.
func shutdown(ctx context.Context, s *http.Server) error {
	if err := s.Shutdown(ctx); err != nil {
		return s.Close()
	}
	return nil
}

// expire ends alerts whose time is over.
func (g *Gateway) expire(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, err := g.Desk.Expire(ctx); err != nil && ctx.Err() == nil {
				g.log.ErrorContext(ctx, "expired alerts cannot be ended", "err", err)
			}
		}
	}
}
