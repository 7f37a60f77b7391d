package ledger

import (
	"errors"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/delivery"
)

// A ledger that a mirror has seen a later state of starts nothing: what is
// leased is lost, nothing is leased or hinted anew, evidence is still merged.
// Two people, and not one twice, end it.
func TestHold(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		clock := clockAt(noon)
		l := open(t, Options{Now: clock.now})
		for want := range int64(3) {
			same(t, "generation", want+1, got(l.Bump(t.Context()))(t))
		}
		same(t, "hold at the mirrors' generation", false, got(l.Hold(t.Context(), 3))(t))
		approve(t, l, "a1")
		ids := cut(t, l, "a1", batch("a1", 10, 4), batch("a1", 100, 4))
		lease := claim(t, l, noon, ids[0])[0]
		same(t, "started", 1, advance(t, l, noon, delivery.Step{Batch: ids[0], Fence: lease.Fence, Start: []int{0}}).Started)

		same(t, "hold", true, got(l.Hold(t.Context(), 9))(t))
		same(t, "a second hold", false, got(l.Hold(t.Context(), 10))(t))
		v := advance(t, l, noon, delivery.Step{Batch: ids[0], Fence: lease.Fence, Start: []int{1}, Settle: []delivery.Delta{{Index: 0, Attempt: 1, Outcome: channels.Accepted}}})
		if !v.Lost || v.Started != 0 {
			t.Errorf("an advance on hold: %+v", v)
		}
		if leases := append(claim(t, l, noon), claim(t, l, noon, ids...)...); len(leases) > 0 {
			t.Errorf("%d leases on hold", len(leases))
		}
		if hints := got(l.Delivery().Due(t.Context(), noon, delivery.Hint{}, 10))(t); len(hints) > 0 {
			t.Errorf("%d hints on hold", len(hints))
		}
		same(t, "generation on hold", 3, got(l.Bump(t.Context()))(t))

		release := func(person string, above int64) (bool, error) { return l.Release(t.Context(), person, above) }
		same(t, "lifted by one", false, got(release("p1", 9))(t))
		if _, err := release("p1", 9); !errors.Is(err, ErrSamePerson) {
			t.Errorf("the same person twice: %v", err)
		}
		clock.set(clock.now().Add(ReleaseWithin + time.Second))
		same(t, "lifted by a second who comes too late", false, got(release("p2", 9))(t))
		same(t, "lifted", true, got(release("p1", 12))(t))
		g := got(l.Guard(t.Context()))(t)
		if !g.Held.IsZero() || g.Generation != 13 {
			t.Errorf("after the release: %+v", g)
		}
		if _, err := release("p2", 0); !errors.Is(err, ErrNotHeld) {
			t.Errorf("a release of nothing: %v", err)
		}
		if leases := claim(t, l, noon); len(leases) != 2 || leases[0].Marks[0].Outcome() != channels.Accepted {
			t.Errorf("after the release: %d leases", len(leases))
		}
		if late := cut(t, l, "a1", batch("a1", 200, 1)); late[0] < ids[1]+skipped {
			t.Errorf("batch %d may have the number of one that the copy does not know", late[0])
		}
		same(t, "records", 4, count1(t, l, "SELECT COUNT(*) FROM audit WHERE act IN ('ledger.hold', 'ledger.release')"))
	})
}
