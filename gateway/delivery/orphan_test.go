package delivery

import (
	"strings"
	"testing"
	"time"

	"loa/channels"
)

// What a dead process held is gone on with within 12 s of its death, though
// minutes of other work lie before it and the provider has no room to spare.
func TestOrphansGoFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const limit = 20
		lane := func(b *book) Lane {
			l := smsLane(b)
			l.Providers[0].PerSecond = limit
			return l
		}
		b := &book{kind: channels.SMS, name: "standin", takes: 200 * time.Millisecond}
		s := &severed{modelStore: newModelStore()}
		first := newRig(t, func(o *Options) { o.Store, o.Nodes = s, 2 }, lane(b))
		first.store = s.modelStore
		second := newRig(t, func(o *Options) {
			o.Store, o.Addresses, o.Hints, o.Node, o.Nodes = s.modelStore, first.addrs, first.hints, "two", 2
		}, lane(b))
		second.store = s.modelStore
		first.run()
		second.run()
		for i := range 150 {
			first.send(batch(channels.SMS, int64(1+1000*i), 40)) // 5 minutes at the limit
		}
		time.Sleep(10 * time.Second)
		var held []*modelBatch
		s.mu.Lock()
		for _, x := range s.batches {
			if x.leased && strings.HasPrefix(x.holder, "one") {
				held = append(held, x)
			}
		}
		s.mu.Unlock()
		if len(held) == 0 {
			t.Fatal("the first process holds nothing: it proves nothing")
		}
		s.dead.Store(true)
		died := time.Now()
		time.Sleep(12 * time.Second)
		theirs := map[channels.Address]bool{}
		s.mu.Lock()
		for _, x := range held {
			if x.leased && strings.HasPrefix(x.holder, "one") {
				t.Errorf("batch %d rests 12 s after its holder died", x.ID)
			}
			for _, id := range x.Recipients {
				theirs[addressOf(id)] = true
			}
		}
		s.mu.Unlock()
		time.Sleep(2 * time.Second)
		calls, to := 0, 0
		for _, c := range b.made() {
			if c.at.Sub(died) > 12*time.Second {
				calls++
				if theirs[c.msg.To] {
					to++
				}
			}
		}
		if calls < limit || to < calls*9/10 {
			t.Errorf("%d calls in 2 s, %d of them to those who waited", calls, to)
		}
		s.dead.Store(false)
		first.stop()
		second.stop()
	})
}
