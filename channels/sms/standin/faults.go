package standin

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fault is a way in which the carrier breaks.
type Fault string

// The faults. Those of the first group break after the message was taken, so
// that the sender cannot know; those of the second take nothing.
const (
	FaultNone     Fault = ""
	FaultHang     Fault = "accept-then-timeout" // takes the message, never answers
	FaultError    Fault = "error-after-accept"  // takes the message, answers 500
	FaultCut      Fault = "cut-json"            // takes the message, cuts its answer in two
	FaultSlow     Fault = "slow"                // takes the message, answers one byte a second
	FaultHTML     Fault = "html"                // takes the message, answers 200 with a page of HTML
	FaultNameless Fault = "nameless"            // takes the message, answers 201 without its identifier
	FaultEndless  Fault = "endless"             // takes the message, answers 201 with 100 MB
	FaultOdd      Fault = "odd"                 // cut-json, slow, html, nameless and endless in turn

	FaultOutage   Fault = "outage"   // 503
	FaultRevoked  Fault = "revoked"  // 401 with code 20003
	FaultThrottle Fault = "throttle" // 429 with code 20429
)

var (
	odd    = []Fault{FaultCut, FaultSlow, FaultHTML, FaultNameless, FaultEndless}
	faults = append([]Fault{FaultNone, FaultHang, FaultError, FaultOdd, FaultOutage, FaultRevoked, FaultThrottle}, odd...)
)

// ParseFault reads a Fault by its name.
func ParseFault(s string) (Fault, error) {
	if f := Fault(s); slices.Contains(faults, f) {
		return f, nil
	}
	return "", fmt.Errorf("fault %q: not a fault of this carrier", s)
}

// Faults are the switches that can be changed while the carrier serves, by
// POST /faults. The zero value is a carrier that works.
type Faults struct {
	Fault      Fault   `json:"fault"`
	Share      float64 `json:"share"`       // of the requests that meet it, 0 to 1
	Prefix     string  `json:"prefix"`      // of the numbers that meet it; empty: all
	RetryAfter int     `json:"retry_after"` // seconds, sent with FaultThrottle; 0 sends no header
	// Codes are the shares of numbers that meet a code with every message, and
	// Once with their first alone. Codes under 30000 are answers, others come in
	// a callback.
	Codes map[int]float64 `json:"codes"`
	Once  map[int]float64 `json:"once"`
}

func (f Faults) check() error {
	if _, err := ParseFault(string(f.Fault)); err != nil {
		return err
	}
	all := []float64{f.Share, 0, 0}
	for i, codes := range []map[int]float64{f.Codes, f.Once} {
		for _, share := range codes {
			all = append(all, share)
			all[i+1] += share
		}
	}
	for _, share := range all {
		if math.IsNaN(share) || share < 0 || share > 1 {
			return fmt.Errorf("%v is not a share from 0 to 1", share)
		}
	}
	if f.RetryAfter < 0 {
		return fmt.Errorf("retry_after: must not be negative")
	}
	return nil
}

// Switch replaces the switches.
func (c *Carrier) Switch(f Faults) error {
	if err := f.check(); err != nil {
		return err
	}
	c.broken.Store(&f)
	return nil
}

func (c *Carrier) serveFaults(w http.ResponseWriter, r *http.Request) {
	var f Faults
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	dec.DisallowUnknownFields()
	err := dec.Decode(&f)
	if err == nil {
		err = c.Switch(f)
	}
	if err != nil {
		http.Error(w, "faults: "+err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c *Carrier) serveStats(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, c.Stats())
}

// breaks draws whether a request to a number meets the fault.
func (c *Carrier) breaks(to string) Fault {
	b := c.broken.Load()
	if b.Fault == FaultNone || !strings.HasPrefix(to, b.Prefix) {
		return FaultNone
	}
	n := c.drawn.Add(1)
	if unit(mix(c.opt.Seed^0xfa17, n)) >= b.Share {
		return FaultNone
	}
	hit := c.hit.Add(1)
	if b.Fault == FaultOdd {
		return odd[hit%int64(len(odd))]
	}
	return b.Fault
}

// code is what becomes of a message to a number by the switches, 0 if it is
// delivered.
func (c *Carrier) code(to string) int {
	b := c.broken.Load()
	if code := CodeOf(b.Codes, to, c.opt.Seed); code != 0 {
		return code
	}
	code := CodeOf(b.Once, to, c.opt.Seed+1)
	if code == 0 {
		return 0
	}
	if _, met := c.met.LoadOrStore(to, true); met {
		return 0
	}
	return code
}

// CodeOf says which of the codes a number meets, 0 for none, at a carrier with
// the seed. It depends on its arguments alone.
func CodeOf(codes map[int]float64, number string, seed uint64) int {
	if len(codes) == 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(number)) // a hash never fails
	at := unit(mix(seed^0xc0de, h.Sum64()))
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if at < codes[code] {
			return code
		}
		at -= codes[code]
	}
	return 0
}

// atCreation reports whether a code is an answer and not a callback's.
func atCreation(code int) bool { return code != 0 && code < 30000 }

// queue is what the carrier has taken and not sent on yet.
type queue struct {
	drain float64 // messages a second; 0: no queue
	most  int

	mu    sync.Mutex
	level float64
	at    time.Time
	high  float64
}

// enter puts a message into the queue and says when it leaves; false if the
// queue is full.
func (q *queue) enter(now time.Time) (time.Duration, bool) {
	if q.drain <= 0 {
		return 0, true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.level = max(0, q.level-now.Sub(q.at).Seconds()*q.drain)
	q.at = now
	if q.most > 0 && q.level+1 > float64(q.most) {
		return 0, false
	}
	q.level++
	q.high = max(q.high, q.level)
	return time.Duration(q.level / q.drain * float64(time.Second)), true
}

func (q *queue) deepest() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(math.Ceil(q.high))
}
