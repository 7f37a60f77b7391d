package standin

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- the signature Twilio prescribes
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Callbacks says how status callbacks are made.
type Callbacks struct {
	Workers int           // calls at once; 8 when 0
	Retries int           // further calls after one that was not answered 2xx; 8 when 0, none when negative
	Backoff time.Duration // before the first retry, then doubled up to 5 s; 250 ms when 0
	Delay   time.Duration // between taking a message and reporting its end
	Chaos   bool          // reports come in reverse, and some several times
	Client  *http.Client  // a client of the carrier's own when nil
}

const maxBackoff = 5 * time.Second

// report is one status callback.
type report struct {
	url    string
	entry  Entry
	status string
	tries  int
}

func (r report) params(account string) url.Values {
	p := url.Values{
		"AccountSid": {account}, "ApiVersion": {"2010-04-01"}, "From": {r.entry.From}, "To": {r.entry.To},
		"MessageSid": {r.entry.SID}, "SmsSid": {r.entry.SID}, "MessageStatus": {r.status}, "SmsStatus": {r.status},
	}
	if r.entry.Code != 0 && r.status == r.entry.Status {
		p.Set("ErrorCode", strconv.Itoa(r.entry.Code))
	}
	return p
}

// caller makes the callbacks: a queue without bound, as a carrier has, worked
// off by a bounded number of workers.
type caller struct {
	opt     Callbacks
	account string
	token   []byte
	seed    uint64
	ctx     context.Context
	cancel  context.CancelFunc
	idle    *http.Transport // ours to close, nil when a client was given

	mu      sync.Mutex
	ready   *sync.Cond
	queue   []report
	open    int // reports queued, waiting for a retry, or being made
	closed  bool
	workers sync.WaitGroup
	quiet   chan struct{} // closed when open falls to 0; nil when nobody waits

	called, undone atomic.Int64
	drawn          atomic.Uint64
}

func newCaller(o Options) *caller {
	opt := o.Callbacks
	if opt.Workers <= 0 {
		opt.Workers = 8
	}
	if opt.Retries == 0 {
		opt.Retries = 8
	}
	if opt.Backoff <= 0 {
		opt.Backoff = 250 * time.Millisecond
	}
	c := &caller{opt: opt, account: o.AccountSID, token: []byte(o.AuthToken), seed: o.Seed}
	if opt.Client == nil {
		c.idle = &http.Transport{MaxConnsPerHost: opt.Workers, MaxIdleConnsPerHost: opt.Workers, IdleConnTimeout: 10 * time.Second}
		c.opt.Client = &http.Client{
			Transport: c.idle, Timeout: 15 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	c.ctx, c.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // callbacks belong to no request; Close ends them
	c.ready = sync.NewCond(&c.mu)
	for range opt.Workers {
		c.workers.Go(c.work)
	}
	return c
}

// report queues the statuses of one message after a wait, in order unless chaos
// is wanted.
func (c *caller) report(wait time.Duration, rs ...report) {
	if c.opt.Chaos {
		slices.Reverse(rs)
		for range mix(c.seed, c.drawn.Add(1)) % 3 {
			rs = append(rs, rs[0])
		}
	}
	c.mu.Lock()
	c.open += len(rs)
	c.mu.Unlock()
	if wait += c.opt.Delay; wait > 0 {
		time.AfterFunc(wait, func() { c.enqueue(rs...) })
		return
	}
	c.enqueue(rs...)
}

func (c *caller) enqueue(rs ...report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, rs...)
	c.ready.Broadcast()
}

func (c *caller) work() {
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && !c.closed {
			c.ready.Wait()
		}
		if c.closed {
			c.mu.Unlock()
			return
		}
		r := c.queue[0]
		c.queue = c.queue[1:]
		c.mu.Unlock()
		c.make(r)
	}
}

// make calls once and settles the report or puts it off.
func (c *caller) make(r report) {
	status := c.call(r)
	switch {
	case status/100 == 2:
		c.called.Add(1)
	case status/100 == 4 && status != http.StatusTooManyRequests, r.tries >= c.opt.Retries:
		c.undone.Add(1)
	default:
		wait := min(c.opt.Backoff<<min(r.tries, 10), maxBackoff)
		r.tries++
		time.AfterFunc(wait, func() { c.enqueue(r) })
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.open == 0 && c.quiet != nil {
		close(c.quiet)
		c.quiet = nil
	}
}

// call returns the status of the answer, 0 when there was none.
func (c *caller) call(r report) int {
	params := r.params(c.account)
	req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, r.url, strings.NewReader(params.Encode()))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	req.Header.Set("User-Agent", "TwilioProxy/1.1")
	req.Header.Set("X-Twilio-Signature", sign(c.token, r.url, params))
	res, err := c.opt.Client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // only the status matters
	return res.StatusCode
}

// settled waits until no report is queued or being made.
func (c *caller) settled(ctx context.Context) error {
	c.mu.Lock()
	if c.open == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.quiet == nil {
		c.quiet = make(chan struct{})
	}
	quiet := c.quiet
	c.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *caller) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.ready.Broadcast()
	c.cancel()
	c.workers.Wait()
	if c.idle != nil {
		c.idle.CloseIdleConnections()
	}
}

// sign is Twilio's request signature: HMAC-SHA1 keyed by the auth token over
// the whole URL followed by every parameter's name and value, names sorted.
func sign(token []byte, url string, params url.Values) string {
	mac := hmac.New(sha1.New, token)
	_, _ = io.WriteString(mac, url) // a hash never fails
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		_, _ = io.WriteString(mac, name+params.Get(name))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
