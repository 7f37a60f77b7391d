package gateway

import (
	"testing"
	"time"

	"loa/gateway/alert"
	"loa/gateway/dispatch"
	"loa/gateway/ledger"
	"loa/gateway/watch"
)

// What the self-watch forgets is gone from the ledger with its request; the
// message that is live stays.
func TestWatchForgets(t *testing.T) {
	t.Parallel()
	g := openMute(t)
	store := watchStore{g}
	const id alert.ID = "canary-sms"
	now := time.Now()
	issue := func(n int) {
		t.Helper()
		rev := &alert.Revision{
			Alert: id, Number: n, Identifier: id.Identifier(n), Sender: "loa.example", Sent: now, Status: alert.Test, MsgType: alert.MsgAlert, Scope: alert.Private,
			Infos: []alert.Info{{Language: "vi-VN", Severity: alert.Minor, Expires: now.Add(time.Hour)}},
		}
		r := dispatch.Request{Key: watch.RequestKey(id, n), Alert: id, Revision: n, Cause: dispatch.Canary}
		if first, err := store.Issue(t.Context(), rev, r); err != nil || !first {
			t.Fatal(first, err)
		}
	}
	for n := 1; n <= 5; n++ {
		issue(n)
	}
	for range 2 {
		if err := store.Prune(t.Context(), id, 4); err != nil {
			t.Fatal(err)
		}
	}
	jobs, err := g.ledger.Dispatch().Jobs(t.Context(), now.Add(time.Minute), 100)
	if err != nil || len(jobs) != 2 || jobs[0].Revision != 4 || jobs[1].Revision != 5 {
		t.Errorf("%+v, %v", jobs, err)
	}
	live, err := g.ledger.InForce(t.Context(), now)
	if err != nil || len(live) != 1 || live[0] != (ledger.InForce{Alert: id, Revision: 5}) {
		t.Errorf("in force: %v, %v", live, err)
	}
}
