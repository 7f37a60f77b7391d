// Package standin is a crowd of app installs for demonstrations and tests:
// real WebSockets, real signatures, and books of what each install was shown.
// It imports nothing of Loa and speaks only the documented protocol, so that
// its books are evidence.
package standin

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Options describe a crowd.
type Options struct {
	URL       string               // ws://host/channels/hub/ws
	Origin    string               // the Origin header; none when empty
	Seed      string               // the installs' keys follow from it
	Language  string               // asked for in the hello; every language when empty
	Communes  func(i int) []string // what install i listens to
	Anonymous func(i int) bool     // without a key and so without acknowledgements; nobody when nil
	Confirms  func(i int) bool     // whose person presses the button at once; nobody when nil
	Deaf      func(i int) bool     // says hello and never reads a byte; nobody when nil
	Parallel  int                  // connections being opened at once; 16 when zero
	Books     io.Writer            // gets a JSON line for every welcome and alert that an install got; none when nil
	Pause     time.Duration        // longest random wait before the first return, doubling up to 16 times; 1 s when zero
}

// Crowd is a number of installs.
type Crowd struct {
	opts      Options
	door      chan struct{}
	connected atomic.Int64
	dials     atomic.Int64
	broken    atomic.Int64

	mu       sync.Mutex
	installs map[int]*install

	writing sync.Mutex
	failed  error
}

// New makes a crowd that has not connected yet.
func New(o Options) *Crowd {
	if o.Parallel == 0 {
		o.Parallel = 16
	}
	if o.Pause == 0 {
		o.Pause = time.Second
	}
	return &Crowd{opts: o, door: make(chan struct{}, o.Parallel), installs: map[int]*install{}}
}

// Key is the address of install i: its Ed25519 public key in base64url.
func (c *Crowd) Key(i int) string {
	return b64.EncodeToString(c.private(i).Public().(ed25519.PublicKey))
}

func (c *Crowd) private(i int) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("app stand-in " + c.opts.Seed + " " + strconv.Itoa(i)))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Run keeps installs 0 to n-1 connected until ctx ends. A connection that
// closes is opened again after a random wait.
func (c *Crowd) Run(ctx context.Context, n int) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { c.install(i).live(ctx) })
	}
	all.Wait()
}

// Connected counts installs that were welcomed and are connected now.
func (c *Crowd) Connected() int { return int(c.connected.Load()) }

// Dials counts the connections opened so far.
func (c *Crowd) Dials() int { return int(c.dials.Load()) }

// Broken counts frames that did not keep to the protocol.
func (c *Crowd) Broken() int { return int(c.broken.Load()) }

// Entry is one message that one install was shown.
type Entry struct {
	Install  int
	Alert    string
	Revision int
	Language string
	Copies   int       // how often it came; 1 when all is well
	First    time.Time // when it came first
	Stored   bool      // the hub said that an acknowledgement is durable
	InForce  bool      // as of the last welcome, or it came since
}

// Books iterates over everything the installs were shown.
func (c *Crowd) Books() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		c.mu.Lock()
		all := make([]*install, 0, len(c.installs))
		for _, in := range c.installs {
			all = append(all, in)
		}
		c.mu.Unlock()
		for _, in := range all {
			for _, e := range in.entries() {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// frameLine is a line of Options.Books.
type frameLine struct {
	At       time.Time `json:"at"`
	Mono     int64     `json:"mono"` // of the machine's monotonic clock, nanoseconds
	Install  int       `json:"install"`
	Kind     string    `json:"kind"` // welcome or alert
	Alert    string    `json:"alert,omitempty"`
	Revision int       `json:"revision,omitempty"`
	Language string    `json:"language,omitempty"`
}

// enter writes a frame into the books.
func (c *Crowd) enter(l frameLine) {
	if c.opts.Books == nil {
		return
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	l.At, l.Mono = time.Now().UTC(), ts.Nano()
	line, failed := json.Marshal(l)
	if err = errors.Join(err, failed); err == nil {
		_, err = c.opts.Books.Write(append(line, '\n'))
	}
	c.failed = errors.Join(c.failed, err)
}

// BooksErr is what writing Options.Books met.
func (c *Crowd) BooksErr() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.failed
}

// Repeats counts the copies beyond the first.
func (c *Crowd) Repeats() int {
	n := 0
	for e := range c.Books() {
		n += e.Copies - 1
	}
	return n
}

func (c *Crowd) install(i int) *install {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.installs[i]
	if in == nil {
		in = &install{crowd: c, number: i, key: c.private(i), shown: map[id]*Entry{}}
		c.installs[i] = in
	}
	return in
}

var b64 = base64.RawURLEncoding
