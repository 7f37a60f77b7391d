package gateway

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/config"
	"loa/gateway/dispatch"
)

// stuck is a provider that answers no call, whatever is done, and whose
// connections do not end.
type stuck struct {
	called  *atomic.Int32
	release chan struct{}
}

func (stuck) Kind() channels.Kind { return channels.App }
func (stuck) Provider() string    { return "stuck" }
func (stuck) Live() bool          { return false }

func (s stuck) Send(context.Context, channels.Message) (channels.Ack, error) {
	s.called.Add(1)
	<-s.release
	return channels.Ack{}, nil
}

func (s stuck) Close() error {
	<-s.release
	return nil
}

// TestStopIsBounded stops a gateway whose provider, whose driver and whose
// client hang all at once.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	s := stuck{new(atomic.Int32), make(chan struct{})}
	t.Cleanup(func() { close(s.release) })
	o := muteOptions(t, t.TempDir())
	o.Config.Channels = []config.Channel{{Driver: "stuck"}}
	o.Drivers = []channels.Driver{{Name: "stuck", Kind: channels.App, Open: func(func(any) error, channels.Deps) (any, error) { return s, nil }}}
	var err error
	if o.Listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.Audience.Add(t.Context(), time.Now(), []audience.Endpoint{{
		Kind: channels.App, Commune: "07192", Language: "vi", Address: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", Basis: audience.Duty,
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	<-g.Started()
	inForceRequested(t, g)
	for end := time.Now().Add(20 * time.Second); s.called.Load() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was ever sent")
		}
	}
	client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", o.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	const half = "POST /api/v1/alerts HTTP/1.1\r\nHost: loa\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
	if _, err := client.Write([]byte(half)); err != nil {
		t.Fatal(err)
	}

	stop()
	closed := make(chan error, 1)
	go func() {
		if err := <-ended; err != nil {
			closed <- err
			return
		}
		closed <- g.Close()
	}()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the gateway still stops after 5 s")
	}
}

// inForceRequested stores an approved alert that is to be sent to Cô Tô.
func inForceRequested(t *testing.T, g *Gateway) {
	t.Helper()
	last, err := g.Audience.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	inForce(t, g, "a1", nil, dispatch.Request{
		Key: "a1", Alert: "a1", Revision: 1, Cause: dispatch.Approved, Areas: []area.Code{"07192"}, Kinds: []channels.Kind{channels.App}, Snapshot: last,
	})
	g.stored()
}
