// Package webpush sends messages to browsers through their push services: the
// Voluntary Application Server Identification of RFC 8292, the encryption of
// RFC 8291, the request of RFC 8030. It knows subscriptions and push services
// only, never alerts, people or storage, and it imports no room of gateway.
package webpush

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"loa/channels"
)

// Driver describes the "vapid" provider of the web push channel.
func Driver() channels.Driver {
	return channels.Driver{
		Name: "vapid",
		Kind: channels.WebPush,
		Open: func(decode func(any) error, d channels.Deps) (any, error) {
			var c Config
			if err := decode(&c); err != nil {
				return nil, fmt.Errorf("webpush: configuration: %w", err)
			}
			return Open(c, d)
		},
	}
}

// Config is the driver's section of the configuration.
type Config struct {
	Subject     string          `yaml:"subject"`     // mailto: or https: contact, shown to the push services (RFC 8292 section 2.1)
	PrivateKey  channels.Secret `yaml:"private_key"` // P-256, 32 bytes in base64url
	Hosts       []string        `yaml:"hosts"`       // push services admitted; DefaultHosts when empty
	Concurrency int             `yaml:"concurrency"` // connections kept per push service without HTTP/2; 64 when zero

	ConnectTimeout time.Duration `yaml:"connect_timeout"` // one connection attempt and one TLS handshake; 3 s when zero
	Timeout        time.Duration `yaml:"timeout"`         // one whole call; 10 s when zero
}

func (c *Config) complete() error {
	u, err := url.Parse(c.Subject)
	mail := err == nil && u.Scheme == "mailto" && strings.Contains(u.Opaque, "@")
	if page := err == nil && u.Scheme == "https" && u.Host != ""; !mail && !page {
		return errors.New("subject: want a mailto: or https: contact that the push services can use")
	}
	if len(c.Hosts) == 0 {
		c.Hosts = DefaultHosts()
	}
	if err := checkHosts(c.Hosts); err != nil {
		return err
	}
	if c.Concurrency == 0 {
		c.Concurrency = 64
	}
	if c.Concurrency < 1 || c.Concurrency > 256 {
		return errors.New("concurrency: want 1 to 256")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 3 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.ConnectTimeout < 0 || c.Timeout < c.ConnectTimeout {
		return errors.New("timeout: must be positive and not below connect_timeout")
	}
	return nil
}

// Sender posts to push services. It is live unless it was opened for a drill
// or demo, and then it reaches the admitted origin only.
type Sender struct {
	config Config
	origin string // the admitted origin, empty when live
	signer *signer
	http   *http.Transport
	now    func() time.Time
	did    *counts
}

// Open checks the configuration and makes a Sender. It does not dial.
func Open(c Config, d channels.Deps) (*Sender, error) {
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	hostport, err := originHostport(d.Origin)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	sign, err := newSigner(c.PrivateKey, c.Subject, d.Now)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	c.PrivateKey = "" // the signer has it
	dial := newDialer(hostport, c.ConnectTimeout, d.Now)
	did := &counts{}
	return &Sender{config: c, origin: d.Origin, signer: sign, http: newTransport(c, dial, did), now: d.Now, did: did}, nil
}

func newTransport(c Config, d *dialer, did *counts) *http.Transport {
	return &http.Transport{ // no proxy: it would dial for us, unchecked
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := d.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			did.connections.Add(1)
			return gather(&counted{Conn: conn, did: did}), nil
		},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		TLSHandshakeTimeout:    c.ConnectTimeout,
		MaxResponseHeaderBytes: 16 << 10,
		MaxIdleConnsPerHost:    c.Concurrency,
		IdleConnTimeout:        90 * time.Second,
		// Every path is new and long: in the table of known headers it only
		// drives out the others, at a cost.
		HTTP2: &http.HTTP2Config{MaxEncoderHeaderTableSize: 1},
	}
}

// originHostport returns what the transport dials for an origin.
func originHostport(origin string) (string, error) {
	if origin == "" {
		return "", nil
	}
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Scheme+"://"+u.Host != origin || u.Hostname() == "" {
		return "", errors.New("admitted origin: want scheme://host[:port] and nothing after it")
	}
	switch {
	case u.Port() != "":
		return u.Host, nil
	case u.Scheme == "http":
		return u.Host + ":80", nil
	default:
		return u.Host + ":443", nil
	}
}

// Kind is channels.WebPush.
func (s *Sender) Kind() channels.Kind { return channels.WebPush }

// Provider is "vapid".
func (s *Sender) Provider() string { return "vapid" }

// Live reports whether real push services can be reached.
func (s *Sender) Live() bool { return s.origin == "" }

// String names the driver; a Sender holds its key and prints nothing of it.
func (s *Sender) String() string { return "vapid" }

// GoString is String.
func (s *Sender) GoString() string { return "vapid" }

// PublicKey is the application server key that browsers subscribe with,
// base64url.
func (s *Sender) PublicKey() string { return s.signer.public }

// Parse checks an address against this sender's push services.
func (s *Sender) Parse(address string) (Subscription, error) {
	return ParseSubscription(address, s.config.Hosts, s.origin)
}

// Close drops idle connections.
func (s *Sender) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// Send encrypts the body for the subscription and posts it once. It follows no
// redirect and gives no provider reference: a push message's own URL (RFC 8030
// section 5) is a capability that nothing here uses.
func (s *Sender) Send(ctx context.Context, m channels.Message) (channels.Ack, error) {
	if m.Status == channels.StatusUnset {
		return channels.Ack{}, refuse(channels.FaultContent, "status: must be set")
	}
	if len(m.Body) == 0 || len(m.Body) > MaxBody {
		return channels.Ack{}, refuse(channels.FaultContent, fmt.Sprintf("body: want 1 to %d bytes", MaxBody))
	}
	left := m.Expires.Sub(s.now())
	if left <= 0 {
		return channels.Ack{}, refuse(channels.FaultTransient, "expires: already past, nothing was sent")
	}
	to, err := s.Parse(m.To.Reveal())
	if err != nil {
		return channels.Ack{}, &channels.Error{Fault: channels.FaultAddress, Err: err}
	}
	sealed, err := encrypt(m.Body, to)
	if err != nil {
		return channels.Ack{}, &channels.Error{Fault: channels.FaultTransient, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	req, body, err := s.request(ctx, m, to, sealed, left)
	if err != nil {
		return channels.Ack{}, &channels.Error{Fault: channels.FaultTransient, Err: err}
	}
	resp, err := s.http.RoundTrip(req)
	if err != nil {
		fault := channels.FaultAmbiguous
		if body.abandon() {
			fault = channels.FaultTransient
		}
		s.did.answered(0)
		return channels.Ack{}, &channels.Error{Fault: fault, Err: plain(err)}
	}
	if 0 <= resp.ContentLength && resp.ContentLength <= drainMax {
		_, _ = io.Copy(io.Discard, resp.Body) // only so that the connection can be used again
	}
	_ = resp.Body.Close() // the status has already answered
	s.did.answered(resp.StatusCode)
	return classify(resp, s.now())
}

const (
	drainMax = 4 << 10
	ttlMax   = 28 * 24 * time.Hour // the longest that any large push service keeps a message
)

func (s *Sender) request(ctx context.Context, m channels.Message, to Subscription, sealed []byte, left time.Duration) (*http.Request, *onceBody, error) {
	auth, err := s.signer.header(to.Origin)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.Endpoint, nil)
	if err != nil {
		return nil, nil, errors.New("webpush: endpoint: no request can be made to it")
	}
	urgency := "normal"
	if m.Urgent {
		urgency = "high"
	}
	req.Header = http.Header{
		"Authorization":    {auth},
		"Content-Encoding": {"aes128gcm"},
		"Content-Type":     {"application/octet-stream"},
		"Ttl":              {strconv.FormatInt(int64(min(left, ttlMax)/time.Second), 10)},
		"Topic":            {topic(m)},
		"Urgency":          {urgency},
		"User-Agent":       {"loa"},
	}
	body := &onceBody{}
	open := func() (io.ReadCloser, error) { return &bodyReader{once: body, r: bytes.NewReader(sealed)}, nil }
	req.Body, _ = open()
	req.GetBody = open
	req.ContentLength = int64(len(sealed))
	return req, body, nil
}

var topicForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,32}$`)

// topic folds waiting copies at the push service (RFC 8030 section 5.4): at most
// 32 characters of base64url. It is the tag of the body, which an alert shares
// with what takes its place, so that a device which was away gets the last word
// alone; a body without one goes by its alert.
func topic(m channels.Message) string {
	var body struct {
		Tag string `json:"tag"`
	}
	if json.Unmarshal(m.Body, &body) == nil && topicForm.MatchString(body.Tag) {
		return body.Tag
	}
	sum := sha256.Sum256([]byte(m.Alert))
	return b64.EncodeToString(sum[:24])
}

func refuse(f channels.Fault, text string) error {
	return &channels.Error{Fault: f, Err: errors.New("webpush: " + text)}
}

// onceBody knows whether the transport ever took a byte of the request body.
// Without its body a push request is incomplete and cannot have been accepted,
// whatever failed; after the first byte nothing is certain.
type onceBody struct{ state atomic.Uint32 }

const (
	bodyUntouched = iota
	bodyTaken
	bodyAbandoned
)

// abandon reports whether the body was never taken, and makes sure that it
// never will be.
func (o *onceBody) abandon() bool {
	return o.state.CompareAndSwap(bodyUntouched, bodyAbandoned)
}

type bodyReader struct {
	once *onceBody
	r    *bytes.Reader
}

func (b *bodyReader) Read(p []byte) (int, error) {
	if !b.once.state.CompareAndSwap(bodyUntouched, bodyTaken) && b.once.state.Load() == bodyAbandoned {
		return 0, errors.New("webpush: call given up before it began")
	}
	return b.r.Read(p)
}

func (b *bodyReader) Close() error { return nil }

var (
	_ channels.Sender = (*Sender)(nil)
	_ io.Closer       = (*Sender)(nil)
)
