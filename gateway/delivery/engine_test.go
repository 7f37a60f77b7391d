package delivery

import (
	"context"
	"testing"
	"time"

	"loa/channels"
)

func TestEveryRecipientOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		hints bool
	}{{"queue", true}, {"ledger", false}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := &book{kind: channels.SMS, name: "standin", takes: 50 * time.Millisecond}
				r := newRig(t, func(o *Options) {
					if !c.hints {
						o.Hints = nil
					}
				}, smsLane(b))
				r.store.commit = time.Millisecond
				r.run()
				for i := range 10 {
					r.send(batch(channels.SMS, int64(1+1000*i), 100+i))
				}
				r.finish(time.Minute)
				r.want(channels.Accepted, 1045)
				if b.count() != 1045 || b.most() != 1 {
					t.Errorf("%d calls, at most %d to one address", b.count(), b.most())
				}
				if b.peak > 64 || b.peak < 32 {
					t.Errorf("%d calls open at the peak, want at most workers times window", b.peak)
				}
				r.until(5*time.Second, func() bool { return r.hints.left() == 0 })
				if got := r.metric("sends_total", "sms", "standin", "accepted"); got != 1045 {
					t.Errorf("sends_total: %v", got)
				}
				if r.metric("claim_seconds") == 0 || r.metric("advance_seconds") == 0 || r.metric("advance_recipients") == 0 {
					t.Error("histograms did not move")
				}
				if p := r.e.Progress(); p.Started != 1045 || p.Settled != 1045 || p.Open != 0 {
					t.Errorf("progress %+v", p)
				}
				r.stop()
			})
		})
	}
}

func TestMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin"}
		r := newRig(t, nil, smsLane(b))
		r.run()
		x := batch(channels.SMS, 7, 1)
		x.Expires = time.Now().Add(time.Hour)
		r.send(x)
		r.finish(time.Second)
		m := b.made()[0].msg
		if m.Ref != r.e.Ref(1, 0, 1) || m.Alert != "VN-1" || m.Revision != 1 || m.Code != "K7QM" || m.Status != channels.Actual ||
			!m.Urgent || m.Language != "vi" || !m.Expires.Equal(x.Expires) || m.To != addressOf(7) || string(m.Body) != "Bão số 3" {
			t.Errorf("message %+v", m)
		}
		r.stop()
	})
}

func BenchmarkEngine(b *testing.B) {
	s := newModelStore()
	noop := &silent{}
	e, err := New(Options{Store: s, Addresses: &modelAddresses{}, RefKey: make([]byte, 32), Lanes: []Lane{
		{Kind: channels.WebPush, Providers: []Provider{{Sender: noop}}, Workers: 8, Window: 256},
	}})
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < b.N; i += 1000 {
		s.cut(batch(channels.WebPush, int64(i+1), min(1000, b.N-i)))
	}
	b.ReportAllocs()
	b.ResetTimer()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	for e.Progress().Settled < uint64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	cancel()
	<-done
}

type silent struct{}

func (*silent) Kind() channels.Kind { return channels.WebPush }
func (*silent) Provider() string    { return "silent" }
func (*silent) Live() bool          { return false }
func (*silent) Send(context.Context, channels.Message) (channels.Ack, error) {
	return channels.Ack{Outcome: channels.Accepted}, nil
}
