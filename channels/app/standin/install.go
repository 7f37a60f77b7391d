package standin

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

type id struct {
	alert    string
	revision int
	language string
}

type install struct {
	crowd  *Crowd
	number int
	key    ed25519.PrivateKey

	mu     sync.Mutex
	shown  map[id]*Entry
	untold map[id]bool // in force and shown, beyond what this connection's hello could list
}

func (in *install) entries() []Entry {
	in.mu.Lock()
	defer in.mu.Unlock()
	out := make([]Entry, 0, len(in.shown))
	for _, e := range in.shown {
		out = append(out, *e)
	}
	return out
}

func is(f func(int) bool, i int) bool { return f != nil && f(i) }

// live connects, listens and returns, until ctx ends.
func (in *install) live(ctx context.Context) {
	pause := in.crowd.opts.Pause
	for ctx.Err() == nil {
		welcomed := in.session(ctx)
		if welcomed {
			pause = in.crowd.opts.Pause
		}
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(pause)): //nolint:gosec // spreads load, guards nothing
		}
		pause = min(2*pause, 16*in.crowd.opts.Pause)
	}
}

// session is one connection; it reports whether it was welcomed.
func (in *install) session(ctx context.Context) (welcomed bool) {
	ws, err := in.dial(ctx)
	if err != nil {
		return false
	}
	done := make(chan struct{})
	defer close(done)
	go func() { // gorilla does not know contexts
		select {
		case <-ctx.Done():
		case <-done:
		}
		_ = ws.Close()
	}()
	if err := in.hello(ws); err != nil {
		return false
	}
	if is(in.crowd.opts.Deaf, in.number) {
		in.crowd.connected.Add(1)
		defer in.crowd.connected.Add(-1)
		<-ctx.Done()
		return true
	}
	for {
		_, text, err := ws.ReadMessage()
		if err != nil {
			return welcomed
		}
		var f serverFrame
		if err := json.Unmarshal(text, &f); err != nil {
			in.crowd.broken.Add(1)
			continue
		}
		if f.Type == "welcome" && !welcomed {
			welcomed = true
			in.crowd.connected.Add(1)
			defer in.crowd.connected.Add(-1)
		}
		if err := in.handle(ws, f); err != nil {
			return welcomed
		}
	}
}

func (in *install) dial(ctx context.Context) (*websocket.Conn, error) {
	select {
	case in.crowd.door <- struct{}{}:
		defer func() { <-in.crowd.door }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	deaf := is(in.crowd.opts.Deaf, in.number)
	d := websocket.Dialer{
		HandshakeTimeout: 10 * time.Second,
		ReadBufferSize:   1024, WriteBufferSize: 1024,
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if tcp, ok := conn.(*net.TCPConn); ok && deaf {
				_ = tcp.SetReadBuffer(4 << 10) // so that not reading is soon felt at the other end
			}
			return conn, err
		},
	}
	header := http.Header{}
	if in.crowd.opts.Origin != "" {
		header.Set("Origin", in.crowd.opts.Origin)
	}
	ws, resp, err := d.DialContext(ctx, in.crowd.opts.URL, header)
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("install %d: %w", in.number, err)
	}
	in.crowd.dials.Add(1)
	return ws, nil
}

type reference struct {
	Alert    string `json:"alert"`
	Revision int    `json:"revision"`
}

type helloFrame struct {
	Type     string      `json:"type"`
	Install  string      `json:"install,omitempty"`
	Communes []string    `json:"communes"`
	Language string      `json:"language,omitempty"`
	Have     []reference `json:"have,omitempty"`
}

type serverFrame struct {
	Type     string      `json:"type"`
	InForce  []reference `json:"inforce"`
	Stage    string      `json:"stage"`
	Language string      `json:"language"`
	Status   string      `json:"status"`
	Expires  string      `json:"expires"`
	Body     json.RawMessage
	reference
}

type ackFrame struct {
	Type string `json:"type"`
	reference
	Stage string `json:"stage"`
	Sig   string `json:"sig"`
}

// haveMost is how many alerts a hello may list.
const haveMost = 64

func (in *install) hello(ws *websocket.Conn) error {
	untold := map[id]bool{}
	h := helloFrame{Type: "hello", Communes: in.crowd.opts.Communes(in.number), Language: in.crowd.opts.Language}
	if !is(in.crowd.opts.Anonymous, in.number) {
		h.Install = in.crowd.Key(in.number)
	}
	for _, e := range in.entries() {
		switch {
		case e.InForce && len(h.Have) < haveMost:
			h.Have = append(h.Have, reference{e.Alert, e.Revision})
		case e.InForce:
			untold[id{e.Alert, e.Revision, e.Language}] = true
		}
	}
	in.mu.Lock()
	in.untold = untold
	in.mu.Unlock()
	if err := ws.WriteJSON(h); err != nil {
		return err
	}
	if h.Install == "" {
		return nil
	}
	for _, e := range in.entries() { // what was never answered
		if !e.Stored {
			if err := in.acknowledge(ws, reference{e.Alert, e.Revision}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (in *install) handle(ws *websocket.Conn, f serverFrame) error {
	switch f.Type {
	case "welcome":
		in.crowd.enter(frameLine{Install: in.number, Kind: f.Type, Language: in.crowd.opts.Language})
		in.welcome(f.InForce)
		return nil
	case "acked":
		in.stored(f.reference)
		return nil
	case "alert":
		if err := f.check(); err != nil {
			in.crowd.broken.Add(1)
			return nil
		}
		in.crowd.enter(frameLine{Install: in.number, Kind: f.Type, Alert: f.Alert, Revision: f.Revision, Language: f.Language})
		in.show(f)
		if is(in.crowd.opts.Anonymous, in.number) {
			return nil
		}
		return in.acknowledge(ws, f.reference)
	default:
		in.crowd.broken.Add(1)
		return nil
	}
}

func (f serverFrame) check() error {
	_, err := time.Parse(time.RFC3339, f.Expires)
	var body map[string]any
	switch {
	case f.Alert == "" || f.Revision < 1:
		return errors.New("alert and revision")
	case f.Status != "Actual" && f.Status != "Exercise" && f.Status != "Test":
		return errors.New("status")
	case err != nil:
		return errors.New("expires")
	case json.Unmarshal(f.Body, &body) != nil:
		return errors.New("body")
	}
	return nil
}

func (in *install) welcome(inForce []reference) {
	now := map[reference]bool{}
	for _, r := range inForce {
		now[r] = true
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, e := range in.shown {
		e.InForce = now[reference{e.Alert, e.Revision}]
	}
}

func (in *install) show(f serverFrame) {
	in.mu.Lock()
	defer in.mu.Unlock()
	k := id{f.Alert, f.Revision, f.Language}
	e := in.shown[k]
	if e == nil {
		e = &Entry{Install: in.number, Alert: f.Alert, Revision: f.Revision, Language: f.Language, First: time.Now()}
		in.shown[k] = e
	}
	e.InForce = true
	if in.untold[k] { // the hub could not know that it is here
		delete(in.untold, k)
		return
	}
	e.Copies++
}

func (in *install) stored(r reference) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, e := range in.shown {
		if e.Alert == r.Alert && e.Revision == r.Revision {
			e.Stored = true
		}
	}
}

func (in *install) acknowledge(ws *websocket.Conn, r reference) error {
	stages := []string{"delivered"}
	if is(in.crowd.opts.Confirms, in.number) {
		stages = append(stages, "confirmed")
	}
	for _, stage := range stages {
		sig := ed25519.Sign(in.key, []byte("loa ack 1\n"+r.Alert+"\n"+strconv.Itoa(r.Revision)+"\n"+stage))
		if err := ws.WriteJSON(ackFrame{"ack", r, stage, b64.EncodeToString(sig)}); err != nil {
			return err
		}
	}
	return nil
}
