// Package channelstest holds what every driver of package channels must pass:
// one conformance suite that plays a provider over real sockets, honest, broken
// and hostile. It names no driver.
package channelstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"loa/channels"
)

// Provider is what a driver under test is opened against.
type Provider struct {
	Origin  string        // scheme, host and port of the fake provider
	Timeout time.Duration // open the driver with this total time for a call
	Log     *slog.Logger  // read by the leak checks
}

// Deps returns what the core would hand to the driver, with a sink that takes
// everything.
func (p Provider) Deps() channels.Deps {
	return channels.Deps{
		Sink:     func(context.Context, ...channels.Receipt) error { return nil },
		Snapshot: func(context.Context, []string) ([]channels.Message, error) { return nil, nil },
		Public:   "https://loa.example",
		Origin:   p.Origin,
		Now:      time.Now,
		Log:      p.Log,
	}
}

// Case is one answer of the provider and what it means.
type Case struct {
	Name       string
	Answer     http.HandlerFunc
	Want       channels.Fault
	Code       string        // expected in the error
	RetryAfter time.Duration // expected in the error
}

// Config describes a driver that sends through a provider over HTTP.
type Config struct {
	Kind channels.Kind
	// Open returns the driver's value. It is closed if it is an io.Closer.
	Open func(t testing.TB, p Provider) channels.Sender
	// Message returns a message the driver can send through the provider at
	// origin, a different one each time.
	Message func(t testing.TB, origin string) channels.Message
	// Accept is the provider's answer to a message it takes.
	Accept http.HandlerFunc
	// Faults is the driver's whole table of answers.
	Faults []Case
	// ServerError is what a 5xx means; Redirect what a 3xx means.
	ServerError, Redirect channels.Fault
	// StatusIsProof says that the provider answers by its status alone, so that
	// an odd body changes nothing.
	StatusIsProof bool
	// Secrets are the credentials the driver is opened with: in no error, log
	// or URL.
	Secrets []string
	// Private lists what identifies the recipient of a message, besides the
	// address itself: in no error and no log.
	Private func(m channels.Message) []string

	wire *WireConfig // the provider speaks a protocol of its own
}

// honest starts a provider that takes everything and the driver against it.
func (cfg *Config) honest(t *testing.T) *bench {
	t.Helper()
	if cfg.wire != nil {
		return cfg.play(t, cfg.wire.Accept)
	}
	return cfg.open(t, cfg.Accept)
}

const timeout = time.Second // of a call, as drivers under test are opened

// patience ends a test whose driver does not keep to its timeout.
const patience = 10 * timeout

// Verify runs the suite against a Sender. Call it from a test that is not
// parallel: it looks for goroutines left behind.
func Verify(t *testing.T, cfg Config) {
	t.Helper()
	running := goleak.IgnoreCurrent()
	t.Run("accepts", cfg.accepts)
	t.Run("concurrent", cfg.concurrent)
	t.Run("refuses before sending", cfg.refusesBeforeSending)
	for _, c := range append(cfg.Faults, cfg.common()...) {
		t.Run("answer/"+c.Name, func(t *testing.T) { cfg.answered(t, c) })
	}
	for name, origin := range unreachable() {
		t.Run("unreachable/"+name, func(t *testing.T) { cfg.unreachable(t, origin) })
	}
	t.Run("cancelled before writing", cfg.cancelledBefore)
	t.Run("cancelled after writing", cfg.cancelledAfter)
	t.Run("redirect", cfg.redirected)
	t.Run("hostile", cfg.hostile)
	if err := goleak.Find(running); err != nil {
		t.Errorf("goroutines left behind: %v", err)
	}
}

// bench is one driver opened against one fake provider.
type bench struct {
	cfg    *Config
	sender channels.Sender
	origin string
	logged *lockedBuffer
	hits   atomic.Int64
	mu     sync.Mutex
	urls   []string
}

// open starts a fake provider that answers with h and the driver against it.
func (cfg *Config) open(t *testing.T, h http.HandlerFunc) *bench {
	t.Helper()
	b := &bench{cfg: cfg}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.hits.Add(1)
		b.mu.Lock()
		b.urls = append(b.urls, r.URL.String())
		b.mu.Unlock()
		h(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(server.Close)
	b.start(t, server.URL)
	return b
}

// start opens the driver against an origin.
func (b *bench) start(t *testing.T, origin string) {
	t.Helper()
	b.origin = origin
	b.logged = &lockedBuffer{}
	log := slog.New(slog.NewTextHandler(b.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.sender = b.cfg.Open(t, Provider{Origin: origin, Timeout: timeout, Log: log})
	if c, ok := b.sender.(io.Closer); ok {
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// send sends a fresh message and looks for leaks in whatever comes of it.
func (b *bench) send(ctx context.Context, t *testing.T) (channels.Ack, error) {
	t.Helper()
	m := b.cfg.Message(t, b.origin)
	body := bytes.Clone(m.Body)
	var ack channels.Ack
	var err error
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		ack, err = b.sender.Send(ctx, m)
	}()
	select {
	case <-returned:
	case <-time.After(patience):
		t.Fatalf("send has not returned after %v, the timeout is %v", patience, timeout)
	}
	if !bytes.Equal(body, m.Body) {
		t.Error("the driver wrote to the body, which a whole batch shares")
	}
	b.checkLeaks(t, m, err)
	return ack, err
}

// checkLeaks looks for credentials and for the recipient in errors and logs,
// and for credentials in URLs.
func (b *bench) checkLeaks(t *testing.T, m channels.Message, err error) {
	t.Helper()
	private := []string{m.To.Reveal(), string(m.Body)}
	if b.cfg.Private != nil {
		private = append(private, b.cfg.Private(m)...)
	}
	look := func(where, text string, words []string) {
		for _, word := range words {
			if word != "" && strings.Contains(text, word) {
				t.Errorf("%s holds a secret or an address", where)
			}
		}
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		look("error", fmt.Sprintf("%v\n%+v\n%s", e, e, e.Error()), b.cfg.Secrets)
		look("error", fmt.Sprintf("%v\n%+v\n%s", e, e, e.Error()), private)
	}
	look("log", b.logged.String(), b.cfg.Secrets)
	look("log", b.logged.String(), private)
	b.mu.Lock()
	defer b.mu.Unlock()
	look("URL", strings.Join(b.urls, "\n"), b.cfg.Secrets)
}

// want checks a failed send's class.
func want(t *testing.T, err error, fault channels.Fault) {
	t.Helper()
	if err == nil {
		t.Fatalf("send succeeded, want a fault: %v", fault)
	}
	if e := channels.AsError(err); e.Fault != fault {
		t.Fatalf("fault is %v, want %v (%v)", e.Fault, fault, err)
	}
}

// lockedBuffer takes log lines of several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
