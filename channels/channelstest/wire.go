package channelstest

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"loa/channels"
)

// Play is a provider on one connection. It calls met for each message that
// reaches it, and returns to close the connection; it must return once the
// driver has closed it.
type Play func(conn net.Conn, met func())

// WireCase is one way a provider behaves and what it means.
type WireCase struct {
	Name string
	Play Play
	Want channels.Fault
	Code string // expected in the error
	Met  int64  // messages, or parts of one, that reach the provider
}

// WireConfig describes a driver that speaks a protocol of its own over TCP.
// Fields without a comment are those of Config.
type WireConfig struct {
	Kind    channels.Kind
	Open    func(t testing.TB, p Provider) channels.Sender
	Message func(t testing.TB, origin string) channels.Message // of one part
	Secrets []string
	Private func(m channels.Message) []string

	Plain, TLS string // schemes of an origin without and with TLS
	Accept     Play   // takes every message
	Silent     Play   // takes every message and answers none
	Cases      []WireCase
}

// VerifyWire runs the suite against a Sender with a protocol of its own. Call
// it from a test that is not parallel: it looks for goroutines left behind.
func VerifyWire(t *testing.T, w WireConfig) {
	t.Helper()
	cfg := &Config{Kind: w.Kind, Open: w.Open, Message: w.Message, Secrets: w.Secrets, Private: w.Private, wire: &w}
	running := goleak.IgnoreCurrent()
	t.Run("accepts", cfg.accepts)
	t.Run("concurrent", cfg.concurrent)
	t.Run("refuses before sending", cfg.refusesBeforeSending)
	for _, c := range w.Cases {
		t.Run("answer/"+c.Name, func(t *testing.T) { cfg.played(t, c) })
	}
	for name, origin := range unreachable() {
		t.Run("unreachable/"+name, func(t *testing.T) { cfg.unreachable(t, origin) })
	}
	t.Run("cancelled before writing", cfg.cancelledBefore)
	t.Run("cancelled after writing", cfg.cancelledUnanswered)
	if err := goleak.Find(running); err != nil {
		t.Errorf("goroutines left behind: %v", err)
	}
}

// origin gives an HTTP origin the scheme of the driver's own protocol.
func (w *WireConfig) origin(http string) string {
	if rest, secure := strings.CutPrefix(http, "https"); secure {
		return w.TLS + rest
	}
	return w.Plain + strings.TrimPrefix(http, "http")
}

// play starts a provider and the driver against it.
func (cfg *Config) play(t *testing.T, p Play) *bench {
	t.Helper()
	b := &bench{cfg: cfg}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				p(conn, func() { b.hits.Add(1) })
				_ = conn.Close() // the driver may have closed it first
			})
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		serving.Wait()
	})
	b.start(t, cfg.wire.Plain+"://"+l.Addr().String())
	return b
}

func (cfg *Config) played(t *testing.T, c WireCase) {
	b := cfg.play(t, c.Play)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := b.send(t.Context(), t)
	runtime.ReadMemStats(&after)
	want(t, err, c.Want)
	if e := channels.AsError(err); e.Code != c.Code {
		t.Errorf("code is %q, want %q", e.Code, c.Code)
	}
	if n := b.hits.Load(); n != c.Met {
		t.Errorf("%d messages reached the provider, want %d", n, c.Met)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > maxAllocated {
		t.Errorf("%d octets allocated for one message", n)
	}
}

func (cfg *Config) cancelledUnanswered(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := cfg.play(t, func(conn net.Conn, met func()) {
		cfg.wire.Silent(conn, func() {
			met()
			cancel()
		})
	})
	_, err := b.send(ctx, t)
	want(t, err, channels.FaultAmbiguous)
	if n := b.hits.Load(); n != 1 {
		t.Errorf("%d messages, want one", n)
	}
}
