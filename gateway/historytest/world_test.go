package historytest

import (
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/alert"
)

const (
	ms  = int64(time.Millisecond)
	sec = int64(time.Second)
)

// world is a valid history, drawn by rapid, with the places that mutations
// need. It has alerts A (Extreme, stopped, corrected by K), B (Severe), C (a
// bulletin) and T (a test).
type world struct {
	events  []Event
	now     int64
	nextID  int64
	batches []made
	params  Params

	stopAt, backlogAt, expiresB, quietAt int64
	draw                                 func(name string, least, most int) int
}

// made is a batch and which of its recipients were called.
type made struct {
	Event
	called []bool
	fence  int64
}

var communes = []string{"06652", "06673", "06685"}

var worlds = rapid.Custom(func(t *rapid.T) *world {
	w := &world{draw: func(name string, least, most int) int { return rapid.IntRange(least, most).Draw(t, name) }}
	w.build()
	return w
})

var (
	drawn   = map[int]*world{}
	drawnMu sync.Mutex
)

// example is the world of a seed, drawn once, for its caller to change.
func example(seed int) *world {
	drawnMu.Lock()
	defer drawnMu.Unlock()
	if drawn[seed] == nil {
		drawn[seed] = worlds.Example(seed)
	}
	w := *drawn[seed]
	w.events, w.batches = slices.Clone(w.events), slices.Clone(w.batches)
	return &w
}

func (w *world) add(e Event) {
	e.T = w.now
	w.events = append(w.events, e)
}

// step lets at least 100 ms pass, so that ten calls start in a second.
func (w *world) step() { w.now += 100*ms + int64(w.draw("step", 0, 20_000_000)) }

func (w *world) build() {
	w.now = 1_000*sec + int64(w.draw("start", 0, 1_000_000_000))
	w.params = Params{
		Workers: 2, Concurrency: 2, RatePerSecond: map[string]int{"twilio": 20}, TerminalDeadline: 10 * time.Second,
	}
	w.approve("C", alert.Minor, alert.Actual, "p3", "lan")
	w.snapshot("C", channels.SMS, w.draw("bulletins", 2, 5))
	w.snapshot("C", channels.WebPush, 2)
	w.sendSome("C", 2)
	w.stoppedAlert()
	w.approve("B", alert.Severe, alert.Actual, "p1", "lan", "minh")
	for _, k := range []channels.Kind{channels.SMS, channels.WebPush, channels.App} {
		w.snapshot("B", k, w.draw("people", 2, 5))
	}
	w.sendSome("B", 1000)
	w.sendSome("C", 1000)
	w.approve("T", alert.Extreme, alert.Test, "p2", "lan")
	w.snapshot("T", channels.SMS, 2)
	w.sendSome("T", 1000)
	w.streams()
	w.quietAt = w.now + 2*sec
	w.now += 100 * sec
	w.expiresB = w.now
	for i := range w.events {
		if w.events[i].Kind == KindSubmit {
			w.events[i].Expires = w.expiresB
		}
	}
	w.now += sec
	w.add(Event{Kind: KindCallback, Channel: channels.SMS, Outcome: "delivered"})
}

// approve submits and signs an alert.
func (w *world) approve(name string, s alert.Severity, status alert.Status, priority string, people ...string) {
	hash := "hash of " + name
	w.step()
	w.add(Event{Kind: KindSubmit, Alert: name, Revision: 1, Hash: hash, Status: status, Severity: s, Priority: priority, Areas: communes, Person: people[0]})
	w.add(Event{Kind: KindCall, Phase: Invoke, Op: "approve", ID: "1", Alert: name, Revision: 1})
	for i, p := range people {
		w.now += ms
		w.add(Event{Kind: KindApproval, Alert: name, Revision: 1, Hash: hash, Person: p, Account: p + "@", Device: p + "'s", StepUp: int64(1+w.draw("step up", 0, 299)) * sec,
			Areas: []string{communes[0], communes[1], communes[2], fmt.Sprint("only ", i)}})
	}
	w.add(Event{Kind: KindCall, Phase: OK, Op: "approve", ID: "1", Alert: name, Revision: 1})
}

// snapshot has n eligible people in each commune, each commune a batch.
func (w *world) snapshot(name string, k channels.Kind, n int) {
	for _, c := range communes {
		ids := make([]int64, n)
		for i := range ids {
			w.nextID++
			ids[i] = w.nextID
		}
		w.batch(name, k, c, ids)
	}
}

func (w *world) batch(name string, k channels.Kind, commune string, ids []int64) {
	w.add(Event{Kind: KindEligible, Alert: name, Revision: 1, Channel: k, Commune: commune, IDs: ids})
	b := Event{Kind: KindBatch, Alert: name, Revision: 1, Channel: k, Commune: commune, IDs: ids, Batch: int64(len(w.batches) + 1)}
	w.add(b)
	w.batches = append(w.batches, made{Event: b, called: make([]bool, len(ids))})
}

func (w *world) claim(b *made) {
	b.fence++
	w.add(Event{Kind: KindClaim, Batch: b.Batch, Fence: b.fence, Holder: "one/1"})
}

// sendSome calls up to most of an alert's people that were not called.
func (w *world) sendSome(name string, most int) {
	for at := range w.batches {
		b := &w.batches[at]
		if b.Alert != name {
			continue
		}
		for i := range b.IDs {
			if b.called[i] || most == 0 {
				continue
			}
			most--
			if b.fence == 0 {
				w.claim(b)
			}
			if b.Channel == channels.App {
				w.broadcast(b)
				continue
			}
			w.send(b, i, 1)
		}
	}
}

func (w *world) call(b *made, kind Kind, i int, attempt uint8) Event {
	e := Event{Kind: kind, Batch: b.Batch, Index: i, Attempt: attempt, Fence: b.fence, Channel: b.Channel, Provider: "twilio", Live: true, Status: alert.Actual}
	if b.Channel != channels.SMS {
		e.Provider = string(b.Channel)
	}
	if b.Alert == "T" {
		e.Status, e.Live, e.Roster = alert.Test, i == 0, i == 0
	}
	return e
}

func (w *world) outcome(b *made, i int, attempt uint8, o channels.Outcome, reason string) {
	w.now += ms
	w.add(Event{Kind: KindOutcome, Batch: b.Batch, Index: i, Attempt: attempt, Fence: b.fence, Outcome: o.String(), Reason: reason})
}

// send calls a provider for one person and lets one of many things happen.
func (w *world) send(b *made, i int, attempt uint8) {
	w.step()
	b.called[i] = true
	w.add(w.call(b, KindMark, i, attempt))
	w.now += ms
	w.add(w.call(b, KindRequest, i, attempt))
	book := Event{Kind: KindBook, Batch: b.Batch, Index: i, Attempt: attempt, Channel: b.Channel, Provider: "twilio", Outcome: "accepted"}
	answer := w.call(b, KindAnswer, i, attempt)
	ends := func(book *Event, word string) {
		w.now += ms
		if book != nil {
			w.add(*book)
		}
		w.now += ms
		if answer.Outcome = word; word != "" {
			w.add(answer)
		}
	}
	fate := w.draw("fate", 0, 9)
	if attempt > 1 {
		fate = 9
	}
	switch fate {
	case 0: // taken, and nobody could tell
		ends(&book, "ambiguous")
		w.outcome(b, i, attempt, channels.Ambiguous, "loa-timeout")
		if b.Alert == "C" {
			return // a bulletin is not sent again
		}
		w.send(b, i, attempt+1)
	case 1: // not taken, and nobody could tell
		book.Outcome = Dropped
		ends(&book, "ambiguous")
		w.outcome(b, i, attempt, channels.Ambiguous, "loa-timeout")
		if b.Alert != "C" {
			w.send(b, i, attempt+1)
		}
	case 2:
		ends(nil, "transient")
		w.outcome(b, i, attempt, channels.Pending, "")
		w.send(b, i, attempt+1)
	case 3:
		book.Outcome = Refused
		ends(&book, "address")
		w.outcome(b, i, attempt, channels.Failed, "21211")
	case 4: // the worker died; its result comes late, under a stale fence
		ends(&book, "")
		w.claim(b)
		w.outcome(b, i, attempt, channels.Ambiguous, "loa-crashed")
		stale := *b
		stale.fence--
		w.outcome(&stale, i, attempt, channels.Accepted, "")
	case 5: // answered, and the worker died before that was durable
		ends(&book, "accepted")
		w.claim(b)
		w.outcome(b, i, attempt, channels.Ambiguous, "loa-crashed")
		if b.Alert != "C" {
			w.send(b, i, attempt+1)
		}
	default:
		ends(&book, "accepted")
		w.outcome(b, i, attempt, channels.Accepted, "")
		if fate > 7 {
			w.add(Event{Kind: KindCallback, Channel: b.Channel, Outcome: "delivered"})
			w.add(Event{Kind: KindReceipt, Batch: b.Batch, Index: i, Attempt: attempt, Outcome: "delivered"})
			w.outcome(b, i, attempt, channels.Delivered, "")
		}
	}
}

// broadcast reaches a commune's installs in one call.
func (w *world) broadcast(b *made) {
	w.step()
	for _, k := range []Kind{KindMark, KindRequest} {
		e := w.call(b, k, 0, 1)
		e.Whole = true
		w.add(e)
	}
	for i, id := range b.IDs {
		b.called[i] = true
		w.add(Event{Kind: KindBook, Alert: b.Alert, Revision: 1, Channel: b.Channel, Recipient: id, Outcome: "accepted"})
	}
	w.now += ms
	e := w.call(b, KindAnswer, 0, 1)
	e.Whole, e.Outcome = true, "accepted"
	w.add(e)
	w.add(Event{Kind: KindOutcome, Batch: b.Batch, Whole: true, Attempt: 1, Fence: b.fence, Outcome: "accepted"})
}

// stoppedAlert is A, stopped in the middle with a call open, and its
// correction K to whoever may have been reached.
func (w *world) stoppedAlert() {
	w.approve("A", alert.Extreme, alert.Actual, "p0", "lan", "minh")
	for _, k := range []channels.Kind{channels.SMS, channels.WebPush, channels.App} {
		w.snapshot("A", k, 4)
	}
	w.backlogAt = w.now
	w.add(Event{Kind: KindBacklog, Priority: "p0", Open: true})
	w.now += 200 * ms
	w.sendSome("C", 1) // may still start
	w.sendSome("A", w.draw("before the stop", 1, 6))
	open := &w.batches[slices.IndexFunc(w.batches, func(b made) bool { return b.Alert == "A" && b.Channel == channels.WebPush })]
	w.step()
	w.claim(open)
	open.called[0] = true
	w.add(w.call(open, KindMark, 0, 1))
	w.add(w.call(open, KindRequest, 0, 1))
	w.now += ms
	w.stopAt = w.now
	w.add(Event{Kind: KindCancel, Alert: "A", Revision: 1, Person: "minh"})
	w.add(Event{Kind: KindCall, Phase: OK, Op: "stop", ID: "2", Alert: "A", Revision: 1})
	w.now += ms
	w.add(Event{Kind: KindBook, Batch: open.Batch, Attempt: 1, Channel: open.Channel, Outcome: "accepted"})
	answer := w.call(open, KindAnswer, 0, 1)
	answer.Outcome = "accepted"
	w.add(answer)
	w.outcome(open, 0, 1, channels.Accepted, "")
	w.now = w.stopAt + 4*sec
	reached := w.reachedByA()
	w.approve("K", alert.Extreme, alert.Actual, "p0", "lan", "minh")
	for _, b := range slices.Clone(w.batches) {
		if b.Alert != "A" {
			continue
		}
		var ids []int64
		for i, id := range b.IDs {
			if reached[id] {
				ids = append(ids, id)
			} else if !b.called[i] {
				w.outcome(&b, i, 0, channels.Cancelled, "stopped")
			}
		}
		w.add(Event{Kind: KindCorrection, Alert: "A", Revision: 1, By: "K", ByRevision: 1, Channel: b.Channel, IDs: ids})
		w.batch("K", b.Channel, b.Commune, ids)
	}
	w.sendSome("K", 1000)
	w.add(Event{Kind: KindBacklog, Priority: "p0"})
}

// reachedByA says whom a provider took A for, or may have.
func (w *world) reachedByA() map[int64]bool {
	reached := map[int64]bool{}
	for _, e := range w.events {
		if e.Kind == KindOutcome && w.batches[e.Batch-1].Alert == "A" {
			b := w.batches[e.Batch-1]
			for i, id := range b.IDs {
				if e.Whole || e.Index == i {
					was := e.Outcome == "ambiguous" || e.Outcome == "accepted" || e.Outcome == "delivered"
					reached[id] = reached[id] && e.Outcome != "failed" || was || w.bookHas(b.Batch, i)
				}
			}
		}
	}
	return reached
}

func (w *world) bookHas(batch int64, i int) bool {
	return slices.ContainsFunc(w.events, func(e Event) bool {
		return e.Kind == KindBook && e.Batch == batch && e.Index == i && e.Outcome == "accepted"
	})
}

// streams show items to three installs; the second is told to reload.
func (w *world) streams() {
	n := w.draw("items", 5, 9)
	for i := range 3 {
		id := fmt.Sprint("install ", i)
		for at := 1; at <= n; at++ {
			w.now += ms
			if i == 1 && at == 3 {
				w.add(Event{Kind: KindStream, ID: id, Epoch: "e2", Offset: int64(at + 2), Resync: true})
				continue
			}
			epoch, offset := "e1", int64(at)
			if i == 1 && at > 3 {
				epoch, offset = "e2", int64(at+2)
			}
			w.add(Event{Kind: KindStream, ID: id, Epoch: epoch, Offset: offset, Alert: fmt.Sprint("item ", at), Revision: 1})
		}
	}
}

// sealed is the history with the audit records of its acts.
func (w *world) sealed() []Event {
	all := slices.Clone(w.events)
	prev := hex.EncodeToString(make([]byte, 32))
	seq := int64(0)
	for _, e := range w.events {
		op := map[Kind]string{KindSubmit: "alert.submit", KindApproval: "alert.approve", KindCancel: "alert.stop"}[e.Kind]
		if op == "" {
			continue
		}
		seq++
		r := Event{T: e.T, Kind: KindAudit, Seq: seq, Prev: prev, At: e.T + 1e18, Person: e.Person, Op: op, Object: "alert/" + e.Alert}
		r.Hash = Seal(prev, r)
		prev = r.Hash
		all = append(all, r)
	}
	return all
}
