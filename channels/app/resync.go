package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

// resync keeps, for a moment, what is in force in each commune, so that a
// crowd that comes back at once asks the core once per commune.
type resync struct {
	mu    sync.Mutex
	lists map[string]*list
}

// list is one answer of the core. It was asked when the broadcasts up to
// generation had begun, so it holds what those brought.
type list struct {
	generation uint64
	at         time.Time
	done       chan struct{}
	frames     []*frame
	err        error
}

const (
	listKeep = time.Second
	maxLists = 8192
)

// inForce lists the messages in force in a commune for a listener that was
// entered at a generation of broadcasts: any later one is offered to it.
func (h *Hub) inForce(commune string, generation uint64) ([]*frame, error) {
	now := h.deps.Now()
	h.resync.mu.Lock()
	l := h.resync.lists[commune]
	if l == nil || l.generation != generation || now.Sub(l.at) >= listKeep || now.Before(l.at) {
		l = &list{generation: generation, at: now, done: make(chan struct{})}
		if h.resync.lists == nil || len(h.resync.lists) >= maxLists {
			h.resync.lists = map[string]*list{}
		}
		h.resync.lists[commune] = l
		h.resync.mu.Unlock()
		h.fetch(commune, l)
	} else {
		h.resync.mu.Unlock()
	}
	<-l.done
	return l.frames, l.err
}

func (h *Hub) fetch(commune string, l *list) {
	defer close(l.done)
	ctx, cancel := context.WithTimeout(h.ctx, snapshotWait)
	defer cancel()
	messages, err := h.deps.Snapshot(ctx, []string{commune})
	if err != nil {
		l.err = fmt.Errorf("app: list what is in force: %w", err)
		h.resync.mu.Lock()
		if h.resync.lists[commune] == l {
			delete(h.resync.lists, commune)
		}
		h.resync.mu.Unlock()
		return
	}
	for _, m := range messages {
		if !m.Expires.After(h.deps.Now()) {
			continue
		}
		f, err := h.frame(m)
		if err != nil {
			h.log.Error("app: a message in force cannot be shown", "alert", m.Alert, "revision", m.Revision, "error", err)
			continue
		}
		l.frames = append(l.frames, f)
	}
}

type welcomeFrame struct {
	Type     string      `json:"type"`
	Protocol int         `json:"protocol"`
	InForce  []reference `json:"inforce"`
}

// join enters the connection under its communes first and asks what is in
// force second: a broadcast between the two is held and follows, so that
// nothing is missed, and what is in both comes once.
func (c *conn) join(have []reference) error {
	h := c.hub
	h.mu.Lock()
	for _, a := range c.communes {
		if h.communes[a] == nil {
			h.communes[a] = map[*conn]struct{}{}
		}
		h.communes[a][c] = struct{}{}
	}
	generation := h.broadcast
	h.mu.Unlock()

	var frames []*frame
	for _, a := range c.communes {
		more, err := h.inForce(a, generation)
		if err != nil {
			return err
		}
		frames = append(frames, more...)
	}
	slices.SortStableFunc(frames, func(a, b *frame) int { return c.foreign(a) - c.foreign(b) })
	welcome := welcomeFrame{Type: "welcome", Protocol: 1, InForce: []reference{}}
	for _, f := range frames {
		if r := (reference{f.alert, f.revision}); !slices.Contains(welcome.InForce, r) {
			welcome.InForce = append(welcome.InForce, r)
		}
	}
	text, err := json.Marshal(welcome)
	if err != nil {
		return fmt.Errorf("app: welcome: %w", err)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.append(&frame{text: text})
	for _, f := range frames {
		switch {
		case !c.fresh(f):
		case slices.Contains(have, reference{f.alert, f.revision}):
			c.mark(f.id)
		default:
			c.append(f)
		}
	}
	c.joining = false
	h.did.resyncs.Add(1)
	held := c.held
	c.held = nil
	for _, f := range held {
		if slices.Contains(have, reference{f.alert, f.revision}) {
			c.mark(f.id)
		}
		c.push(f)
	}
	return nil
}

// foreign orders messages in the listener's language before others.
func (c *conn) foreign(f *frame) int {
	if c.language == "" || f.language == c.language {
		return 0
	}
	return 1
}
