package app

import (
	"errors"
	"io"
	"time"

	"github.com/gorilla/websocket"
)

var errTooMany = errors.New("app: too many frames")

// The closing frames that writers send.
var (
	tooSlow  = closing(websocket.CloseTryAgainLater, "too slow")
	stopping = closing(websocket.CloseGoingAway, "stopping")
)

func closing(code int, reason string) *frame {
	p, err := websocket.NewPreparedMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
	if err != nil {
		panic(err) // two constants
	}
	return &frame{PreparedMessage: p, last: true}
}

// watch pings the connections and closes those that gave no sign of life since
// a ping sent half of the time they have ago. So a listener that is gone is
// known within that time, and a hub that was itself held up for long drops
// nobody it did not ask. One goroutine does it for all: a connection needs no
// timer of its own.
func (h *Hub) watch() {
	p, err := websocket.NewPreparedMessage(websocket.PingMessage, nil)
	if err != nil {
		h.log.Error("app: no pings", "error", err)
		return
	}
	ping := &frame{PreparedMessage: p}
	step := max(h.config.PongWait/8, time.Millisecond)
	tick := time.NewTicker(step)
	defer tick.Stop()
	var sent [3]time.Time // the latest pings, newest first
	for i := 1; ; i++ {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
		now, since := time.Now(), int64(0)
		for _, at := range sent {
			if !at.IsZero() && now.Sub(at) >= h.config.PongWait/2 {
				since = at.UnixNano()
				break
			}
		}
		if i%3 == 0 {
			sent = [3]time.Time{now, sent[0], sent[1]}
		}
		h.mu.RLock()
		for c := range h.conns {
			switch {
			case c.heard.Load() < since:
				_ = c.ws.Close() // ends its reader and its writer
			case i%3 == 0:
				c.ping(ping)
			}
		}
		h.mu.RUnlock()
	}
}

// Close ends the hub: new listeners are refused, those connected get what is
// queued and a close frame with code 1001, and acknowledgements under way are
// handed over. It takes 3 s at
// most to part from listeners that do not answer, and 2 s for the sink.
func (h *Hub) Close() error {
	h.mu.Lock()
	if h.stopping {
		h.mu.Unlock()
		return nil
	}
	h.stopping = true
	for c := range h.conns {
		c.close(stopping)
	}
	h.mu.Unlock()

	gone := make(chan struct{})
	go func() {
		h.serving.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(stopWait):
	}
	h.stop()
	h.mu.RLock()
	for c := range h.conns {
		_ = c.ws.Close() // ends its reader and its writer
	}
	h.mu.RUnlock()
	<-gone
	h.running.Wait()
	h.writers.all.Wait()
	return nil
}

var _ io.Closer = (*Hub)(nil)
