package webpush

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	lookupLimit = 3 * time.Second
	lookupKeep  = 30 * time.Second
	maxLookups  = 256
)

// special lists the ranges no push service can live in, beyond those package
// netip already knows (IANA special-purpose address registries): shared and
// benchmark space, documentation, reserved space, and the IPv6 forms that
// carry an IPv4 address inside.
var special = func() []netip.Prefix {
	var ps []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
		"3fff::/20", "5f00::/16", "fec0::/10",
	} {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}()

var errNotPublic = errors.New("webpush: push service's name leads to an address that is not public")

func isPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// dialer connects to push services and to nothing else. A name is resolved
// once, every address of the answer must be public, and the address that was
// checked is the address that is dialled: an answer that changes between check
// and connection changes nothing. Only hostport, the admitted origin of a
// drill or demo, is dialled unchecked.
type dialer struct {
	hostport string // "127.0.0.1:8090", or empty
	lookup   func(ctx context.Context, host string) ([]netip.Addr, error)
	connect  func(ctx context.Context, network, address string) (net.Conn, error)
	limit    time.Duration // for one connection attempt
	now      func() time.Time

	mu    sync.Mutex
	known map[string]answer
}

type answer struct {
	addrs []netip.Addr
	at    time.Time
}

func newDialer(hostport string, limit time.Duration, now func() time.Time) *dialer {
	var d net.Dialer
	return &dialer{
		hostport: hostport,
		lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
		connect: d.DialContext,
		limit:   limit,
		now:     now,
		known:   map[string]answer{},
	}
}

// dial has the form of http.Transport's DialContext.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit+d.limit)
	defer cancel()
	if d.hostport != "" && address == d.hostport {
		return d.connect(ctx, network, address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "443" {
		return nil, errors.New("webpush: only port 443 of a push service may be dialled")
	}
	addrs, err := d.resolve(ctx, strings.ToLower(host))
	if err != nil {
		return nil, err
	}
	err = errors.New("webpush: push service has no address")
	for _, a := range addrs {
		var c net.Conn
		attempt, cancel := context.WithTimeout(ctx, d.limit)
		c, err = d.connect(attempt, network, net.JoinHostPort(a.String(), port))
		cancel()
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}

func (d *dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	now := d.now()
	d.mu.Lock()
	a, ok := d.known[host]
	d.mu.Unlock()
	if age := now.Sub(a.at); ok && age >= 0 && age < lookupKeep {
		return a.addrs, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	addrs, err := d.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("webpush: resolve push service: %w", err)
	}
	for i, a := range addrs {
		if !isPublic(a) {
			return nil, errNotPublic
		}
		addrs[i] = a.Unmap()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.known) >= maxLookups {
		clear(d.known)
	}
	d.known[host] = answer{addrs: addrs, at: now}
	return addrs, nil
}
