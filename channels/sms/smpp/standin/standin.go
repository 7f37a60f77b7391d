// Package standin is a message centre that sends nothing: an independent server
// that speaks SMPP 3.4 on a TCP socket, throttles, refuses and breaks as a real
// one does, sends delivery receipts, and keeps its own books of what it took
// and what became of it.
//
// It has its own reading of the protocol, shares no code with the driver it is
// used to prove, and must import nothing of Loa: an error in one must not hide
// an error in the other.
package standin

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Options says how the centre behaves. The zero value of every field but the
// credentials is a centre that takes and delivers everything at once.
type Options struct {
	SystemID, Password string // required

	Rate  float64 // parts a second before 0x58; 0 means no limit
	Burst int     // parts above the rate taken at once; at least 1 when Rate is set

	Seed uint64  // decides which numbers are bad and which requests break
	Bad  float64 // share of numbers that are bad on purpose, 0 to 1; see Verdict

	Fault Fault   // what breaks, see the constants; Break changes it later
	Share float64 // share of parts that break, 0 to 1

	ReceiptDelay time.Duration // between taking a part and its receipt
	NoReceipts   bool
	TextReceipts bool // receipts without the optional parameters
	EarlyReceipt bool // the receipt comes before the answer to submit_sm

	BooksFile string // JSON lines, appended and fsynced before an answer; empty keeps the books in memory only

	Now func() time.Time // time.Now when nil
}

// A Fault is a way in which the centre breaks.
type Fault string

// The faults. The first four break after the part was taken, so that the sender
// cannot know; the others take nothing.
const (
	FaultNone    Fault = ""
	FaultHang    Fault = "accept-then-timeout" // takes the part, never answers
	FaultDrop    Fault = "accept-then-drop"    // takes the part, closes the connection
	FaultGarbage Fault = "garbage-after-accept"
	FaultSlow    Fault = "slow"        // takes the part, answers one octet a second
	FaultOutage  Fault = "outage"      // 0x08
	FaultFull    Fault = "full"        // 0x14
	FaultCut     Fault = "drop"        // closes the connection, nothing taken
	FaultLater   Fault = "later-parts" // takes first parts, refuses the others with 0x08
	FaultRevoked Fault = "revoked"     // refuses binds with 0x0E and drops who is bound
)

// ParseFault reads a Fault by its name.
func ParseFault(s string) (Fault, error) {
	switch f := Fault(s); f {
	case FaultNone, FaultHang, FaultDrop, FaultGarbage, FaultSlow, FaultOutage, FaultFull, FaultCut, FaultLater, FaultRevoked:
		return f, nil
	default:
		return "", fmt.Errorf("fault %q: not a fault of this centre", s)
	}
}

// Stats counts what the centre saw since it started.
type Stats struct {
	Binds     int64 // binds taken
	Unbound   int64 // binds refused
	Requests  int64 // submit_sm, whatever the answer
	Accepted  int64 // parts taken
	Throttled int64 // answered 0x58
	Refused   int64 // refused for what they held
	Broken    int64 // met the fault switched on
	Receipts  int64 // receipts acknowledged with 0
	Repeated  int64 // receipts the sender asked for again
}

type switched struct {
	fault Fault
	share float64
}

// Centre serves one listener. Close ends it.
type Centre struct {
	opt    Options
	limit  *rate.Limiter
	books  *Books
	broken atomic.Pointer[switched]
	drawn  atomic.Uint64
	work   sync.WaitGroup
	quit   chan struct{}
	end    sync.Once

	mu       sync.Mutex
	closed   bool
	listener net.Listener
	bound    []*conn  // oldest first
	due      []report // receipts that nobody was bound for

	binds, unbound, requests, accepted, throttled, refused, met, acknowledged, repeated atomic.Int64
}

// New opens the books.
func New(opt Options) (*Centre, error) {
	if opt.SystemID == "" || opt.Password == "" {
		return nil, errors.New("system_id and password: required")
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
	c := &Centre{opt: opt, quit: make(chan struct{})}
	if opt.Rate > 0 {
		c.limit = rate.NewLimiter(rate.Limit(opt.Rate), max(opt.Burst, 1))
	}
	c.Break(opt.Fault, opt.Share)
	var err error
	c.books, err = openBooks(opt.BooksFile)
	return c, err
}

// Serve takes connections until Close; it then returns nil.
func (c *Centre) Serve(l net.Listener) error {
	c.mu.Lock()
	c.listener = l
	if c.closed {
		c.mu.Unlock()
		return l.Close()
	}
	c.work.Add(1) // before Close can wait
	defer c.work.Done()
	c.mu.Unlock()
	for {
		raw, err := l.Accept()
		if err != nil {
			select {
			case <-c.quit:
				return nil
			default:
				return err
			}
		}
		c.work.Go(func() { c.serve(raw) })
	}
}

// Break switches a fault on for a share of the parts that follow; FaultNone
// mends the centre. FaultRevoked drops at once whoever is bound.
func (c *Centre) Break(f Fault, share float64) {
	c.broken.Store(&switched{f, share})
	if f == FaultRevoked {
		c.Drop()
	}
}

// Drop closes every connection that is bound.
func (c *Centre) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.bound {
		_ = b.raw.Close() // its reader tells of it
	}
}

// Books are the centre's own record. They may be read while it serves.
func (c *Centre) Books() *Books { return c.books }

// Stats returns the counts so far.
func (c *Centre) Stats() Stats {
	return Stats{
		Binds: c.binds.Load(), Unbound: c.unbound.Load(), Requests: c.requests.Load(), Accepted: c.accepted.Load(),
		Throttled: c.throttled.Load(), Refused: c.refused.Load(), Broken: c.met.Load(),
		Receipts: c.acknowledged.Load(), Repeated: c.repeated.Load(),
	}
}

// Close ends the listener and every connection, drops the receipts still due,
// and closes the books.
func (c *Centre) Close() error {
	var err error
	c.end.Do(func() {
		close(c.quit)
		c.mu.Lock()
		c.closed = true
		if c.listener != nil {
			_ = c.listener.Close() // Serve tells of it
		}
		c.mu.Unlock()
		c.Drop()
		c.work.Wait()
		err = c.books.close()
	})
	return err
}

// breaks draws whether this part meets the fault.
func (c *Centre) breaks(part int) Fault {
	b := c.broken.Load()
	if b.fault == FaultNone || b.fault == FaultLater && part == 1 || unit(mix(c.opt.Seed^0xfa17, c.drawn.Add(1))) >= b.share {
		return FaultNone
	}
	c.met.Add(1)
	return b.fault
}

// Verdict says what becomes of a number: "" for one that is answered with 0x0B,
// else the state of its receipts. It depends on its arguments alone, so a test
// can tell beforehand.
func Verdict(number string, seed uint64, share float64) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(number)) // a hash never fails
	drawn := mix(seed, h.Sum64())
	if unit(drawn) >= share {
		return "DELIVRD"
	}
	return []string{"", "UNDELIV", "EXPIRED", "REJECTD"}[mix(drawn, 1)%4]
}

// mix is the finalizer of SplitMix64 over both arguments.
func mix(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit maps a draw to [0, 1).
func unit(n uint64) float64 { return float64(n>>11) / (1 << 53) }
