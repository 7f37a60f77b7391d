package channelstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"loa/channels"
)

// BroadcastConfig describes a driver that speaks to everyone listening in some
// areas.
type BroadcastConfig struct {
	Kind channels.Kind
	// Open returns the driver's value; p.Origin is empty unless the test sets
	// up a provider of its own. It is closed if it is an io.Closer.
	Open func(t testing.TB, p Provider) channels.Broadcaster
	// Message returns a message for everyone in the areas.
	Message func(t testing.TB) channels.Message
	Areas   []string
	// Heard returns how many copies of a message the listeners of the areas
	// have got so far: one, once Broadcast has returned. Nil when nobody can
	// be asked.
	Heard func(t testing.TB, m channels.Message) int
	// Secrets are the credentials the driver is opened with: in no error or log.
	Secrets []string
}

// VerifyBroadcaster runs the suite against a Broadcaster. Call it from a test
// that is not parallel: it looks for goroutines left behind.
func VerifyBroadcaster(t *testing.T, cfg BroadcastConfig) {
	t.Helper()
	running := goleak.IgnoreCurrent()
	t.Run("accepts", cfg.accepts)
	t.Run("concurrent", cfg.concurrent)
	t.Run("refuses before sending", cfg.refuses)
	t.Run("cancelled", cfg.cancelled)
	if err := goleak.Find(running); err != nil {
		t.Errorf("goroutines left behind: %v", err)
	}
}

func (cfg *BroadcastConfig) open(t *testing.T) channels.Broadcaster {
	t.Helper()
	logged := &lockedBuffer{}
	b := cfg.Open(t, Provider{Timeout: timeout, Log: slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	t.Cleanup(func() {
		if c, ok := b.(io.Closer); ok {
			if err := c.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		cfg.checkSecrets(t, "log", logged.String())
	})
	return b
}

func (cfg *BroadcastConfig) checkSecrets(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range cfg.Secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds a secret", where)
		}
	}
}

func (cfg *BroadcastConfig) heard(t *testing.T, m channels.Message, want int) {
	t.Helper()
	if cfg.Heard == nil {
		return
	}
	if n := cfg.Heard(t, m); n != want {
		t.Errorf("heard %d times, want %d", n, want)
	}
}

func (cfg *BroadcastConfig) accepts(t *testing.T) {
	b := cfg.open(t)
	if b.Kind() != cfg.Kind {
		t.Errorf("kind %q, want %q", b.Kind(), cfg.Kind)
	}
	m := cfg.Message(t)
	text := bytes.Clone(m.Body)
	ack, err := b.Broadcast(t.Context(), m, cfg.Areas)
	if err != nil {
		t.Fatalf("broadcast: %v", err)
	}
	if ack.Outcome != channels.Accepted && ack.Outcome != channels.Delivered {
		t.Errorf("outcome is %v, want accepted or delivered", ack.Outcome)
	}
	if !bytes.Equal(text, m.Body) {
		t.Error("the driver wrote to the body, which a whole batch shares")
	}
	cfg.heard(t, m, 1)
}

func (cfg *BroadcastConfig) concurrent(t *testing.T) {
	b := cfg.open(t)
	const sends = 32
	errs := make([]error, sends)
	var all sync.WaitGroup
	for i := range sends {
		m := cfg.Message(t)
		all.Go(func() { _, errs[i] = b.Broadcast(t.Context(), m, cfg.Areas) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("concurrent broadcasts: %v", err)
	}
}

// refuses checks what must never go out: above all, no area does not mean
// every area.
func (cfg *BroadcastConfig) refuses(t *testing.T) {
	for name, spoil := range map[string]func(m *channels.Message, areas *[]string){
		"no areas":     func(_ *channels.Message, areas *[]string) { *areas = nil },
		"empty area":   func(_ *channels.Message, areas *[]string) { *areas = []string{""} },
		"status unset": func(m *channels.Message, _ *[]string) { m.Status = channels.StatusUnset },
		"expired":      func(m *channels.Message, _ *[]string) { m.Expires = time.Now().Add(-time.Second) },
		"expiry unset": func(m *channels.Message, _ *[]string) { m.Expires = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			b := cfg.open(t)
			m, areas := cfg.Message(t), cfg.Areas
			spoil(&m, &areas)
			_, err := b.Broadcast(t.Context(), m, areas)
			if err == nil || channels.AsError(err).Fault == channels.FaultAmbiguous {
				t.Errorf("error is %v, want one that says nothing was sent", err)
			}
			if err != nil {
				cfg.checkSecrets(t, "error", err.Error())
			}
			cfg.heard(t, m, 0)
		})
	}
}

func (cfg *BroadcastConfig) cancelled(t *testing.T) {
	b := cfg.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := cfg.Message(t)
	_, err := b.Broadcast(ctx, m, cfg.Areas)
	want(t, err, channels.FaultTransient)
	cfg.heard(t, m, 0)
}
