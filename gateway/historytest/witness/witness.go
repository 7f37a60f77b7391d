// Package witness writes down what a gateway does, for historytest to judge:
// it stands between the rooms and the ledger, and between delivery and the
// drivers, and changes nothing of what passes. Builds for tests alone link it.
// It names each durable step it sees, so that a test can end the process there.
// It must never import the ledger or a driver.
package witness

import (
	"sync"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/delivery"
	"loa/gateway/historytest"
)

// Witness wraps the stores and senders of one gateway.
type Witness struct {
	rec  *historytest.Recorder
	step func(name string)

	mu    sync.Mutex
	holds map[delivery.BatchID]*hold
	p0    map[channels.Kind]int // batches of Extreme and Severe work that are not done
}

// hold is what is known of a batch since its latest claim here.
type hold struct {
	batch    delivery.Batch // without its recipients' state
	fence    int64
	attempts []uint8
	marked   map[int]mark // calls that were marked and have not ended
}

type mark struct {
	attempt uint8
	fence   int64
}

// New makes a witness that writes to a recorder. Step, if it is not nil, is
// called before and after each durable step, with a name such as
// "advance start sms before"; it may end the process.
func New(rec *historytest.Recorder, step func(name string)) *Witness {
	if step == nil {
		step = func(string) {}
	}
	return &Witness{rec: rec, step: step, holds: map[delivery.BatchID]*hold{}, p0: map[channels.Kind]int{}}
}

// write records events. A history with holes proves nothing, so the process
// ends if it cannot be written.
func (w *Witness) write(events ...historytest.Event) {
	if len(events) == 0 {
		return
	}
	if err := w.rec.Record(events...); err != nil {
		panic(err)
	}
}

func (w *Witness) before(step string) { w.step(step + " before") }
func (w *Witness) after(step string)  { w.step(step + " after") }

// kind of a batch that was claimed here.
func (w *Witness) kind(id delivery.BatchID) channels.Kind {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.holds[id]; h != nil {
		return h.batch.Kind
	}
	return "unknown"
}

var priorities = [...]string{"p0", "p1", "p2", "p3"}

func priority(p delivery.Priority) string {
	if int(p) < len(priorities) {
		return priorities[p]
	}
	return ""
}

func plain(codes []area.Code) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = string(c)
	}
	return out
}
