package app

import (
	"crypto/ed25519"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// conn is one listener. Idle it owns a reader goroutine and nothing else; a
// goroutine writes to it only while its queue is not empty.
type conn struct {
	hub      *Hub
	ws       *websocket.Conn
	address  netip.Prefix
	install  ed25519.PublicKey // nil for an anonymous listener
	language string            // "" takes every language
	communes []string

	heard      atomic.Int64 // last sign of life, Unix nanoseconds
	windowAt   int64        // seconds; the reader's own
	windowUsed int

	mu      sync.Mutex
	queue   []*frame
	seen    []uint32 // what was queued, or is held by the client: frame ids
	held    []*frame // broadcast while the resync is being made
	joining bool
	busy    bool // in the writers' hands
	closed  bool // takes no more frames
}

const (
	maxSeen       = 256
	windowSeconds = 10
	windowFrames  = 300 // frames and pings of a client in one window
	closeGrace    = 2 * time.Second
)

// offer queues a broadcast, unless the listener had it.
func (c *conn) offer(f *frame) {
	c.mu.Lock()
	if c.joining {
		if !c.closed && len(c.held) < c.hub.config.Queue {
			c.held = append(c.held, f)
		} else {
			c.end(tooSlow)
		}
		c.mu.Unlock()
		return
	}
	c.push(f)
	c.mu.Unlock()
}

// ping queues a ping.
func (c *conn) ping(f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.joining {
		c.push(f)
	}
}

// push queues a frame once. The caller holds c.mu.
func (c *conn) push(f *frame) {
	if c.closed || !c.fresh(f) {
		return
	}
	if len(c.queue) >= c.hub.config.Queue {
		c.end(tooSlow)
		return
	}
	c.append(f)
}

func (c *conn) append(f *frame) {
	c.mark(f.id)
	c.queue = append(c.queue, f)
	if !c.busy {
		c.busy = true
		c.hub.writers.add(c)
	}
}

// fresh reports whether the listener should get a frame: it did not yet, and
// it did not get the same message in the language it asked for.
func (c *conn) fresh(f *frame) bool {
	if f.id == 0 {
		return true
	}
	if slices.Contains(c.seen, f.id) {
		return false
	}
	if c.language == "" || c.language == f.language {
		return true
	}
	own := c.hub.keys.find(key{f.alert, f.revision, c.language})
	return own == 0 || !slices.Contains(c.seen, own)
}

func (c *conn) mark(id uint32) {
	if id == 0 {
		return
	}
	if len(c.seen) >= maxSeen { // the oldest ended long ago; a client folds repeats by itself
		c.seen = append(c.seen[:0], c.seen[maxSeen/2:]...)
	}
	c.seen = append(c.seen, id)
}

// end queues a closing frame as the last one, in place of whatever waited when
// the listener was too slow for it. The caller holds c.mu.
func (c *conn) end(f *frame) {
	if c.closed {
		return
	}
	c.closed = true
	c.held = nil
	if f == tooSlow {
		c.hub.did.slow.Add(1)
		clear(c.queue)
		c.queue = c.queue[:0]
	}
	c.append(f)
}

// close ends the connection with a typed reason, after what is queued.
func (c *conn) close(f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(f)
}

// drain writes until the queue is empty. Only one goroutine runs it at a time.
func (c *conn) drain() {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.busy = false
			if cap(c.queue) > 8 {
				c.queue = nil
			}
			c.mu.Unlock()
			return
		}
		f := c.queue[0]
		c.queue = slices.Delete(c.queue, 0, 1)
		c.mu.Unlock()

		_ = c.ws.SetWriteDeadline(time.Now().Add(c.hub.config.WriteTimeout)) // stores it, never fails
		var err error
		if f.PreparedMessage != nil {
			err = c.ws.WritePreparedMessage(f.PreparedMessage)
		} else {
			err = c.ws.WriteMessage(websocket.TextMessage, f.text)
		}
		if err != nil {
			c.mu.Lock()
			c.closed = true
			c.mu.Unlock()
			_ = c.ws.Close() // the reader notices
			return
		}
		if f.id != 0 {
			c.hub.did.messages.Add(1)
		}
		if f.last { // the client has a moment to answer the close
			_ = c.ws.SetReadDeadline(time.Now().Add(closeGrace))
			return
		}
	}
}

// writers hand ready connections to goroutines. One goroutine more than the
// ready connections need is always waiting to run: the scheduler starts it as
// soon as the others block in a write or leave a core idle. So a healthy crowd
// is served by a few goroutines with warm stacks, and a slow client costs
// nobody but itself.
type writers struct {
	mu    sync.Mutex
	ready []*conn
	next  int
	spare bool
	all   sync.WaitGroup
}

func (w *writers) add(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ready = append(w.ready, c)
	w.start()
}

// start makes sure of a spare goroutine. The caller holds w.mu.
func (w *writers) start() {
	if !w.spare {
		w.spare = true
		w.all.Go(w.run)
	}
}

func (w *writers) run() {
	w.mu.Lock()
	w.spare = false
	for w.next < len(w.ready) {
		c := w.ready[w.next]
		w.ready[w.next] = nil
		w.next++
		if w.next == len(w.ready) {
			w.ready, w.next = w.ready[:0], 0
		} else {
			w.start()
		}
		w.mu.Unlock()
		c.drain()
		w.mu.Lock()
	}
	w.mu.Unlock()
}

// key names what a listener gets once.
type key struct {
	alert    string
	revision int
	language string
}

// keys number the messages, so that a listener remembers four bytes each.
type keys struct {
	mu    sync.Mutex
	ids   map[key]numbered
	count uint32
}

type numbered struct {
	id      uint32
	expires time.Time
}

const maxKeys = 4096 // before expired ones are forgotten

func (k *keys) id(of key, expires, now time.Time) uint32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n, ok := k.ids[of]; ok {
		return n.id
	}
	if k.ids == nil {
		k.ids = map[key]numbered{}
	}
	if len(k.ids) >= maxKeys {
		for other, n := range k.ids {
			if !n.expires.After(now) {
				delete(k.ids, other)
			}
		}
	}
	k.count++
	k.ids[of] = numbered{id: k.count, expires: expires}
	return k.count
}

// find gives the number of a message, 0 if it has none yet.
func (k *keys) find(of key) uint32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ids[of].id
}
