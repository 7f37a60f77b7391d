package sms

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twilio/twilio-go/client"

	"loa/channels"
)

const (
	connectTimeout = 3 * time.Second
	idleTimeout    = 15 * time.Second // shorter than the carrier's: a connection it has closed makes a send ambiguous
	maxAnswer      = 64 << 10
	maxRetryAfter  = 5 * time.Minute // no answer can stop the channel for longer
)

// newClient returns a client with a pool of its own. It keeps to HTTP/1.1, one
// call a connection, so that the pool is the concurrency and a broken
// connection costs one call; it neither follows redirects nor unpacks answers.
func newClient(concurrency int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout:    connectTimeout,
			MaxConnsPerHost:        concurrency,
			MaxIdleConnsPerHost:    concurrency,
			IdleConnTimeout:        idleTimeout,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call is one request of the library's, with the context it has no room for.
// Every error it returns is a *channels.Error.
type call struct {
	ctx   context.Context
	s     *sender
	limit int64 // octets of an answer; maxAnswer when zero
}

var _ client.BaseClient = (*call)(nil)

// AccountSid is the account that paths name.
func (c *call) AccountSid() string { return c.s.cfg.AccountSID }

// SetTimeout does nothing: the context holds the deadline.
func (c *call) SetTimeout(time.Duration) {}

// SetOauth does nothing: calls carry the auth token.
func (c *call) SetOauth(client.OAuth) {}

// OAuth is nil: calls carry the auth token.
func (c *call) OAuth() client.OAuth { return nil }

// SendRequest makes the call at the configured origin and returns an answer of
// 2xx, read whole.
func (c *call) SendRequest(method, rawURL string, data url.Values, headers map[string]any, _ ...byte) (*http.Response, error) {
	var connected atomic.Bool
	ctx := httptrace.WithClientTrace(c.ctx, &httptrace.ClientTrace{
		GetConn: func(string) { connected.Store(false) }, // again only if nothing was written
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := c.request(ctx, method, rawURL, data, headers)
	if err != nil {
		return nil, &channels.Error{Fault: channels.FaultProvider, Err: errors.New("request cannot be built")}
	}
	res, err := c.s.http.Do(req)
	if err != nil {
		return nil, broken(c.ctx, err, connected.Load())
	}
	limit := cmp.Or(c.limit, maxAnswer)
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	_ = res.Body.Close() // what is left of an endless answer is dropped with its connection
	if res.StatusCode/100 != 2 {
		return nil, refused(res, body, c.s.deps.Now())
	}
	if err != nil {
		return nil, broken(c.ctx, err, true)
	}
	if int64(len(body)) > limit {
		return nil, &channels.Error{Fault: channels.FaultAmbiguous, Err: fmt.Errorf("answer is over %d KiB", limit>>10)}
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

func (c *call) request(ctx context.Context, method, rawURL string, data url.Values, headers map[string]any) (*http.Request, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = c.s.base.Scheme, c.s.base.Host
	form := data.Encode()
	if method != http.MethodPost {
		u.RawQuery, form = form, ""
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	for name, value := range headers {
		req.Header.Set(name, fmt.Sprint(value))
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "loa")
	req.SetBasicAuth(c.s.cfg.AccountSID, c.s.cfg.AuthToken.Reveal())
	return req, nil
}

// broken tells of a call that got no whole answer. Before a connection was
// had, nothing was written; after that nobody knows, and the error's own text
// is dropped, since a hostile peer can make it quote our request.
func broken(ctx context.Context, err error, connected bool) *channels.Error {
	var errno syscall.Errno
	switch {
	case !connected:
		if urlErr, ok := errors.AsType[*url.Error](err); ok {
			err = urlErr.Err // its text without the URL
		}
		return &channels.Error{Fault: channels.FaultTransient, Err: fmt.Errorf("no connection: %w", err)}
	case ctx.Err() != nil:
		return &channels.Error{Fault: channels.FaultAmbiguous, Err: fmt.Errorf("no whole answer: %w", ctx.Err())}
	case errors.As(err, &errno):
		return &channels.Error{Fault: channels.FaultAmbiguous, Err: fmt.Errorf("no whole answer: %w", errno)}
	default:
		return &channels.Error{Fault: channels.FaultAmbiguous, Err: errors.New("no whole answer: connection broke or spoke no HTTP")}
	}
}

// refused reads an answer that is not a success. Only Twilio's code is taken
// from it: its text may quote the number.
func refused(res *http.Response, body []byte, now time.Time) *channels.Error {
	var answer struct {
		Code int `json:"code"`
	}
	code := 0
	if json.Unmarshal(body, &answer) == nil {
		code = answer.Code
	}
	p := classify(res.StatusCode, code)
	wait := retryAfter(res.Header.Get("Retry-After"), now)
	if wait == 0 {
		wait = p.Wait
	}
	return &channels.Error{
		Fault: p.Fault, Account: p.Account, RetryAfter: wait, Code: codeText(code),
		Err: fmt.Errorf("HTTP status %d", res.StatusCode),
	}
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3), at most five minutes; zero
// when there is none.
func retryAfter(header string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if n, err := strconv.ParseUint(header, 10, 31); err == nil {
		wait = time.Duration(n) * time.Second // #nosec G115 -- 31 bits
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
