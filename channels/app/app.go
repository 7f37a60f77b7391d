// Package app is the hub that phone apps and web pages listen to over
// WebSocket: it hands each listener every message in force in its communes,
// once, and takes signed acknowledgements. It knows connections and messages
// only, never alerts, people or storage, and it imports no room of gateway.
//
// # Wire protocol, version 1
//
// Text frames, one JSON object each, at most 4 KiB from the client. The client
// speaks first, within ten seconds:
//
//	{"type":"hello","install":KEY,"communes":["22168"],"language":"vi","have":[{"alert":A,"revision":1}]}
//
// KEY is the install's Ed25519 public key, 32 bytes in base64url without
// padding; it is left out by an anonymous listener. There are one to five
// communes. "have" lists what the client holds already, at most 64. The hub answers
//
//	{"type":"welcome","protocol":1,"inforce":[{"alert":A,"revision":1},…]}
//
// where "inforce" is everything in force in those communes: what a client
// holds beyond it has ended. Each message the client does not have follows:
//
//	{"type":"alert","alert":A,"revision":1,"code":"QN7K","status":"Actual","language":"vi","urgent":true,"expires":"2026-09-07T18:00:00+07:00","body":{…}}
//
// and then live ones as they are broadcast, each (alert, revision) once. A
// listener that named a language gets another language only as long as its own
// has not come. The client acknowledges with
//
//	{"type":"ack","alert":A,"revision":1,"stage":"delivered","sig":SIG}
//
// where stage is "delivered" or "confirmed" and SIG is the Ed25519 signature,
// base64url, over the bytes
//
//	"loa ack 1\n" alert "\n" revision in decimal "\n" stage
//
// and gets {"type":"acked","alert":A,"revision":1,"stage":"delivered"} once the
// evidence is durable. What was not answered so is to be sent again after the
// next hello.
//
// Close codes: 1001 the hub is stopping, come back after a random wait; 1003
// binary frame; 1007 not UTF-8; 1008 a frame breaks the protocol, or too many
// of them; 1009 frame too long; 1013 too slow, or the hub cannot list what is
// in force now: come back after a random wait, the resync brings what was
// missed.
package app

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"loa/channels"
)

// Driver describes the "hub" provider of the app channel.
func Driver() channels.Driver {
	return channels.Driver{
		Name: "hub",
		Kind: channels.App,
		Open: func(decode func(any) error, d channels.Deps) (any, error) {
			var c Config
			if err := decode(&c); err != nil {
				return nil, fmt.Errorf("app: configuration: %w", err)
			}
			return Open(c, d)
		},
	}
}

// Config is the driver's section of the configuration.
type Config struct {
	Origins        []string `yaml:"origins"`         // browser origins admitted beside the gateway's own, exact
	PerAddress     int      `yaml:"per_address"`     // connections from one IP address, or one IPv6 /64; 1,000 when zero: mobile networks put many phones behind one
	TrustedProxies []string `yaml:"trusted_proxies"` // prefixes of reverse proxies whose X-Forwarded-For is believed

	Queue        int           `yaml:"queue"`         // messages waiting for one connection; 64 when zero
	WriteTimeout time.Duration `yaml:"write_timeout"` // for one message; 5 s when zero
	PongWait     time.Duration `yaml:"pong_wait"`     // silence after which a listener is gone; 40 s when zero
}

const (
	helloWait    = 10 * time.Second
	snapshotWait = 5 * time.Second
	stopWait     = 3 * time.Second
	readLimit    = 4 << 10 // bytes of one frame from a client
	maxCommunes  = 5
	maxHave      = 64
)

func (c *Config) complete() error {
	if c.PerAddress == 0 {
		c.PerAddress = 1000
	}
	if c.Queue == 0 {
		c.Queue = 64
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = 5 * time.Second
	}
	if c.PongWait == 0 {
		c.PongWait = 40 * time.Second
	}
	switch {
	case c.PerAddress < 1:
		return errors.New("per_address: must be positive")
	case c.Queue < 1 || c.Queue > 1024:
		return errors.New("queue: want 1 to 1024")
	case c.WriteTimeout < 0:
		return errors.New("write_timeout: must be positive")
	case c.PongWait < 0:
		return errors.New("pong_wait: must be positive")
	}
	return nil
}

// Hub is a Broadcaster and the handler of its listeners' connections.
type Hub struct {
	config  Config
	deps    channels.Deps
	log     *slog.Logger
	origins map[string]bool
	proxies []netip.Prefix
	upgrade websocket.Upgrader
	writers writers
	acks    *acks
	resync  resync
	keys    keys

	mu        sync.RWMutex
	stopping  bool
	conns     map[*conn]struct{}
	communes  map[string]map[*conn]struct{}
	addresses map[netip.Prefix]int
	broadcast uint64 // generation: counts broadcasts begun

	stop    context.CancelFunc
	ctx     context.Context // ends when the hub stops; for work that no caller waits for
	running sync.WaitGroup  // the hub's own goroutines
	serving sync.WaitGroup  // connections

	did counts
}

// Open checks the configuration and starts a hub without listeners.
func Open(c Config, d channels.Deps) (*Hub, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	h := &Hub{
		config: c, deps: d, log: d.Log,
		origins: map[string]bool{}, conns: map[*conn]struct{}{},
		communes: map[string]map[*conn]struct{}{}, addresses: map[netip.Prefix]int{},
	}
	if d.Snapshot == nil || d.Sink == nil {
		return nil, errors.New("app: a hub needs a snapshot of what is in force and a sink for receipts")
	}
	if d.Public != "" {
		u, err := url.Parse(d.Public)
		if err != nil || u.Host == "" {
			return nil, errors.New("app: public base URL: want scheme://host")
		}
		h.origins[u.Scheme+"://"+u.Host] = true
	}
	for _, o := range c.Origins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != o {
			return nil, fmt.Errorf("app: origins: %q: want scheme://host[:port] and nothing after it", o)
		}
		h.origins[o] = true
	}
	for _, p := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, fmt.Errorf("app: trusted_proxies: %q: want a prefix such as 127.0.0.1/32", p)
		}
		h.proxies = append(h.proxies, prefix)
	}
	h.upgrade = websocket.Upgrader{
		HandshakeTimeout: helloWait,
		ReadBufferSize:   256, // lives as long as the connection; longer frames pass through it in parts
		WriteBufferSize:  1024,
		WriteBufferPool:  &sync.Pool{},
		CheckOrigin:      h.originAllowed,
	}
	h.ctx, h.stop = context.WithCancel(context.Background()) //nolint:forbidigo // a hub lives from Open to Close, and no caller waits for its own work
	h.acks = newAcks(h)
	h.running.Go(h.acks.run)
	h.running.Go(h.watch)
	return h, nil
}

// Kind is channels.App.
func (h *Hub) Kind() channels.Kind { return channels.App }

// Live reports whether the public may be listening: in a drill or demo, where
// one origin is admitted for stand-ins, it is not.
func (h *Hub) Live() bool { return h.deps.Origin == "" }

// commune is an administrative code. Unknown ones are harmless: nothing is
// ever broadcast to them.
var commune = regexp.MustCompile(`^[0-9A-Za-z-]{1,16}$`)

// Broadcast hands a message to every connection that listens in the areas.
// Each gets an (alert, revision) once, however many of its communes and
// batches it comes for. It returns Accepted when the message stands in every
// listener's queue; those who are away find it in the live list.
//
// The caller must have made the message part of what Deps.Snapshot lists
// before it calls: only then can a listener that joins meanwhile not miss it.
func (h *Hub) Broadcast(ctx context.Context, m channels.Message, areas []string) (channels.Ack, error) {
	if err := ctx.Err(); err != nil {
		return channels.Ack{}, &channels.Error{Fault: channels.FaultTransient, Err: fmt.Errorf("app: %w", err)}
	}
	if len(areas) == 0 {
		return channels.Ack{}, refuse(channels.FaultContent, "areas: must not be empty")
	}
	for _, a := range areas {
		if !commune.MatchString(a) {
			return channels.Ack{}, refuse(channels.FaultContent, "areas: want administrative codes")
		}
	}
	if !m.Expires.After(h.deps.Now()) {
		return channels.Ack{}, refuse(channels.FaultTransient, "expires: already past, nothing was sent")
	}
	f, err := h.frame(m)
	if err != nil {
		return channels.Ack{}, &channels.Error{Fault: channels.FaultContent, Err: err}
	}
	h.mu.Lock()
	if h.stopping {
		h.mu.Unlock()
		return channels.Ack{}, refuse(channels.FaultTransient, "hub is stopping")
	}
	h.broadcast++
	h.mu.Unlock()

	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, a := range areas {
		for c := range h.communes[a] {
			c.offer(f)
		}
	}
	return channels.Ack{Outcome: channels.Accepted}, nil
}

// AckBytes are the bytes an install signs to acknowledge a message.
func AckBytes(alert string, revision int, stage string) []byte {
	return []byte("loa ack 1\n" + alert + "\n" + strconv.Itoa(revision) + "\n" + stage)
}

// ParseInstall checks an install's address: its Ed25519 public key, 32 bytes
// in base64url without padding.
func ParseInstall(address string) (ed25519.PublicKey, error) {
	key, err := base64.RawURLEncoding.Strict().DecodeString(address)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("app: install: want an Ed25519 public key of %d bytes in base64url", ed25519.PublicKeySize)
	}
	return key, nil
}

func refuse(f channels.Fault, text string) error {
	return &channels.Error{Fault: f, Err: errors.New("app: " + text)}
}

// frame is one message ready for the wire.
type frame struct {
	*websocket.PreparedMessage
	text     []byte // instead, for one listener only
	id       uint32 // of (alert, revision, language); 0 for frames that are not alerts
	alert    string
	revision int
	language string
	last     bool // nothing may follow it
}

type alertFrame struct {
	Type     string          `json:"type"`
	Alert    string          `json:"alert"`
	Revision int             `json:"revision"`
	Code     string          `json:"code,omitempty"`
	Status   string          `json:"status"`
	Language string          `json:"language"`
	Urgent   bool            `json:"urgent"`
	Expires  string          `json:"expires"`
	Body     json.RawMessage `json:"body"`
}

// frame makes the wire form of a message, once for all its listeners.
func (h *Hub) frame(m channels.Message) (*frame, error) {
	if m.Status == channels.StatusUnset {
		return nil, errors.New("app: status: must be set")
	}
	if m.Alert == "" || m.Revision < 1 {
		return nil, errors.New("app: alert and revision: must be set")
	}
	if len(m.Body) == 0 {
		return nil, errors.New("app: body: must not be empty")
	}
	b, err := json.Marshal(alertFrame{
		Type: "alert", Alert: m.Alert, Revision: m.Revision, Code: m.Code, Status: m.Status.String(), Language: m.Language,
		Urgent: m.Urgent, Expires: m.Expires.Format(time.RFC3339), Body: m.Body,
	})
	if err != nil {
		return nil, fmt.Errorf("app: body: want a JSON document: %w", err)
	}
	p, err := websocket.NewPreparedMessage(websocket.TextMessage, b)
	if err != nil {
		return nil, fmt.Errorf("app: frame: %w", err)
	}
	id := h.keys.id(key{m.Alert, m.Revision, m.Language}, m.Expires, h.deps.Now())
	return &frame{PreparedMessage: p, id: id, alert: m.Alert, revision: m.Revision, language: m.Language}, nil
}
