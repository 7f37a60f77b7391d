package delivery

import (
	"errors"
	"testing"
	"time"

	"loa/channels"
)

// Two nodes send an alert through two providers, one node dies, one provider
// fails, and the alert is stopped while calls are open. Its correction goes to
// whom it may have reached, once no call is open for them: whoever gets both
// gets the alert first, and no call of the alert starts after the stop.
func TestCorrectionNeverOvertakes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := &book{kind: channels.SMS, name: "a", takes: 700 * time.Millisecond}, &book{kind: channels.SMS, name: "b", takes: 900 * time.Millisecond}
		began := time.Now()
		a.answer = func(n int, m channels.Message) (channels.Ack, error) {
			switch tail := m.To.Reveal()[11]; {
			case m.Alert == "VN-1" && tail == '3' && n == 0:
				return channels.Ack{}, fault(channels.FaultTransient, "")
			case m.Alert == "VN-1" && tail == '7':
				return channels.Ack{}, errors.New("cut off")
			}
			return channels.Ack{Outcome: channels.Accepted}, nil
		}
		lane := twoProviders(a, b, func(ps []Provider) { ps[0].PerSecond = 30 })
		s := &severed{modelStore: newModelStore()}
		one := newRig(t, func(o *Options) { o.Store = s }, lane)
		one.store = s.modelStore
		two := newRig(t, func(o *Options) { o.Store, o.Hints, o.Node = s.modelStore, one.hints, "two" }, lane)
		two.store = s.modelStore
		one.run()
		two.run()
		for i := range int64(6) {
			one.send(batch(channels.SMS, 1+1000*i, 150))
		}
		time.Sleep(4 * time.Second)
		s.dead.Store(true) // node one dies with its calls open
		time.Sleep(14 * time.Second)
		s.stop("VN-1")
		stopped := time.Now()
		// As dispatch cuts it: whose call has returned at once, the others when
		// none is open any more.
		done := map[int64]bool{}
		cut := func(settled bool) {
			x := batch(channels.SMS, 1, 0)
			x.Alert = "VN-2"
			s.mu.Lock()
			for _, bb := range s.batches {
				for i, m := range bb.Marks {
					id := bb.Recipients[i]
					if bb.Alert == "VN-1" && m.Outcome().Reached() && (m.Outcome() != channels.Sending || settled) && !done[id] {
						done[id] = true
						x.Recipients = append(x.Recipients, id)
					}
				}
			}
			s.mu.Unlock()
			if len(x.Recipients) > 0 {
				two.send(x)
			}
		}
		cut(false)
		first := len(done)
		time.Sleep(12 * time.Second)
		cut(true)
		two.finish(5 * time.Minute)
		started, ended, corrected := map[channels.Address]time.Time{}, map[channels.Address]time.Time{}, map[channels.Address]time.Time{}
		late := 0
		for _, k := range []*book{a, b} {
			for _, e := range k.made() {
				switch e.msg.Alert {
				case "VN-1":
					started[e.msg.To] = e.at
					if end := e.at.Add(k.takes); end.After(ended[e.msg.To]) {
						ended[e.msg.To] = end
					}
					if e.at.After(stopped.Add(time.Second)) {
						late++
					}
				case "VN-2":
					if at := corrected[e.msg.To]; at.IsZero() || e.at.Before(at) {
						corrected[e.msg.To] = e.at
					}
				}
			}
		}
		if first == 0 || len(done) == first || len(corrected) != len(done) {
			t.Fatalf("%d corrected, of %d at once and %d in all: nobody was in flight at the stop", len(corrected), first, len(done))
		}
		if late > 0 {
			t.Errorf("%d calls of the alert later than a second after the stop", late)
		}
		for to, at := range corrected {
			if at.Before(ended[to]) {
				t.Errorf("a correction started %v before the alert's call returned", ended[to].Sub(at))
			}
		}
		if a.count() == 0 || b.count() == 0 || len(started) < len(done) {
			t.Errorf("a %d, b %d calls", a.count(), b.count())
		}
		t.Logf("%d reached, %d corrected, %v in all", len(started), len(corrected), time.Since(began))
		s.dead.Store(false)
		two.stop()
		one.stop()
	})
}
