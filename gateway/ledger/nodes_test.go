package ledger

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"loa/gateway/alert"
	"loa/gateway/audit"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/ledger/postgrestest"
)

// TestTwoNodesCannotBothTakeAnAlertsPlace approves two updates of one alert at
// the same moment on two nodes: one goes out, the other is told by which.
func TestTwoNodesCannotBothTakeAnAlertsPlace(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Shared(t).Database(t)
	nodes := []*Ledger{openPostgresAt(t, dsn, Options{}), openPostgresAt(t, dsn, Options{})}
	for round := range 20 {
		old := alert.ID(fmt.Sprintf("old%d", round))
		approve(t, nodes[0], old)
		errs := make([]error, len(nodes))
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for i, l := range nodes {
			c := draft(alert.ID(fmt.Sprintf("update%d.%d", round, i)))
			c.Submission.Replaces = &dispatch.Reached{Alert: old, Revision: 1}
			must(t, l.Desk().Create(t.Context(), c, record("alert.draft", c.ID)))
			c.State, c.ApprovedAt = alert.Approved, noon
			wg.Go(func() {
				<-begin
				errs[i] = l.Desk().Apply(t.Context(), desk.Change{Case: c, From: alert.Drafted, Records: []audit.Record{record("alert.approve", c.ID)},
					Supersede: []alert.ID{old}, Requests: []dispatch.Request{{Key: string(c.ID), Alert: c.ID, Revision: 1}}})
			})
		}
		close(begin)
		wg.Wait()
		first, second := 0, 1
		if errs[0] != nil {
			first, second = 1, 0
		}
		var taken *desk.SupersededError
		if errs[first] != nil || !errors.As(errs[second], &taken) || !errors.Is(errs[second], desk.ErrConflict) {
			t.Fatalf("round %d: %v, %v", round, errs[0], errs[1])
		}
		winner, loser := alert.ID(fmt.Sprintf("update%d.%d", round, first)), alert.ID(fmt.Sprintf("update%d.%d", round, second))
		if taken.Alert != old || taken.By != winner {
			t.Errorf("round %d: %v", round, taken)
		}
		same(t, "state of the other", alert.Drafted, got(nodes[0].Desk().Case(t.Context(), loser))(t).State)
		same(t, "requests of the other", 0, count1(t, nodes[0], "SELECT COUNT(*) FROM request WHERE alert = ?", string(loser)))
	}
}
