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

// pings keep the silent connections known: each hears one well within the time
// after which its silence means it is gone.
func (h *Hub) pings() {
	p, err := websocket.NewPreparedMessage(websocket.PingMessage, nil)
	if err != nil {
		h.log.Error("app: no pings", "error", err)
		return
	}
	ping := &frame{PreparedMessage: p}
	tick := time.NewTicker(max(h.config.PongWait*5/8, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
		h.mu.RLock()
		for c := range h.conns {
			c.ping(ping)
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

// Stats are the hub's counts.
type Stats struct {
	Connections int
	Slow        int64 // listeners closed because their queue was full
	AcksDropped int64 // acknowledgements that were not handed over, for the clients to repeat
}

// Stats tells how the hub is doing.
func (h *Hub) Stats() Stats {
	return Stats{Connections: h.Connections(), Slow: h.slow.Load(), AcksDropped: h.acksDropped.Load()}
}

var _ io.Closer = (*Hub)(nil)
