package webpush

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"loa/channels"
)

// recorder is a network that connects nowhere and remembers who was dialled.
type recorder struct {
	mu     sync.Mutex
	dialed []string
}

var errNoRoute = errors.New("no route")

func (r *recorder) connect(_ context.Context, _, address string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dialed = append(r.dialed, address)
	return nil, errNoRoute
}

func addrs(ss ...string) []netip.Addr {
	var as []netip.Addr
	for _, s := range ss {
		as = append(as, netip.MustParseAddr(s))
	}
	return as
}

func TestDialOnlyPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, target string
		answer       []netip.Addr
		fails        error
		dialed       []string
	}{
		{name: "public", target: "fcm.googleapis.com:443", answer: addrs("142.250.1.1"), dialed: []string{"142.250.1.1:443"}},
		{name: "public IPv6", target: "fcm.googleapis.com:443", answer: addrs("2a00:1450::1"), dialed: []string{"[2a00:1450::1]:443"}},
		{name: "two public", target: "fcm.googleapis.com:443", answer: addrs("142.250.1.1", "142.250.1.2"), dialed: []string{"142.250.1.1:443", "142.250.1.2:443"}},
		{name: "admitted origin", target: "127.0.0.1:8090", dialed: []string{"127.0.0.1:8090"}},
		{name: "other port of the origin", target: "127.0.0.1:8091"},
		{name: "loopback", target: "web.push.apple.com:443", answer: addrs("127.0.0.1")},
		{name: "loopback IPv6", target: "web.push.apple.com:443", answer: addrs("::1")},
		{name: "mapped", target: "web.push.apple.com:443", answer: addrs("::ffff:10.0.0.1")},
		{name: "one private among public", target: "web.push.apple.com:443", answer: addrs("142.250.1.1", "192.168.1.1")},
		{name: "link-local, cloud metadata", target: "web.push.apple.com:443", answer: addrs("169.254.169.254")},
		{name: "link-local with a zone", target: "web.push.apple.com:443", answer: addrs("fe80::1%eth0")},
		{name: "carrier space", target: "web.push.apple.com:443", answer: addrs("100.64.0.1")},
		{name: "unspecified", target: "web.push.apple.com:443", answer: addrs("0.0.0.0")},
		{name: "this network", target: "web.push.apple.com:443", answer: addrs("0.1.2.3")},
		{name: "multicast", target: "web.push.apple.com:443", answer: addrs("224.0.0.1")},
		{name: "broadcast", target: "web.push.apple.com:443", answer: addrs("255.255.255.255")},
		{name: "unique local", target: "web.push.apple.com:443", answer: addrs("fd00::1")},
		{name: "IPv4 inside 6to4", target: "web.push.apple.com:443", answer: addrs("2002:7f00:1::1")},
		{name: "IPv4 inside NAT64", target: "web.push.apple.com:443", answer: addrs("64:ff9b::a00:1")},
		{name: "documentation", target: "web.push.apple.com:443", answer: addrs("203.0.113.5")},
		{name: "port 8443", target: "web.push.apple.com:8443", answer: addrs("142.250.1.1")},
		{name: "no address", target: "web.push.apple.com:443"},
		{name: "no such name", target: "web.push.apple.com:443", fails: &net.DNSError{Err: "no such host", IsNotFound: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var net recorder
			d := newDialer("127.0.0.1:8090", time.Second, time.Now)
			d.connect = net.connect
			d.lookup = func(context.Context, string) ([]netip.Addr, error) { return slices.Clone(c.answer), c.fails }
			if _, err := d.dial(t.Context(), "tcp", c.target); err == nil {
				t.Error("no error from a network that connects nowhere")
			}
			if !slices.Equal(net.dialed, c.dialed) {
				t.Errorf("dialled %v, want %v", net.dialed, c.dialed)
			}
		})
	}
}

// The name answers a public address when it is checked and a private one ever
// after: only the checked one may be dialled, and the private one never.
func TestDialPinsTheCheckedAddress(t *testing.T) {
	t.Parallel()
	var net recorder
	now := time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)
	lookups := 0
	d := newDialer("", time.Second, func() time.Time { return now })
	d.connect = net.connect
	d.lookup = func(context.Context, string) ([]netip.Addr, error) {
		if lookups++; lookups == 1 {
			return addrs("142.250.1.1"), nil
		}
		return addrs("127.0.0.1"), nil
	}
	for range 3 {
		_, _ = d.dial(t.Context(), "tcp", "fcm.googleapis.com:443")
		now = now.Add(lookupKeep / 2)
	}
	if want := []string{"142.250.1.1:443", "142.250.1.1:443"}; lookups != 2 || !slices.Equal(net.dialed, want) {
		t.Errorf("%d lookups, dialled %v; want 2 lookups and %v", lookups, net.dialed, want)
	}
}

// A resolver that never answers ends with the call's own limit.
func TestSlowResolverIsBounded(t *testing.T) {
	t.Parallel()
	var net recorder
	d := newDialer("", time.Millisecond, time.Now)
	d.connect = net.connect
	d.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("lookup has no deadline")
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := d.dial(ctx, "tcp", "fcm.googleapis.com:443"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline", err)
	}
	if len(net.dialed) != 0 {
		t.Errorf("dialled %v", net.dialed)
	}
}

// The whole way through a live Sender: a push service whose name answers a
// private address is never dialled, and the failure says nothing was sent.
func TestSendNeverDialsPrivate(t *testing.T) {
	t.Parallel()
	var net recorder
	c := Config{Subject: "mailto:truc-ban@example.vn", PrivateKey: testKey(t)}
	s, err := Open(c, channels.Deps{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if !s.Live() {
		t.Error("a sender without an admitted origin reaches real people")
	}
	d := newDialer("", time.Second, time.Now)
	d.connect = net.connect
	d.lookup = func(context.Context, string) ([]netip.Addr, error) { return addrs("10.1.2.3"), nil }
	s.http = newTransport(s.config, d, s.did)
	_, e := send(t, s, message(channels.Address(doc("https://fcm.googleapis.com/fcm/send/x", goodPoint, goodAuth))))
	if e == nil || e.Fault != channels.FaultTransient {
		t.Errorf("error %v, want transient", e)
	}
	_, e = send(t, s, message(channels.Address(doc("https://10.1.2.3/x", goodPoint, goodAuth))))
	if e == nil || e.Fault != channels.FaultAddress {
		t.Errorf("error %v, want address", e)
	}
	if len(net.dialed) != 0 {
		t.Errorf("dialled %v", net.dialed)
	}
}
