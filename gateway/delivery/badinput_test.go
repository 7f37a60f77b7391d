package delivery

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"loa/channels"
)

// Hints that point nowhere, to work that must not be done, or that come a
// thousand times: nobody is called for them, the belt is cleared of them, and
// whoever is due beside them is called once.
func TestBadHints(t *testing.T) {
	for _, c := range []struct {
		name  string
		hints func(r *rig) []Hint
	}{
		{"G07 an alert that is not live", func(r *rig) []Hint {
			x := batch(channels.SMS, 5001, 50)
			x.Alert = "DRAFT"
			r.store.stop("DRAFT")
			return []Hint{r.store.cut(x)}
		}},
		{"G07 work that is done", func(r *rig) []Hint {
			x := batch(channels.SMS, 5001, 2)
			x.Marks = []Mark{NewMark(channels.Delivered, 1), NewMark(channels.Failed, 1)}
			return []Hint{r.store.cut(x)}
		}},
		{"G07 a batch of another channel", func(r *rig) []Hint {
			x := batch(channels.WebPush, 5001, 2)
			x.Marks = []Mark{NewMark(channels.Delivered, 1), NewMark(channels.Delivered, 1)}
			h := r.store.cut(x)
			h.Kind = channels.SMS
			return []Hint{h}
		}},
		{"G08 batches that are not there", func(*rig) []Hint {
			return []Hint{{Batch: 0}, {Batch: -1}, {Batch: math.MinInt64}, {Batch: math.MaxInt64}, {Batch: 999}}
		}},
		{"G08 another priority than the batch's", func(*rig) []Hint { return []Hint{{Batch: 1, Priority: P3}} }},
		{"G09 a thousand times the same", func(*rig) []Hint { return slices.Repeat([]Hint{{Batch: 1}}, 1000) }},
	} {
		bubbleRun(t, c.name, func(t *testing.T) {
			ctx := context.Background()
			b := &book{kind: channels.SMS, name: "standin", takes: 5 * time.Millisecond}
			r := newRig(t, nil, smsLane(b))
			good := r.store.cut(batch(channels.SMS, 1, 100))
			bad := c.hints(r)
			for i := range bad {
				bad[i].Kind = channels.SMS
			}
			if err := r.hints.Push(ctx, append(bad, good)...); err != nil {
				t.Fatal(err)
			}
			r.run()
			r.finish(time.Minute)
			r.until(time.Minute, func() bool { return r.hints.left() == 0 })
			if b.count() != 100 || b.most() != 1 {
				t.Errorf("%d calls, at most %d to one address; want 100 and 1", b.count(), b.most())
			}
			r.stop()
		})
	}
}

// Receipts in the wrong order, repeated, of others, or of nothing.
func TestBadReceipts(t *testing.T) {
	say := func(r *rig, o channels.Outcome) channels.Receipt {
		return channels.Receipt{Kind: channels.SMS, Ref: r.e.Ref(1, 0, 1), Outcome: o, Fault: channels.FaultAmbiguous}
	}
	for _, c := range []struct {
		name     string
		receipts func(r *rig) []channels.Receipt
		want     channels.Outcome
		unknown  float64
	}{
		{"P03 delivered, then queued", func(r *rig) []channels.Receipt {
			return []channels.Receipt{say(r, channels.Delivered), say(r, channels.Accepted)}
		}, channels.Delivered, 0},
		{"P03 delivered, then undelivered", func(r *rig) []channels.Receipt {
			return []channels.Receipt{say(r, channels.Delivered), say(r, channels.Failed)}
		}, channels.Delivered, 0},
		{"P04 a reference of another gateway", func(r *rig) []channels.Receipt {
			x := say(r, channels.Delivered)
			x.Ref = string(newSigner([]byte("another gateway's key")).append(nil, 1, 0, 1))
			return []channels.Receipt{x}
		}, channels.Accepted, 1},
		{"P04 a reference with one bit changed", func(r *rig) []channels.Receipt {
			x := say(r, channels.Delivered)
			x.Ref = x.Ref[:5] + string(x.Ref[5]^1) + x.Ref[6:]
			return []channels.Receipt{x}
		}, channels.Accepted, 1},
		{"P04 a batch that is no more", func(r *rig) []channels.Receipt {
			x := say(r, channels.Delivered)
			x.Ref = r.e.Ref(4711, 0, 1)
			return []channels.Receipt{x}
		}, channels.Accepted, 1},
		{"P04 an index that is not there", func(r *rig) []channels.Receipt {
			x := say(r, channels.Delivered)
			x.Ref = r.e.Ref(1, 999, 1)
			return []channels.Receipt{x}
		}, channels.Accepted, 1},
		{"P05 fifty times the same", func(r *rig) []channels.Receipt {
			return slices.Repeat([]channels.Receipt{say(r, channels.Delivered)}, 50)
		}, channels.Delivered, 0},
		{"P05 fifty failures", func(r *rig) []channels.Receipt {
			return slices.Repeat([]channels.Receipt{say(r, channels.Failed)}, 50)
		}, channels.Failed, 0},
	} {
		bubbleRun(t, c.name, func(t *testing.T) {
			r := sent(t, channels.SMS, 1)
			before := r.metric("receipts_unknown_total")
			var marks []Mark
			for _, rc := range c.receipts(r) {
				if err := r.e.Sink()(t.Context(), rc); err != nil && !errors.Is(err, channels.ErrUnknownRef) {
					t.Fatal(err)
				}
				marks = append(marks, r.store.batches[0].Marks[0])
			}
			time.Sleep(20 * time.Minute) // no call may follow
			r.want(c.want, 1)
			if got := r.metric("receipts_unknown_total") - before; got != c.unknown {
				t.Errorf("receipts_unknown_total moved by %v, want %v", got, c.unknown)
			}
			if changes := len(slices.Compact(marks)); changes != 1 {
				t.Errorf("%d states, want the one that the first brought", changes)
			}
			if b := r.e.lanes[0].providers[0].sender.(*book); b.count() != 1 || len(r.store.rows()) > 1 {
				t.Errorf("%d calls, %d rows", b.count(), len(r.store.rows()))
			}
			r.stop()
		})
	}
}
