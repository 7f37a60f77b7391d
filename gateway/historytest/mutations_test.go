package historytest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"loa/channels"
)

// mutation breaks one invariant. Before sealing, or after it for the audit's
// own; it reports whether it found its place.
type mutation struct {
	name, invariant string
	before          func(w *world, r *rand.Rand) bool
	after           func(events []Event, r *rand.Rand) ([]Event, bool)
}

// where lists the events that fit.
func where(events []Event, fits func(Event) bool) []int {
	var at []int
	for i, e := range events {
		if fits(e) {
			at = append(at, i)
		}
	}
	return at
}

func one(r *rand.Rand, at []int) (int, bool) {
	if len(at) == 0 {
		return 0, false
	}
	return at[r.IntN(len(at))], true
}

// of gives the batches of an alert on a channel.
func (w *world) of(name string, k channels.Kind) []*made {
	var out []*made
	for i := range w.batches {
		if b := &w.batches[i]; b.Alert == name && b.Channel == k && len(b.IDs) > 0 && b.fence > 0 {
			out = append(out, b)
		}
	}
	return out
}

// try adds a call that came to nothing, so that it breaks nothing else.
func (w *world) try(b *made, at int64, change func(*Event)) {
	e := w.call(b, KindRequest, 0, 9)
	e.T = at
	for _, c := range w.events {
		if c.Kind == KindClaim && c.Batch == b.Batch && c.T <= at {
			e.Fence = c.Fence
		}
	}
	if change != nil {
		change(&e)
	}
	answer := Event{T: at + ms, Kind: KindAnswer, Batch: e.Batch, Index: e.Index, Attempt: e.Attempt, Outcome: "transient"}
	w.events = append(w.events, e, answer)
}

// deliver adds an entry to the provider's books.
func (w *world) deliver(e Event) {
	e.Kind, e.T, e.Outcome, e.Channel = KindBook, w.quietAt, "accepted", channels.SMS
	w.events = append(w.events, e)
}

// onlyBooked finds the entries of sends of B that were taken once.
func (w *world) onlyBooked(name string) []int {
	copies := map[callKey]int{}
	for _, e := range w.events {
		if e.Kind == KindBook && e.Outcome == "accepted" && e.Batch != 0 {
			copies[callKey{batch: e.Batch, index: int32(e.Index)}]++
		}
	}
	sure := map[callKey]bool{}
	for _, e := range w.events {
		if e.Kind == KindOutcome && !e.Whole {
			sure[callKey{batch: e.Batch, index: int32(e.Index)}] = e.Outcome == "accepted" || e.Outcome == "delivered"
		}
	}
	doubted := map[callKey]bool{}
	for _, e := range w.events {
		if e.Kind == KindOutcome && e.Outcome == "ambiguous" {
			doubted[callKey{batch: e.Batch, index: int32(e.Index)}] = true
		}
	}
	return where(w.events, func(e Event) bool {
		k := callKey{batch: e.Batch, index: int32(e.Index)}
		return e.Kind == KindBook && e.Batch != 0 && e.Outcome == "accepted" && copies[k] == 1 && sure[k] && !doubted[k] && w.batches[e.Batch-1].Alert == name
	})
}

func (w *world) stream(install string) []int {
	return where(w.events, func(e Event) bool { return e.Kind == KindStream && e.ID == install })
}

func (w *world) change(kind Kind, name string, change func(i int, e *Event)) {
	n := 0
	for i := range w.events {
		if e := &w.events[i]; e.Kind == kind && e.Alert == name {
			change(n, e)
			n++
		}
	}
}

func isAudit(e Event) bool { return e.Kind == KindAudit }

func cut(events []Event, i int) []Event { return slices.Delete(slices.Clone(events), i, i+1) }

var mutations = slices.Concat(deliveries, acts, records)

var deliveries = []mutation{
	{"a delivery is missing from the books", "I1", func(w *world, r *rand.Rand) bool {
		at, ok := one(r, w.onlyBooked("B"))
		if ok {
			w.events = cut(w.events, at)
		}
		return ok
	}, nil},
	{"a recipient was forgotten", "I1", func(w *world, r *rand.Rand) bool {
		w.change(KindEligible, "B", func(i int, e *Event) {
			if i == 0 {
				e.IDs = append(slices.Clone(e.IDs), 999_999)
			}
		})
		return true
	}, nil},
	{"a recipient is left sending", "I1", func(w *world, r *rand.Rand) bool {
		b := w.of("B", channels.SMS)[0]
		w.events = append(w.events, Event{T: w.quietAt, Kind: KindOutcome, Batch: b.Batch, Attempt: 1, Outcome: "sending"})
		return true
	}, nil},
	{"a failure has no reason", "I1", func(w *world, r *rand.Rand) bool {
		b := w.of("B", channels.SMS)[0]
		w.events = append(w.events, Event{T: w.quietAt, Kind: KindOutcome, Batch: b.Batch, Attempt: 1, Outcome: "failed"})
		return true
	}, nil},
	{"an acknowledged approval is nowhere", "I1", func(w *world, r *rand.Rand) bool {
		w.events = append(w.events, Event{T: w.quietAt, Kind: KindCall, Op: "approve", Phase: OK, Alert: "Z", Revision: 1})
		return true
	}, nil},
	{"a message of no alert", "I2", func(w *world, r *rand.Rand) bool {
		w.deliver(Event{Alert: "Z", Revision: 1, Recipient: 1})
		return true
	}, nil},
	{"a message of a revision nobody approved", "I2", func(w *world, r *rand.Rand) bool {
		w.deliver(Event{Alert: "B", Revision: 2, Recipient: w.of("B", channels.SMS)[0].IDs[0]})
		return true
	}, nil},
	{"a message to somebody who was not eligible", "I2", func(w *world, r *rand.Rand) bool {
		w.deliver(Event{Alert: "B", Revision: 1, Recipient: 888_888})
		return true
	}, nil},
	{"a message with a forged reference", "I2", func(w *world, r *rand.Rand) bool {
		w.deliver(Event{Ref: "not a reference"})
		return true
	}, nil},
	{"a message to another number than its batch says", "I2", func(w *world, r *rand.Rand) bool {
		w.deliver(Event{Batch: w.of("B", channels.SMS)[0].Batch, Recipient: 888_888})
		return true
	}, nil},
	{"a second copy without a doubt", "I3", func(w *world, r *rand.Rand) bool {
		at, ok := one(r, w.onlyBooked("B"))
		if ok {
			w.events = append(w.events, w.events[at])
		}
		return ok
	}, nil},
	{"a second copy that does not arrive, after one that did", "I3", func(w *world, r *rand.Rand) bool {
		at, ok := one(r, w.onlyBooked("B"))
		if ok {
			e := w.events[at]
			e.Reason = Undelivered
			w.events = append(w.events, e)
		}
		return ok
	}, nil},
	{"a second copy after a doubt that the call does not show", "I3", func(w *world, r *rand.Rand) bool {
		at, ok := one(r, slices.DeleteFunc(w.onlyBooked("B"), func(i int) bool { return w.batches[w.events[i].Batch-1].fence != 1 }))
		if ok {
			e := w.events[at]
			said := Event{T: w.quietAt, Kind: KindOutcome, Batch: e.Batch, Index: e.Index, Attempt: e.Attempt, Outcome: "ambiguous"}
			w.events = append(w.events, e, said)
		}
		return ok
	}, nil},
	{"a third copy", "I3", func(w *world, r *rand.Rand) bool {
		b := w.of("B", channels.SMS)[0]
		for range 3 {
			w.deliver(Event{Batch: b.Batch, Index: 0, Attempt: 1})
		}
		w.events = append(w.events, Event{T: w.quietAt + ms, Kind: KindOutcome, Batch: b.Batch, Attempt: 3, Outcome: "accepted"})
		return true
	}, nil},
	{"a second copy of a bulletin after a doubt", "I3", func(w *world, r *rand.Rand) bool {
		b := w.of("C", channels.SMS)[0]
		for range 2 {
			w.deliver(Event{Batch: b.Batch, Index: 0, Attempt: 1})
		}
		w.events = append(w.events, Event{T: w.quietAt + ms, Kind: KindOutcome, Batch: b.Batch, Attempt: 2, Outcome: "ambiguous"})
		return true
	}, nil},
	{"106 % in a second that no clock begins", "I9", func(w *world, r *rand.Rand) bool {
		b := w.of("B", channels.SMS)[0]
		from := w.quietAt/sec*sec + sec/2 + r.Int64N(400*ms) // over a full second's edge
		for i := range int64(22) {                           // the limit is 20: 21 may be
			w.try(b, from+i*45*ms, nil)
		}
		return true
	}, nil},
	{"the limit and a half at once", "I9", func(w *world, r *rand.Rand) bool {
		b := w.of("B", channels.SMS)[0]
		for range 30 {
			w.try(b, w.quietAt, nil)
		}
		return true
	}, nil},
	{"a call under a stale fence", "I11", func(w *world, r *rand.Rand) bool {
		b := w.of("B", channels.SMS)[0]
		w.events = append(w.events, Event{T: w.quietAt, Kind: KindClaim, Batch: b.Batch, Fence: b.fence + 1, Holder: "two/1"})
		w.try(b, w.quietAt+1, func(e *Event) { e.Fence = b.fence })
		return true
	}, nil},
	{"a call under a fence nobody was given", "I11", func(w *world, r *rand.Rand) bool {
		b := w.of("B", channels.SMS)[0]
		w.try(b, w.quietAt, func(e *Event) { e.Fence = b.fence + 1 })
		return true
	}, nil},
	{"an app misses an item", "I13", func(w *world, r *rand.Rand) bool {
		at := w.stream("install 0")
		w.events = cut(w.events, at[1+r.IntN(len(at)-2)])
		return true
	}, nil},
	{"an app is shown an item again", "I13", func(w *world, r *rand.Rand) bool {
		at, _ := one(r, w.stream("install 0"))
		again := w.events[at]
		again.T, again.Offset = w.quietAt, 0
		w.events = append(w.events, again)
		return true
	}, nil},
	{"an app is given a position again", "I13", func(w *world, r *rand.Rand) bool {
		at, _ := one(r, w.stream("install 0"))
		again := w.events[at]
		again.T, again.Alert = w.quietAt, "another"
		w.events = append(w.events, again)
		return true
	}, nil},
	{"an epoch changes unflagged", "I13", func(w *world, r *rand.Rand) bool {
		at := w.stream("install 1")
		w.events = cut(w.events, at[2])
		return true
	}, nil},
}

func TestMutations(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, m := range mutations {
		covered[m.invariant] = true
		t.Run(m.invariant+" "+m.name, func(t *testing.T) {
			t.Parallel()
			done, want := 0, 50
			if testing.Short() {
				want = 10
			}
			for seed := 0; done < want; seed++ {
				if seed > 500 {
					t.Fatalf("found its place in %d of %d histories only", done, seed)
				}
				w := example(seed)
				r := rand.New(rand.NewPCG(uint64(seed), 1))
				ok := true
				if m.before != nil {
					ok = m.before(w, r)
				}
				events := w.sealed()
				if m.after != nil {
					events, ok = m.after(events, r)
				}
				if !ok {
					continue
				}
				done++
				got := Check(Of(events...), w.params)
				if bad := got.In(Invalid); !slices.Equal(bad, []string{m.invariant}) || len(got.In(Valid)) != len(invariants)-1 {
					t.Fatalf("seed %d: invalid %v, want %s alone\n%s", seed, bad, m.invariant, &got)
				}
			}
		})
	}
	for _, inv := range invariants {
		if !covered[inv.name] {
			t.Errorf("no mutation breaks %s", inv.name)
		}
	}
}
