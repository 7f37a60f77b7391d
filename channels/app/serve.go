package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"loa/channels"
)

// Handler serves GET /ws.
func (h *Hub) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", h.serve)
	return mux
}

func (h *Hub) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) {
		http.Error(w, "a WebSocket is opened by GET over HTTP/1.1", http.StatusBadRequest)
		return
	}
	address := h.addressOf(r)
	switch h.admit(address) {
	case http.StatusServiceUnavailable:
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	case http.StatusTooManyRequests:
		http.Error(w, "too many connections from one address", http.StatusTooManyRequests)
		return
	}
	ws, err := h.upgrade.Upgrade(w, r, nil)
	if err != nil { // already answered
		h.mu.Lock()
		h.release(address)
		h.mu.Unlock()
		h.serving.Done()
		return
	}
	c := &conn{hub: h, ws: ws, address: address, joining: true}
	c.alive()
	if !h.enter(c) || !c.hello() { //nolint:contextcheck // the connection outlives the request it came with
		h.leave(c)
		return
	}
	go c.read() // this goroutine's stack has grown; the reader's stays small
}

// admit counts a connection of an address and of the hub; release and leave
// undo it.
func (h *Hub) admit(address netip.Prefix) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return http.StatusServiceUnavailable
	}
	if h.addresses[address] >= h.config.PerAddress {
		return http.StatusTooManyRequests
	}
	h.addresses[address]++
	h.serving.Add(1)
	return http.StatusOK
}

func (h *Hub) release(address netip.Prefix) {
	if h.addresses[address]--; h.addresses[address] == 0 {
		delete(h.addresses, address)
	}
}

func (h *Hub) enter(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[c] = struct{}{}
	return !h.stopping
}

// leave forgets a connection and closes it.
func (h *Hub) leave(c *conn) {
	h.mu.Lock()
	delete(h.conns, c)
	for _, a := range c.communes {
		delete(h.communes[a], c)
		if len(h.communes[a]) == 0 {
			delete(h.communes, a)
		}
	}
	h.release(c.address)
	h.mu.Unlock()
	c.mu.Lock()
	c.closed = true
	c.queue, c.held = nil, nil
	c.mu.Unlock()
	_ = c.ws.Close()
	h.serving.Done()
}

type reference struct {
	Alert    string `json:"alert"`
	Revision int    `json:"revision"`
}

// clientFrame is everything a client can say.
type clientFrame struct {
	Type     string      `json:"type"`
	Install  string      `json:"install"`
	Communes []string    `json:"communes"`
	Language string      `json:"language"`
	Have     []reference `json:"have"`
	reference
	Stage string `json:"stage"`
	Sig   string `json:"sig"`
}

// hello reads the first frame, enters the connection under its communes and
// queues the resync. It reports whether the connection stands.
func (c *conn) hello() bool {
	c.ws.SetReadLimit(readLimit)
	_ = c.ws.SetReadDeadline(time.Now().Add(helloWait)) // a connection that fails to take it fails to read
	kind, text, err := c.ws.ReadMessage()
	if err != nil {
		return false
	}
	in, ok := c.parse(kind, text)
	if !ok {
		return false
	}
	if reason := c.introduce(in); reason != "" {
		c.refuse(reason)
		return false
	}
	c.ws.SetPongHandler(func(string) error { c.alive(); return nil })
	c.ws.SetPingHandler(func(data string) error {
		if !c.allow() {
			c.refuse("too many frames")
			return errTooMany
		}
		_ = c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(c.hub.config.WriteTimeout)) // the next read tells
		c.alive()
		return nil
	})
	if err := c.join(in.Have); err != nil {
		c.hub.log.Warn("app: listener turned away, what is in force cannot be listed", "error", err)
		c.say(websocket.CloseTryAgainLater, "try again later")
		return false
	}
	c.alive()
	_ = c.ws.SetReadDeadline(time.Time{}) // from here on the hub watches
	return true
}

// introduce takes over what a hello says, or names the rule it breaks.
func (c *conn) introduce(in *clientFrame) string {
	switch {
	case in.Type != "hello":
		return "first frame must be hello"
	case len(in.Communes) < 1 || len(in.Communes) > maxCommunes:
		return "communes: want 1 to 5"
	case len(in.Have) > maxHave:
		return "have: at most 64"
	case len(in.Language) > 8:
		return "language: at most 8 characters"
	}
	for _, a := range in.Communes {
		if !commune.MatchString(a) {
			return "communes: want administrative codes"
		}
	}
	if in.Install != "" {
		k, err := ParseInstall(in.Install)
		if err != nil {
			return "install: want an Ed25519 public key, 32 bytes in base64url"
		}
		c.install = k
	}
	slices.Sort(in.Communes)
	c.language = in.Language
	c.communes = slices.Clip(slices.Compact(in.Communes))
	return ""
}

// alive notes a sign of life. It runs below the reader's wait and must stay
// shallow; the hub's watch acts on it.
func (c *conn) alive() { c.heard.Store(time.Now().UnixNano()) }

// read waits for the client's frames. An idle connection is little more than
// this goroutine's stack, so nothing deep or large may stand below the wait.
func (c *conn) read() {
	defer c.hub.leave(c)
	for {
		kind, frame, err := c.ws.NextReader()
		if err != nil || !c.heed(kind, frame) { // gorilla has sent the code of a broken frame
			return
		}
	}
}

// heed acts on a frame after the hello; it reports whether the connection
// stands.
//
//go:noinline
func (c *conn) heed(kind int, frame io.Reader) bool {
	text, err := io.ReadAll(frame) // bounded by the read limit
	if err != nil {
		return false
	}
	in, ok := c.parse(kind, text)
	if !ok {
		return false
	}
	if in.Type != "ack" {
		c.refuse("only ack may follow hello")
		return false
	}
	if reason := c.hub.acks.take(c, in); reason != "" {
		c.refuse(reason)
		return false
	}
	return true
}

// parse reads a frame. One that breaks the protocol is answered with the close
// code that says so.
func (c *conn) parse(kind int, text []byte) (*clientFrame, bool) {
	switch {
	case kind != websocket.TextMessage:
		c.say(websocket.CloseUnsupportedData, "text frames only")
		return nil, false
	case !utf8.Valid(text):
		c.say(websocket.CloseInvalidFramePayloadData, "not UTF-8")
		return nil, false
	case !c.allow():
		c.refuse("too many frames")
		return nil, false
	}
	in := &clientFrame{}
	if err := json.Unmarshal(text, in); err != nil {
		c.refuse("not a JSON object of the protocol")
		return nil, false
	}
	return in, true
}

// allow counts the client's frames in a window of time.
func (c *conn) allow() bool {
	now := c.hub.deps.Now().Unix()
	if now-c.windowAt >= windowSeconds || now < c.windowAt {
		c.windowAt, c.windowUsed = now, 0
	}
	c.windowUsed++
	return c.windowUsed <= windowFrames
}

func (c *conn) refuse(reason string) { c.say(websocket.ClosePolicyViolation, reason) }

// say sends a close frame from the reader's side. Whatever a writer holds may
// come before it.
func (c *conn) say(code int, reason string) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second)) // the connection ends either way
}

func (h *Hub) originAllowed(r *http.Request) bool {
	o := r.Header["Origin"]
	switch len(o) {
	case 0:
		return true // no browser: there is no cookie or session that a foreign page could ride on
	case 1:
		return h.origins[o[0]]
	default:
		return false
	}
}

// addressOf is the client's IP address, or the /64 of an IPv6 one. What a
// trusted proxy says it forwarded for is believed, from the right.
func (h *Hub) addressOf(r *http.Request) netip.Prefix {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	a := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(h.proxies, func(p netip.Prefix) bool { return p.Contains(a) }) {
			break
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		a = next.Unmap().WithZone("")
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

var (
	_ channels.Broadcaster = (*Hub)(nil)
	_ channels.Handler     = (*Hub)(nil)
)
