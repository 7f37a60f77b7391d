package queue

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"loa/channels"
)

const tick = 250 * time.Millisecond

// Embedded is a queue with its server in this process, on a random loopback
// port with a random password. Its clock follows now. It is for the demo and
// for a first look: it keeps nothing, and the ledger needs it to keep nothing.
// Closing ends the server and the queue.
func Embedded(ctx context.Context, now func() time.Time) (*Queue, io.Closer, error) {
	if now == nil {
		now = time.Now
	}
	server := miniredis.NewMiniRedis()
	password := rand.Text()
	server.RequireAuth(password)
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, nil, fmt.Errorf("queue: embedded server: %w", err)
	}
	e := &embedded{server: server, end: make(chan struct{})}
	q, err := open(ctx, Options{Addrs: []string{server.Addr()}, Password: channels.Secret(password)}, true)
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	q.extra = e
	e.loop.Go(func() { e.follow(now) })
	return q, closer(q.Close), nil
}

type closer func() error

func (c closer) Close() error { return c() }

type embedded struct {
	server *miniredis.Miniredis
	end    chan struct{}
	once   sync.Once
	loop   sync.WaitGroup
}

// follow moves the server's clock, which stands still of itself.
func (e *embedded) follow(now func() time.Time) {
	t := time.NewTicker(tick)
	defer t.Stop()
	last := now()
	for {
		select {
		case <-e.end:
			return
		case <-t.C:
			at := now()
			e.server.SetTime(at)
			if d := at.Sub(last); d > 0 {
				e.server.FastForward(d)
			}
			last = at
		}
	}
}

func (e *embedded) Close() error {
	e.once.Do(func() {
		close(e.end)
		e.loop.Wait()
		e.server.Close()
	})
	return nil
}
