package simulation_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/desk"
	"loa/gateway/historytest"
)

// TestStopRacesApproval stops an alert while it is being approved, many times:
// there is one order of the two, and the desk, the audit, the ledger and the
// providers all tell the same one.
func TestStopRacesApproval(t *testing.T) {
	t.Parallel()
	from, n := seeds(t, 20, 200)
	orders := map[alert.State]int{}
	for seed := from; seed < from+min(n, 1000); seed++ {
		folder, people := copyTemplate(t)
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(seed, folder, people)
			p := w.open(2, false)
			state := w.raceStop(t, p)
			orders[state]++
			w.settle(p)
			for _, x := range w.judge() {
				t.Errorf("seed %d: %s", seed, x)
			}
		})
	}
	if orders[alert.Stopped] == 0 || orders[alert.Approved] == 0 {
		t.Errorf("one order alone was seen: %v", orders)
	}
	t.Logf("orders: %v", orders)
}

// raceStop approves and stops at once and says what came of it.
func (w *world) raceStop(t *testing.T, p *process) alert.State {
	t.Helper()
	ctx := context.Background()
	in := desk.DraftInput{Status: alert.Actual, Infos: []alert.Info{w.text(w.dice.Rand, alert.Extreme, time.Hour, []area.Code{"22101"})}}
	c, err := p.desk.Draft(ctx, "an", in)
	if err == nil {
		c, err = p.desk.Submit(ctx, "an", c.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	var approved, stopped error
	late := func() { time.Sleep(between(w.dice.of("late"), 0, 3*time.Millisecond)) }
	both.Go(func() { late(); _, approved = p.desk.Approve(ctx, "binh", c.ID, c.Hash, "") })
	both.Go(func() {
		late()
		_, stopped = p.desk.Stop(ctx, "chi", c.ID, desk.StopInput{Reason: "Nhầm", Notice: []alert.Info{w.text(w.dice.Rand, alert.Minor, time.Hour, nil)}})
	})
	both.Wait()
	now, err := p.desk.Status(ctx, "an", c.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := alert.Approved
	var move *alert.MoveError
	if stopped == nil {
		want = alert.Stopped
	} else if !errors.As(stopped, &move) && !errors.Is(stopped, desk.ErrConflict) {
		t.Errorf("stop: %v", stopped)
	}
	dead, err := p.ledger.Delivery().Dead(ctx, w.wall(), []alert.ID{c.ID})
	if err != nil || approved != nil || now.State != want || (len(dead) == 1) != (want == alert.Stopped) {
		t.Errorf("approve: %v, stop: %v; the desk says %s, dead %v, %v", approved, stopped, now.State, dead, err)
	}
	if got := w.recorded(c.ID); want == alert.Stopped && !slices.Equal(got, []string{"alert.approve", "alert.stop"}) || want == alert.Approved && !slices.Equal(got, []string{"alert.approve"}) {
		t.Errorf("%s, and the audit says %v", want, got)
	}
	return want
}

// recorded lists the approvals and stops of an alert in the audit's order.
func (w *world) recorded(id alert.ID) (acts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := slices.Clone(w.events)
	slices.SortStableFunc(events, func(a, b historytest.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, e := range events {
		if e.Kind == historytest.KindAudit && e.Object == "alert/"+string(id) && (e.Op == "alert.approve" || e.Op == "alert.stop") {
			acts = append(acts, e.Op)
		}
	}
	return acts
}
