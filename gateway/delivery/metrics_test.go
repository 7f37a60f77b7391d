package delivery

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"loa/channels"
)

func TestGauges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &book{kind: channels.SMS, name: "standin", takes: time.Second}
		r := newRig(t, nil, smsLane(b))
		r.run()
		for i := range 8 {
			r.send(batch(channels.SMS, int64(1+1000*i), 100))
		}
		time.Sleep(5500 * time.Millisecond)
		if got := r.metric("in_flight", "sms"); got < 16 || got > 64 {
			t.Errorf("in_flight: %v", got)
		}
		if got := r.metric("backlog_batches", "sms"); got == 0 {
			t.Error("backlog_batches is 0 in the middle of the work")
		}
		if p := r.e.Progress(); p.Open < 16 || p.Started <= p.Settled {
			t.Errorf("progress %+v", p)
		}
		r.finish(time.Minute)
		time.Sleep(6 * time.Second)
		if a, b := r.metric("in_flight", "sms"), r.metric("backlog_batches", "sms"); a != 0 || b != 0 {
			t.Errorf("at the end: in_flight %v, backlog_batches %v", a, b)
		}
		problems, err := testutil.GatherAndLint(r.reg)
		if err != nil || len(problems) > 0 {
			t.Errorf("metric names: %v %v", problems, err)
		}
		r.stop()
	})
}
