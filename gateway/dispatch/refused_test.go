package dispatch

import (
	"testing"
)

// TestAnUnreadableRequestIsSetAside has one request that cannot be read before
// a good one: it is told, kept and finished, and the good one goes out.
func TestAnUnreadableRequestIsSetAside(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(100, smsA)
	w.jobs = append(w.jobs, Job{Request: Request{Key: "k/broken", Alert: "broken"}, Err: errFault})
	w.warn("good", "00001")
	d := w.dispatcher(t)
	w.fault = func(op string) error {
		if op == "note" && len(w.refusals) == 0 && len(w.cutSizes) == 0 {
			return errFault // the ledger fails once: the request must not be lost for it
		}
		return nil
	}
	d.drain(t.Context())
	if len(w.cut("good")) != 100 {
		t.Fatalf("%d of the other request were cut", len(w.cut("good")))
	}
	w.fault = nil
	w.after(t, d, troubleMost)
	if len(w.notes) != 1 || w.notes[0].Code != RefusedUnreadable || w.notes[0].Alert != "broken" {
		t.Errorf("notes %+v", w.notes)
	}
	if len(w.refusals) != 1 || w.refusals[0].Key != "k/broken" {
		t.Errorf("told %+v", w.refusals)
	}
	for _, j := range w.jobs {
		if j.Key == "k/broken" {
			t.Error("it is still listed")
		}
	}
}

func TestACellWithoutTextIsNoted(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.populate(10, smsA, pushA)
	w.warn("a", "00001")
	w.revisions["a"].Note = "unregistered"
	w.dispatcher(t).drain(t.Context())
	if len(w.notes) != 1 || w.notes[0].Code != RefusedRender || w.notes[0].Cell != smsA || w.notes[0].Err == nil {
		t.Errorf("notes %+v", w.notes)
	}
}
