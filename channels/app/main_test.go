package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"loa/channels"
	"loa/channels/app/standin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// board is the core's side: the list of messages in force, and the receipts.
type board struct {
	mu       sync.Mutex
	inForce  map[string][]channels.Message // by commune
	asked    int
	fail     error // of Snapshot
	receipts []channels.Receipt
	refuse   func([]channels.Receipt) error // of Sink; nil takes everything
}

func (b *board) snapshot(_ context.Context, areas []string) ([]channels.Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	var out []channels.Message
	for _, a := range areas {
		out = append(out, b.inForce[a]...)
	}
	return out, b.fail
}

func (b *board) sink(_ context.Context, rs ...channels.Receipt) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		if err := b.refuse(rs); err != nil {
			return err
		}
	}
	b.receipts = append(b.receipts, rs...)
	return nil
}

func (b *board) taken() []channels.Receipt {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.receipts)
}

// post puts a message into force; publish also broadcasts it, in the order the
// hub asks for.
func (b *board) post(m channels.Message, areas ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inForce == nil {
		b.inForce = map[string][]channels.Message{}
	}
	for _, a := range areas {
		b.inForce[a] = append(b.inForce[a], m)
	}
}

func (b *board) publish(t testing.TB, h *Hub, m channels.Message, areas ...string) {
	t.Helper()
	b.post(m, areas...)
	ack, err := h.Broadcast(context.Background(), m, areas)
	if err != nil || ack.Outcome != channels.Accepted {
		t.Errorf("broadcast: %v, %v", ack, err)
	}
}

func warning(alert string, revision int) channels.Message {
	return channels.Message{
		Alert: alert, Revision: revision, Code: "QN7K", Status: channels.Actual, Urgent: true, Language: "vi",
		Expires: time.Now().Add(time.Hour),
		Body:    fmt.Appendf(nil, `{"alert":%q,"revision":%d,"headline":"Bão khẩn cấp"}`, alert, revision),
	}
}

// place is a running hub and its address.
type place struct {
	*board
	hub *Hub
	url string // ws://…/ws
}

func start(t testing.TB, c Config) *place {
	t.Helper()
	p := &place{board: &board{}}
	h, err := Open(c, channels.Deps{
		Sink: p.sink, Snapshot: p.snapshot, Public: "https://loa.example.vn", Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h.Handler())
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	p.hub, p.url = h, "ws"+strings.TrimPrefix(srv.URL, "http")+"/ws"
	return p
}

// roomy is a configuration for crowds that come from one address.
func roomy() Config { return Config{PerAddress: 100_000} }

// gather connects a crowd, which stays until the test ends, and waits for it.
func (p *place) gather(t testing.TB, n int, o standin.Options) *standin.Crowd {
	t.Helper()
	o.URL, o.Origin = p.url, "https://loa.example.vn"
	if o.Communes == nil {
		o.Communes = func(int) []string { return []string{"06652"} }
	}
	if o.Pause == 0 {
		o.Pause = 5 * time.Millisecond
	}
	c := standin.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx, n) })
	t.Cleanup(func() { cancel(); running.Wait() })
	eventually(t, "the crowd to be welcomed", func() bool { return c.Connected() == n })
	return c
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// client is one hand-driven connection.
type client struct {
	*websocket.Conn
	t testing.TB
}

func (p *place) dial(t testing.TB, header http.Header) (*client, *http.Response, error) {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), p.url, header)
	if resp != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, resp, err
	}
	t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	return &client{ws, t}, resp, nil
}

func (p *place) connect(t testing.TB) *client {
	t.Helper()
	c, _, err := p.dial(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) say(text string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

type heard struct {
	Type     string `json:"type"`
	Alert    string `json:"alert"`
	Revision int    `json:"revision"`
	Language string `json:"language"`
	Stage    string `json:"stage"`
	InForce  []struct {
		Alert    string `json:"alert"`
		Revision int    `json:"revision"`
	} `json:"inforce"`
}

func (c *client) hear() heard {
	c.t.Helper()
	_, text, err := c.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	var h heard
	if err := json.Unmarshal(text, &h); err != nil {
		c.t.Fatal(err)
	}
	return h
}

// closed reads until the end and gives the close code, 0 for none.
func (c *client) closed() int {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			if e, ok := err.(*websocket.CloseError); ok { //nolint:errorlint // gorilla returns it bare
				return e.Code
			}
			return 0
		}
	}
}
