package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"loa/channels"
)

func TestReference(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		b := BatchID(rapid.Int64Min(1).Draw(t, "batch"))
		index := rapid.IntRange(0, MaxRecipients-1).Draw(t, "index")
		attempt := rapid.Uint8Range(0, MaxAttempt).Draw(t, "attempt")
		ref := r.e.Ref(b, index, attempt)
		s := newSigner([]byte("0123456789abcdef"))
		gb, gi, ga, err := s.open(ref)
		if err != nil || gb != b || gi != index || ga != attempt {
			t.Fatalf("%s opens as %d %d %d %v", ref, gb, gi, ga, err)
		}
		if len(ref) != refChars {
			t.Fatalf("%s has %d characters", ref, len(ref))
		}
		at := rapid.IntRange(0, len(ref)-1).Draw(t, "at")
		forged := []byte(ref)
		forged[at] = rapid.SampledFrom([]byte("ABCxyz019-_=+/ \x00")).Filter(func(c byte) bool { return c != ref[at] }).Draw(t, "byte")
		if _, _, _, err := s.open(string(forged)); !errors.Is(err, channels.ErrUnknownRef) {
			t.Fatalf("forged %q: %v", forged, err)
		}
		if _, _, _, err := newSigner([]byte("another key entirely")).open(ref); !errors.Is(err, channels.ErrUnknownRef) {
			t.Fatalf("another key: %v", err)
		}
	})
}

// sent is a rig with one batch of n that was accepted.
func sent(t *testing.T, kind channels.Kind, n int) *rig {
	t.Helper()
	b := &book{kind: kind, name: "standin"}
	r := newRig(t, nil, Lane{Kind: kind, Providers: []Provider{{Sender: b}}})
	r.run()
	r.send(batch(kind, 1, n))
	r.finish(time.Minute)
	return r
}

func TestReceipts(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name  string
		rc    channels.Receipt
		want  channels.Outcome
		calls int
		check func(*rig) bool
	}{
		{"delivered", channels.Receipt{Outcome: channels.Delivered}, channels.Delivered, 1, nil},
		{"confirmed", channels.Receipt{Outcome: channels.Confirmed}, channels.Confirmed, 1, nil},
		{"accepted says nothing new", channels.Receipt{Outcome: channels.Accepted}, channels.Accepted, 1, nil},
		{"failed", channels.Receipt{Outcome: channels.Failed, Fault: channels.FaultAmbiguous, Code: "30008"}, channels.Failed, 1, nil},
		{"expired at the provider", channels.Receipt{Outcome: channels.Expired, Fault: channels.FaultTransient, Code: "30036"}, channels.Failed, 1, nil},
		{"unreachable, one retry", channels.Receipt{Outcome: channels.Failed, Fault: channels.FaultTransient, Code: "30003"}, channels.Accepted, 2, nil},
		{"dead number", channels.Receipt{Outcome: channels.Failed, Fault: channels.FaultAddress, Code: "30006"}, channels.Failed, 1, func(r *rig) bool { return r.store.retired[1] }},
	} {
		bubbleRun(t, c.name, func(t *testing.T) {
			r := sent(t, channels.SMS, 1)
			c.rc.Kind, c.rc.Ref = channels.SMS, r.e.Ref(1, 0, 1)
			for range 3 {
				if err := r.e.Sink()(ctx, c.rc); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(20 * time.Minute)
			r.want(c.want, 1)
			b := r.e.lanes[0].providers[0].sender.(*book)
			if b.count() != c.calls {
				t.Errorf("%d calls, want %d", b.count(), c.calls)
			}
			if c.calls == 2 {
				gap(10*time.Minute, 10*time.Minute+2*time.Second)(t, r, b)
				c.rc.Ref = r.e.Ref(1, 0, 2)
				if err := r.e.Sink()(ctx, c.rc); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Minute)
				r.want(channels.Failed, 1)
				if b.count() != 2 {
					t.Errorf("%d calls after the second failure", b.count())
				}
			}
			if c.check != nil && !c.check(r) {
				t.Error("its effect is missing")
			}
			if r.metric("receipts_total", "sms") < 3 {
				t.Error("receipts_total did not move")
			}
			r.stop()
		})
	}
}

// An ambiguous call, then a receipt that it came to nothing, a retry, and that
// in doubt again: two calls were taken, a third is never made.
func TestNoThirdCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", answer: script(repeat(errors.New("reset"), 10)...)}
		r := newRig(t, nil, smsLane(b))
		r.run()
		r.send(batch(channels.SMS, 1, 1))
		time.Sleep(5 * time.Second)
		rc := channels.Receipt{Kind: channels.SMS, Ref: r.e.Ref(1, 0, 1), Outcome: channels.Failed, Fault: channels.FaultTransient, Code: "30003"}
		if err := r.e.Sink()(context.Background(), rc); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if b.count() != 2 {
			t.Errorf("%d calls", b.count())
		}
		r.want(channels.Ambiguous, 1)
		r.stop()
	})
}

func TestReceiptsThatAreNotOurs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := context.Background()
		r := sent(t, channels.SMS, 2)
		good := channels.Receipt{Kind: channels.SMS, Ref: r.e.Ref(1, 0, 1), Outcome: channels.Delivered}
		for _, ref := range []string{"", "x", "SM0123456789", good.Ref + "A", good.Ref[1:]} {
			err := r.e.Sink()(ctx, channels.Receipt{Kind: channels.SMS, Ref: ref, Outcome: channels.Delivered}, good)
			if !errors.Is(err, channels.ErrUnknownRef) {
				t.Errorf("%q: %v", ref, err)
			}
		}
		r.want(channels.Delivered, 1)
		for _, o := range []channels.Outcome{channels.Pending, channels.Sending, channels.Cancelled, channels.Ambiguous, 77} {
			if err := r.e.Sink()(ctx, channels.Receipt{Kind: channels.SMS, Ref: good.Ref, Outcome: o}); err == nil {
				t.Errorf("outcome %d was taken", o)
			}
		}
		if err := r.e.Sink()(ctx, channels.Receipt{Kind: channels.SMS, Ref: r.e.Ref(77, 0, 1), Outcome: channels.Delivered}); err != nil {
			t.Error("ours, of a batch that is no more:", err)
		}
		if got := r.metric("receipts_unknown_total"); got != 6 {
			t.Errorf("receipts_unknown_total: %v", got)
		}
		r.store.mu.Lock()
		r.store.fail = errModel
		r.store.mu.Unlock()
		if err := r.e.Sink()(ctx, good); !errors.Is(err, errModel) {
			t.Errorf("a ledger that fails: %v", err)
		}
		r.stop()
	})
}

func TestInstallsAcknowledge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx := context.Background()
		r := sent(t, channels.App, 5)
		ack := channels.Receipt{Kind: channels.App, Alert: "VN-1", Revision: 1, From: addressOf(3), Outcome: channels.Confirmed}
		if err := r.e.Sink()(ctx, ack); err != nil {
			t.Fatal(err)
		}
		if m := r.store.batches[0].Marks[2]; m != NewMark(channels.Confirmed, 1) {
			t.Errorf("mark %v of attempt %d", m.Outcome(), m.Attempt())
		}
		for _, change := range []func(*channels.Receipt){
			func(x *channels.Receipt) { x.From = "nobody" },
			func(x *channels.Receipt) { x.From = addressOf(99) },
			func(x *channels.Receipt) { x.Alert = "VN-2" },
			func(x *channels.Receipt) { x.Revision = 2 },
			func(x *channels.Receipt) { x.Alert = "" },
		} {
			bad := ack
			change(&bad)
			if err := r.e.Sink()(ctx, bad); !errors.Is(err, channels.ErrUnknownRef) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		r.stop()
	})
}

// Many callbacks at once share commits.
func TestReceiptsGather(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := sent(t, channels.SMS, 1000)
		r.store.commit = 5 * time.Millisecond
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				rc := channels.Receipt{Kind: channels.SMS, Ref: r.e.Ref(1, i, 1), Outcome: channels.Delivered}
				if err := r.e.Sink()(context.Background(), rc); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		r.want(channels.Delivered, 1000)
		if r.store.receives > 20 {
			t.Errorf("%d commits for 1,000 receipts that came at once", r.store.receives)
		}
		r.stop()
	})
}

// Receipts repeated, reversed and shuffled come to the same state.
func TestReceiptOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	outcomes := []channels.Outcome{channels.Accepted, channels.Delivered, channels.Confirmed, channels.Failed, channels.Expired}
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, func(o *Options) { o.Hints = nil })
		b := batch(channels.SMS, 1, 4)
		b.Marks = make([]Mark, 4)
		for i := range b.Marks {
			b.Marks[i] = NewMark(channels.Accepted, rapid.Uint8Range(1, 3).Draw(rt, fmt.Sprint("attempt ", i)))
		}
		rs := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) channels.Receipt {
			return channels.Receipt{
				Kind: channels.SMS, Outcome: rapid.SampledFrom(outcomes).Draw(rt, "outcome"), Fault: channels.FaultAmbiguous,
				Ref: r.e.Ref(1, rapid.IntRange(0, 3).Draw(rt, "index"), rapid.Uint8Range(1, 3).Draw(rt, "of")), At: time.Unix(1, 0),
			}
		}), 1, 20).Draw(rt, "receipts")
		var states [][]Mark
		for seed := range uint64(3) {
			r.store = newModelStore()
			r.e.opt.Store = r.store
			c := b
			c.Marks = append([]Mark(nil), b.Marks...)
			r.store.cut(c)
			again := append(append([]channels.Receipt(nil), rs...), rs...)
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
			for _, rc := range again {
				if err := r.e.Sink()(context.Background(), rc); err != nil {
					rt.Fatal(err)
				}
			}
			states = append(states, r.store.batches[0].Marks)
		}
		for _, s := range states[1:] {
			if d := cmp.Diff(states[0], s); d != "" {
				rt.Fatalf("another order, another state:\n%s", d)
			}
		}
	})
}
