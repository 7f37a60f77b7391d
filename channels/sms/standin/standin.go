// Package standin is a carrier that sends nothing: an independent server that
// speaks the Messages part of Twilio's HTTP API of 2010-04-01, throttles,
// refuses and breaks as a real carrier does, signs its status callbacks, and
// keeps its own books of what it took and what became of it.
//
// It shares no code with the driver it is used to prove, and must import
// nothing of Loa: an error in one must not hide an error in the other.
package standin

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Options says how the carrier behaves. The zero value of every field but the
// credentials is a carrier that takes and delivers everything at once.
type Options struct {
	AccountSID string // "AC" and 32 hexadecimal digits; required
	AuthToken  string // required; signs the callbacks too

	Rate       float64       // messages a second before 429 with code 20429; 0 means no limit
	Burst      int           // messages above the rate taken at once; at least 1 when Rate is set
	RetryAfter time.Duration // sent with a 429 in whole seconds; 0 sends no header

	Seed uint64  // decides which numbers are bad and which requests break
	Bad  float64 // share of numbers that are bad on purpose, 0 to 1; see Verdict

	// Templates are the registered texts as regular expressions that must match
	// a whole body. A body that none matches comes to code 30007. None
	// registered means that every body is taken.
	Templates        []string
	RefuseAtCreation bool // unregistered bodies are refused at once instead of failing later

	Fault Fault   // what breaks, see the constants; Break changes it later
	Share float64 // share of requests that break, 0 to 1

	Drain float64 // messages a second that leave the carrier's queue; 0: they leave at once
	Queue int     // messages that wait in it before code 21611; 0: without bound

	Callbacks Callbacks
	BooksFile string // JSON lines, appended and fsynced before an answer; empty keeps the books in memory only

	Now func() time.Time // time.Now when nil
}

// Stats counts what the carrier saw since it started.
type Stats struct {
	Requests  int64 // attempts to create a message, whatever the answer
	Accepted  int64 // messages taken
	Throttled int64 // answered 429
	Refused   int64 // answered 4xx for what they held
	Broken    int64 // requests that met the fault switched on
	Called    int64 // callbacks answered 2xx
	Undone    int64 // callbacks given up
	Deepest   int64 // most messages that waited in the queue
	Poured    int64 // octets of endless answers that were written
}

// Carrier is an http.Handler. Close stops its callbacks and closes its books.
type Carrier struct {
	opt       Options
	templates []*regexp.Regexp
	limit     *rate.Limiter
	books     *Books
	caller    *caller
	mux       *http.ServeMux
	broken    atomic.Pointer[Faults]
	drawn     atomic.Uint64
	queue     queue
	met       sync.Map // numbers that met a code of Faults.Once
	done      chan struct{}
	closeOnce sync.Once
	closeErr  error

	requests, accepted, throttled, refused, hit, poured atomic.Int64
}

var accountForm = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)

// New opens the books and returns a carrier ready to serve.
func New(opt Options) (*Carrier, error) {
	if !accountForm.MatchString(opt.AccountSID) {
		return nil, fmt.Errorf("account_sid: must be AC and 32 hexadecimal digits")
	}
	if opt.AuthToken == "" {
		return nil, fmt.Errorf("auth_token: missing")
	}
	for name, share := range map[string]float64{"bad": opt.Bad, "share": opt.Share} {
		if math.IsNaN(share) || share < 0 || share > 1 {
			return nil, fmt.Errorf("%s: %v is not a share from 0 to 1", name, share)
		}
	}
	if _, err := ParseFault(string(opt.Fault)); err != nil {
		return nil, err
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c := &Carrier{opt: opt, done: make(chan struct{})}
	for i, t := range opt.Templates {
		re, err := regexp.Compile(`(?s)\A(?:` + t + `)\z`)
		if err != nil {
			return nil, fmt.Errorf("template %d: %w", i+1, err)
		}
		c.templates = append(c.templates, re)
	}
	if opt.Rate > 0 {
		c.limit = rate.NewLimiter(rate.Limit(opt.Rate), max(opt.Burst, 1))
	}
	c.queue = queue{drain: opt.Drain, most: opt.Queue, at: opt.Now()}
	c.Break(opt.Fault, opt.Share)
	books, err := openBooks(opt.BooksFile)
	if err != nil {
		return nil, err
	}
	c.books = books
	c.caller = newCaller(opt)
	c.mux = c.routes()
	return c, nil
}

// ServeHTTP answers one call of the API.
func (c *Carrier) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// Break switches a fault on for a share of the requests that follow;
// FaultNone mends the carrier.
func (c *Carrier) Break(f Fault, share float64) { c.broken.Store(&Faults{Fault: f, Share: share}) }

// Books are the carrier's own record. They may be read while it serves.
func (c *Carrier) Books() *Books { return c.books }

// Settled waits until every callback was made or given up.
func (c *Carrier) Settled(ctx context.Context) error { return c.caller.settled(ctx) }

// Stats returns the counts so far.
func (c *Carrier) Stats() Stats {
	return Stats{
		Requests: c.requests.Load(), Accepted: c.accepted.Load(), Throttled: c.throttled.Load(),
		Refused: c.refused.Load(), Broken: c.hit.Load(), Deepest: c.queue.deepest(), Poured: c.poured.Load(),
		Called: c.caller.called.Load(), Undone: c.caller.undone.Load(),
	}
}

// Close ends the callbacks, those still waiting unsent, lets hanging requests
// go, and closes the books. It returns the first error the books met.
func (c *Carrier) Close() error {
	c.closeOnce.Do(func() {
		close(c.done)
		c.caller.close()
		c.closeErr = c.books.close()
	})
	return c.closeErr
}

// registered reports whether a text is one the carrier was told of.
func (c *Carrier) registered(body string) bool {
	if len(c.templates) == 0 {
		return true
	}
	for _, t := range c.templates {
		if t.MatchString(body) {
			return true
		}
	}
	return false
}
