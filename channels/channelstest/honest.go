package channelstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/channels"
)

func (cfg *Config) accepts(t *testing.T) {
	b := cfg.honest(t)
	if b.sender.Kind() != cfg.Kind || b.sender.Provider() == "" {
		t.Errorf("kind %q, provider %q: want kind %q and a name", b.sender.Kind(), b.sender.Provider(), cfg.Kind)
	}
	if b.sender.Live() {
		t.Error("live at the admitted origin of a stand-in")
	}
	for _, secret := range cfg.Secrets {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", b.sender, b.sender, b.sender), secret) {
			t.Error("the driver prints a secret when it is printed: fields that are not exported do not mask themselves")
		}
	}
	ack, err := b.send(t.Context(), t)
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	if ack.Outcome != channels.Accepted && ack.Outcome != channels.Delivered {
		t.Errorf("outcome is %v, want accepted or delivered", ack.Outcome)
	}
	if n := b.hits.Load(); n != 1 {
		t.Errorf("%d requests for one message", n)
	}
}

func (cfg *Config) concurrent(t *testing.T) {
	b := cfg.honest(t)
	const sends = 100
	errs := make([]error, sends)
	var all sync.WaitGroup
	for i := range sends {
		m := cfg.Message(t, b.origin)
		all.Go(func() { _, errs[i] = b.sender.Send(t.Context(), m) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("concurrent sends: %v", err)
	}
	if n := b.hits.Load(); n != sends {
		t.Errorf("%d requests for %d messages", n, sends)
	}
}

// refusesBeforeSending checks that a message that must not be sent is not, and
// that the error says it certainly was not.
func (cfg *Config) refusesBeforeSending(t *testing.T) {
	for name, spoil := range map[string]func(*channels.Message){
		"status unset":    func(m *channels.Message) { m.Status = channels.StatusUnset },
		"expired":         func(m *channels.Message) { m.Expires = time.Now().Add(-time.Second) },
		"expiry unset":    func(m *channels.Message) { m.Expires = time.Time{} },
		"address unset":   func(m *channels.Message) { m.To = "" },
		"address foreign": func(m *channels.Message) { m.To = "nobody" },
		"body empty":      func(m *channels.Message) { m.Body = nil },
	} {
		t.Run(name, func(t *testing.T) {
			b := cfg.honest(t)
			m := cfg.Message(t, b.origin)
			spoil(&m)
			_, err := b.sender.Send(t.Context(), m)
			if err == nil || channels.AsError(err).Fault == channels.FaultAmbiguous {
				t.Errorf("error is %v, want one that says nothing was sent", err)
			}
			b.checkLeaks(t, m, err)
			if n := b.hits.Load(); n != 0 {
				t.Errorf("%d requests for a message that must not be sent", n)
			}
		})
	}
}

// common are the answers that mean the same to every driver. A row of the
// driver's own table with the same name stands instead.
func (cfg *Config) common() []Case {
	cases := []Case{
		{Name: "429", Answer: status(http.StatusTooManyRequests), Want: channels.FaultThrottled},
		{Name: "429 in seconds", Want: channels.FaultThrottled, RetryAfter: 7 * time.Second,
			Answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusTooManyRequests)
			}},
		{Name: "429 with nonsense", Want: channels.FaultThrottled,
			Answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "-5 parsecs")
				w.WriteHeader(http.StatusTooManyRequests)
			}},
		{Name: "silence", Answer: silent, Want: channels.FaultAmbiguous},
		{Name: "reset", Answer: reset, Want: channels.FaultAmbiguous},
		{Name: "no HTTP", Answer: raw("SSH-2.0-OpenSSH_9.2\r\n"), Want: channels.FaultAmbiguous},
		{Name: "cut headers", Answer: raw("HTTP/1.1 201 Created\r\nContent-Ty"), Want: channels.FaultAmbiguous},
	}
	for _, code := range []int{500, 502, 503, 504} {
		cases = append(cases, Case{Name: http.StatusText(code), Answer: status(code), Want: cfg.ServerError})
	}
	return slices.DeleteFunc(cases, func(c Case) bool {
		return slices.ContainsFunc(cfg.Faults, func(own Case) bool { return own.Name == c.Name })
	})
}

func (cfg *Config) answered(t *testing.T, c Case) {
	b := cfg.open(t, c.Answer)
	_, err := b.send(t.Context(), t)
	if n := b.hits.Load(); n != 1 {
		t.Errorf("%d requests: the answer was not met exactly once", n)
	}
	want(t, err, c.Want)
	e := channels.AsError(err)
	if c.Code != "" && e.Code != c.Code {
		t.Errorf("code is %q, want %q", e.Code, c.Code)
	}
	if e.RetryAfter != c.RetryAfter {
		t.Errorf("retry after %v, want %v", e.RetryAfter, c.RetryAfter)
	}
}

// unreachable lists origins where no request can be written. Each opens what
// it needs and returns the origin.
func unreachable() map[string]func(t *testing.T, hits http.Handler) string {
	return map[string]func(t *testing.T, hits http.Handler) string{
		"refused": func(t *testing.T, _ http.Handler) string {
			l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once: a port that nobody serves
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return "http://" + l.Addr().String()
		},
		"no such name": func(*testing.T, http.Handler) string { return "http://provider.invalid:8080" },
		"certificate not trusted": func(t *testing.T, hits http.Handler) string {
			s := httptest.NewUnstartedServer(hits)
			s.Config.ErrorLog = discard
			s.StartTLS()
			t.Cleanup(s.Close)
			return s.URL
		},
		"not TLS": func(t *testing.T, hits http.Handler) string {
			s := httptest.NewServer(hits)
			t.Cleanup(s.Close)
			return "https://" + s.Listener.Addr().String()
		},
	}
}

func (cfg *Config) unreachable(t *testing.T, at func(*testing.T, http.Handler) string) {
	b := &bench{cfg: cfg}
	origin := at(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.hits.Add(1) }))
	if cfg.wire != nil {
		origin = cfg.wire.origin(origin)
	}
	b.start(t, origin)
	_, err := b.send(t.Context(), t)
	want(t, err, channels.FaultTransient)
	if n := b.hits.Load(); n != 0 {
		t.Errorf("%d requests reached a provider that cannot be trusted", n)
	}
}

func (cfg *Config) cancelledBefore(t *testing.T) {
	b := cfg.honest(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.send(ctx, t)
	want(t, err, channels.FaultTransient)
	if n := b.hits.Load(); n != 0 {
		t.Errorf("%d requests after the cancel", n)
	}
}

func (cfg *Config) cancelledAfter(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := cfg.open(t, func(w http.ResponseWriter, r *http.Request) {
		swallow(r)
		cancel()
		silent(w, r)
	})
	_, err := b.send(ctx, t)
	want(t, err, channels.FaultAmbiguous)
	if n := b.hits.Load(); n != 1 {
		t.Errorf("%d requests, want one", n)
	}
}
