package watch

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	connectTimeout = 3 * time.Second
	callTimeout    = 10 * time.Second
)

var errPlace = errors.New("the address is one of this machine or of its link, which only the origin of a drill or demo may be")

// newClient makes calls to the places of a configuration: no proxy of the
// environment, no redirect, bounded in time, and never to this machine or its
// link unless that is the origin.
func newClient(origin string) *http.Client {
	admitted := ""
	if u, err := url.Parse(origin); err == nil {
		admitted = u.Host
	}
	d := &net.Dialer{Timeout: connectTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("the address: %w", err)
		}
		ip := ap.Addr().Unmap()
		near := ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()
		if near && (admitted == "" || !sameHost(admitted, ap)) {
			return errPlace
		}
		return nil
	}}
	return &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: d.DialContext, TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: callTimeout,
			MaxIdleConns: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 16 << 10,
		},
	}
}

// sameHost reports whether the address dialled is the origin's.
func sameHost(origin string, dialled netip.AddrPort) bool {
	host, port, err := net.SplitHostPort(origin)
	if err != nil || port != fmt.Sprint(dialled.Port()) {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" && dialled.Addr().Unmap().IsLoopback() || err == nil && ip.Unmap() == dialled.Addr().Unmap()
}

// callError says why a call failed, without its URL.
func callError(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err
}
