package webpush

import (
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"loa/channels"
)

const (
	maxEndpoint = 2048 // bytes; the longest seen in the field are near 700
	maxAddress  = 4096 // bytes of the whole address document
)

// DefaultHosts returns the push services of the common browsers: Chrome and
// its relatives, Firefox, Safari, Edge. "*." stands for one label or more.
func DefaultHosts() []string {
	return []string{
		"fcm.googleapis.com",
		"updates.push.services.mozilla.com",
		"web.push.apple.com",
		"*.push.apple.com",
		"*.notify.windows.com",
	}
}

// Subscription is one browser's push subscription, checked.
type Subscription struct {
	Endpoint string // where to post
	Origin   string // scheme and host of the endpoint; the audience of a VAPID token
	key      *ecdh.PublicKey
	point    []byte // key, uncompressed, 65 bytes
	auth     []byte // 16 bytes
}

// document is the form of an address: what a browser's PushSubscription gives,
// with the two keys taken out of their inner object.
type document struct {
	Endpoint string `json:"endpoint"`
	P256dh   string `json:"p256dh"`
	Auth     string `json:"auth"`
}

// Address returns the subscription's one canonical form, so that two copies of
// a subscription compare equal.
func (s Subscription) Address() channels.Address {
	b, _ := json.Marshal(document{s.Endpoint, b64.EncodeToString(s.point), b64.EncodeToString(s.auth)}) // three strings
	return channels.Address(b)
}

// ParseSubscription reads and checks an address document
// {"endpoint": URL, "p256dh": base64url, "auth": base64url}.
//
// With an empty origin the endpoint must be https on its default port at one
// of the hosts (exact names, or "*.suffix" for the names below it). With an
// origin, which is how a drill or a demo runs, the endpoint must have exactly
// that origin and nothing else is admitted. Errors name the field and the rule
// and never hold the address.
func ParseSubscription(address string, hosts []string, origin string) (Subscription, error) {
	if len(address) > maxAddress {
		return Subscription{}, fmt.Errorf("webpush: subscription: longer than %d bytes", maxAddress)
	}
	var d document
	if err := json.Unmarshal([]byte(address), &d); err != nil {
		return Subscription{}, errors.New("webpush: subscription: not a JSON object of endpoint, p256dh and auth")
	}
	s := Subscription{Endpoint: d.Endpoint}
	var err error
	if s.Origin, err = checkEndpoint(d.Endpoint, hosts, origin); err != nil {
		return Subscription{}, fmt.Errorf("webpush: endpoint: %w", err)
	}
	if s.point, err = decodeKey(d.P256dh); err != nil || len(s.point) != pointSize {
		return Subscription{}, fmt.Errorf("webpush: p256dh: not %d bytes of base64url", pointSize)
	}
	if s.key, err = ecdh.P256().NewPublicKey(s.point); err != nil {
		return Subscription{}, errors.New("webpush: p256dh: not a point on P-256")
	}
	if s.auth, err = decodeKey(d.Auth); err != nil || len(s.auth) != authSize {
		return Subscription{}, fmt.Errorf("webpush: auth: not %d bytes of base64url", authSize)
	}
	return s, nil
}

// checkEndpoint returns the endpoint's origin.
func checkEndpoint(endpoint string, hosts []string, origin string) (string, error) {
	if len(endpoint) > maxEndpoint {
		return "", fmt.Errorf("longer than %d bytes", maxEndpoint)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return "", errors.New("not an absolute URL")
	}
	if u.User != nil {
		return "", errors.New("must not hold user information")
	}
	if strings.Contains(endpoint, "#") {
		return "", errors.New("must not have a fragment")
	}
	own := u.Scheme + "://" + u.Host
	if origin != "" {
		if own != origin {
			return "", errors.New("is not at the one origin admitted in a drill or demo")
		}
		return own, nil
	}
	if u.Scheme != "https" {
		return "", errors.New("must be https")
	}
	if u.Host != u.Hostname() { // also refuses IPv6 brackets and an empty port
		return "", errors.New("must not name a port")
	}
	if !hostAllowed(u.Host, hosts) {
		return "", errors.New("is not at a known push service")
	}
	return own, nil
}

// hostAllowed compares label by label, so that neither a path, nor a longer
// name ending in the same letters, passes for a push service.
func hostAllowed(host string, hosts []string) bool {
	for _, h := range hosts {
		if suffix, ok := strings.CutPrefix(h, "*"); ok {
			if len(host) > len(suffix) && strings.HasSuffix(host, suffix) && host[0] != '.' {
				return true
			}
		} else if host == h {
			return true
		}
	}
	return false
}

func checkHosts(hosts []string) error {
	for _, h := range hosts {
		name := strings.TrimPrefix(h, "*.")
		_, err := netip.ParseAddr(name)
		if err == nil || !strings.Contains(name, ".") || strings.ContainsAny(name, "*:/@ ") ||
			strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || name != strings.ToLower(name) {
			return fmt.Errorf("hosts: %q: want a lower-case name such as push.example.org or *.example.org", h)
		}
	}
	return nil
}

// decodeKey reads base64url with or without padding, as browsers write both.
func decodeKey(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}
