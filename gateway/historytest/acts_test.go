package historytest

import (
	"math/rand/v2"
	"slices"

	"loa/channels"
	"loa/gateway/alert"
)

var acts = []mutation{
	{"a call 1.001 s after the stop", "I4", func(w *world, r *rand.Rand) bool {
		w.try(w.of("A", channels.WebPush)[0], w.stopAt+1001*ms+r.Int64N(sec), nil)
		return true
	}, nil},
	{"more calls open at the stop than workers may have", "I4", func(w *world, r *rand.Rand) bool {
		b := w.of("A", channels.WebPush)[0]
		for i := range uint8(4) { // one is open already
			w.try(b, w.stopAt-1, func(e *Event) { e.Attempt = 10 + i })
		}
		return true
	}, nil},
	{"an acknowledged stop stops nothing", "I4", func(w *world, r *rand.Rand) bool {
		w.try(w.of("A", channels.WebPush)[0], w.stopAt+3*sec, nil)
		return true
	}, nil},
	{"a call at the moment of expiry", "I5", func(w *world, r *rand.Rand) bool {
		w.try(w.of("B", channels.SMS)[0], w.expiresB+r.Int64N(2)*r.Int64N(sec), nil)
		return true
	}, nil},
	{"a call after an earlier end was set", "I5", func(w *world, r *rand.Rand) bool {
		w.events = append(w.events, Event{T: w.quietAt, Kind: KindExpiry, Alert: "B", Revision: 1, Expires: w.quietAt})
		w.try(w.of("B", channels.SMS)[0], w.quietAt+1, nil)
		return true
	}, nil},
	{"a test through a live provider", "I6", func(w *world, r *rand.Rand) bool {
		at, ok := one(r, where(w.events, func(e Event) bool { return e.Kind == KindRequest && e.Status == alert.Test && !e.Live }))
		if ok {
			w.events[at].Live = true
		}
		return ok
	}, nil},
	{"a test sent as Actual", "I6", func(w *world, r *rand.Rand) bool {
		at, ok := one(r, where(w.events, func(e Event) bool { return e.Kind == KindRequest && e.Status == alert.Test && e.Live }))
		if ok {
			w.events[at].Status = alert.Actual
		}
		return ok
	}, nil},
	{"a draft through a live provider", "I6", func(w *world, r *rand.Rand) bool {
		at, ok := one(r, where(w.events, func(e Event) bool { return e.Kind == KindRequest && e.Status == alert.Test && e.Live }))
		if ok {
			w.events[at].Roster, w.events[at].Status = false, alert.Test
		}
		return ok
	}, nil},
	{"one person signs twice", "I7", func(w *world, r *rand.Rand) bool {
		w.change(KindApproval, "B", func(_ int, e *Event) { e.Person = "lan" })
		return true
	}, nil},
	{"one account on two devices", "I7", func(w *world, r *rand.Rand) bool {
		w.change(KindApproval, "B", func(_ int, e *Event) { e.Account = "lan@" })
		return true
	}, nil},
	{"two accounts on one device", "I7", func(w *world, r *rand.Rand) bool {
		w.change(KindApproval, "B", func(_ int, e *Event) { e.Device = "lan's" })
		return true
	}, nil},
	{"a signature on an old proof", "I7", func(w *world, r *rand.Rand) bool {
		at := r.IntN(2)
		w.change(KindApproval, "B", func(i int, e *Event) {
			if i == at {
				e.StepUp = 300*sec + 1
			}
		})
		return true
	}, nil},
	{"one signature is over another text", "I7", func(w *world, r *rand.Rand) bool {
		w.change(KindApproval, "B", func(i int, e *Event) {
			if i == 1 {
				e.Hash = "hash of an earlier draft"
			}
		})
		return true
	}, nil},
	{"recipients outside the alert's area", "I8", func(w *world, r *rand.Rand) bool {
		gone := communes[r.IntN(3)]
		for _, k := range []Kind{KindEligible, KindBatch} {
			w.change(k, "B", func(_ int, e *Event) {
				if e.Commune == gone {
					e.Commune = "only 0"
				}
			})
		}
		return true
	}, nil},
	{"a batch outside the area", "I8", func(w *world, r *rand.Rand) bool {
		at, ok := one(r, where(w.events, func(e Event) bool { return e.Kind == KindBatch && e.Alert == "B" }))
		if ok {
			w.events[at].Commune = "99999"
		}
		return ok
	}, nil},
	{"recipients outside a signer's territory", "I8", func(w *world, r *rand.Rand) bool {
		at := r.IntN(2)
		w.change(KindApproval, "B", func(i int, e *Event) {
			if i == at {
				e.Areas = []string{communes[0], communes[2]}
			}
		})
		return true
	}, nil},
	{"a bulletin 1.1 s after Extreme appeared", "I10", func(w *world, r *rand.Rand) bool {
		w.try(w.of("C", channels.SMS)[0], w.backlogAt+1100*ms, nil)
		return true
	}, nil},
	{"a correction lacks one", "I12", func(w *world, r *rand.Rand) bool {
		return w.correct(r, true, func(ids []int64) []int64 { return ids[1:] })
	}, nil},
	{"a correction has one too many", "I12", func(w *world, r *rand.Rand) bool {
		for _, b := range w.batches {
			if b.Alert == "A" && b.Channel == channels.WebPush && !b.called[3] {
				return w.correct(r, false, func(ids []int64) []int64 { return append(slices.Clone(ids), b.IDs[3]) })
			}
		}
		return false
	}, nil},
	{"a correction overtakes a second call of its alert, which the first's receipt does not end", "I12", func(w *world, r *rand.Rand) bool {
		return w.overtakes(2)
	}, nil},
	{"a correction overtakes its alert", "I12", func(w *world, r *rand.Rand) bool {
		b := w.of("A", channels.WebPush)[0]
		answers := where(w.events, func(e Event) bool { return e.Kind == KindAnswer && e.Batch == b.Batch && e.T > w.stopAt })
		first := where(w.events, func(e Event) bool {
			return e.Kind == KindRequest && w.batches[e.Batch-1].Alert == "K" && w.batches[e.Batch-1].IDs[e.Index] == b.IDs[0]
		})
		if len(answers) == 0 || len(first) == 0 {
			return false
		}
		w.events[answers[0]].T = w.events[first[0]].T + 1
		return true
	}, nil},
}

// overtakes lets the correction of A begin before the answer of A's last call on
// web push, after a receipt of another attempt.
func (w *world) overtakes(attempt uint8) bool {
	b := w.of("A", channels.WebPush)[0]
	answers := where(w.events, func(e Event) bool { return e.Kind == KindAnswer && e.Batch == b.Batch && e.T > w.stopAt })
	first := where(w.events, func(e Event) bool {
		return e.Kind == KindRequest && w.batches[e.Batch-1].Alert == "K" && w.batches[e.Batch-1].IDs[e.Index] == b.IDs[0]
	})
	if len(answers) == 0 || len(first) == 0 {
		return false
	}
	begun := w.events[first[0]].T
	w.events[answers[0]].T = begun + 1
	w.events = append(w.events, Event{T: begun - 1, Kind: KindReceipt, Batch: b.Batch, Index: w.events[answers[0]].Index, Attempt: attempt, Outcome: "delivered"})
	return true
}

// correct changes one cut of the correction on web push.
func (w *world) correct(r *rand.Rand, filled bool, change func([]int64) []int64) bool {
	at, ok := one(r, where(w.events, func(e Event) bool {
		return e.Kind == KindCorrection && e.Channel == channels.WebPush && (!filled || len(e.IDs) > 0)
	}))
	if ok {
		w.events[at].IDs = change(w.events[at].IDs)
	}
	return ok
}

var records = []mutation{
	{"a record was deleted", "I14", nil, func(events []Event, r *rand.Rand) ([]Event, bool) {
		at, ok := one(r, where(events, isAudit))
		return cut(events, at), ok
	}},
	{"a record was edited", "I14", nil, func(events []Event, r *rand.Rand) ([]Event, bool) {
		at, ok := one(r, where(events, isAudit))
		e := &events[at]
		switch r.IntN(5) {
		case 0:
			e.Person += "h"
		case 1:
			e.Detail = "{}"
		case 2:
			e.At++
		case 3:
			e.Object, e.Detail = "alert/", e.Object[len("alert/"):]
		default:
			e.Hash = Seal(e.Hash, *e)
		}
		return events, ok
	}},
	{"two records changed places", "I14", nil, func(events []Event, r *rand.Rand) ([]Event, bool) {
		at := where(events, isAudit)
		i := r.IntN(len(at) - 1)
		a, b := &events[at[i]], &events[at[i+1]]
		a.Seq, b.Seq = b.Seq, a.Seq
		a.T, b.T = b.T, a.T
		return events, true
	}},
	{"a record was sealed anew with what follows", "I14", nil, func(events []Event, r *rand.Rand) ([]Event, bool) {
		at := where(events, isAudit)
		from := r.IntN(len(at))
		for i := from; i < len(at); i++ {
			e := &events[at[i]]
			if i == from {
				e.Op = "alert.view"
			} else {
				e.Prev = events[at[i-1]].Hash
			}
			e.Hash = Seal(e.Prev, *e)
		}
		return events, true
	}},
	{"records were written after the effect", "I14", nil, func(events []Event, r *rand.Rand) ([]Event, bool) {
		first := events[where(events, func(e Event) bool { return e.Kind == KindRequest })[0]].T
		for _, i := range where(events, isAudit) {
			events[i].T = max(events[i].T, first+1) // in order all the same
		}
		return events, true
	}},
}
