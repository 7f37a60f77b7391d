package ledger

import (
	"slices"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/audit"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

var (
	here  = dispatch.Cell{Kind: channels.SMS, Commune: "06649", Language: "vi"}
	there = dispatch.Cell{Kind: channels.SMS, Commune: "06652", Language: "vi"}
)

// already lists who of the first fifty was cut for the alert "a1".
func already(t *testing.T, l *Ledger, language string) []int64 {
	t.Helper()
	var ids []int64
	for id := int64(1); id <= 50; id++ {
		ids = append(ids, id)
	}
	c := here
	c.Language = language
	return got(l.Dispatch().Already(t.Context(), &dispatch.Request{Alert: "a1", Revision: 1}, c, ids))(t)
}

// moveTo adds the nth address again, in another commune.
func moveTo(t *testing.T, l *Ledger, n int, to area.Code) {
	t.Helper()
	es := people(n, 1)
	es[0].Commune = to
	got(l.Audience().Add(t.Context(), noon, es))(t)
}

func count1(t *testing.T, l *Ledger, query string, args ...any) (n int) {
	t.Helper()
	must(t, l.db.read(t.Context(), func(t tx) error {
		_, err := one(t, query, args, &n)
		return err
	}))
	return n
}

func TestWhoMovesAfterTheSnapshotIsFoundWhereHeWas(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		got(l.Audience().Add(t.Context(), noon, people(1, 6)))(t)
		moveTo(t, l, 1, "06652") // before: lives there
		snapshot := got(l.Audience().Snapshot(t.Context()))(t)
		moveTo(t, l, 2, "06652")
		moveTo(t, l, 3, "06652")
		moveTo(t, l, 3, "06655") // his second move is not out of the cell of the snapshot
		moveTo(t, l, 1, "06649")
		moveTo(t, l, 4, "06649") // stays
		moveTo(t, l, 5, "06652")
		must(t, l.Audience().Retire(t.Context(), []int64{5}, noon, "wish"))
		later := got(l.Audience().Add(t.Context(), noon, people(90, 1)))(t)
		moveTo(t, l, 90, "06652")
		if later[0] <= snapshot {
			t.Fatalf("endpoint %d is not after the snapshot %d", later[0], snapshot)
		}
		communes := []area.Code{"06649", "06652"}
		cells := got(l.Dispatch().MovedCells(t.Context(), communes, snapshot))(t)
		if len(cells) != 2 || !slices.Contains(cells, here) || !slices.Contains(cells, there) {
			t.Errorf("cells that were left: %v", cells)
		}
		ids := func(c dispatch.Cell, after int64, limit int) []int64 {
			q := audience.Query{Kind: c.Kind, Commune: c.Commune, Language: c.Language, Upto: snapshot}
			return got(l.Dispatch().MovedIDs(t.Context(), q, after, limit))(t)
		}
		same(t, "left the first", []int64{2, 3}, ids(here, 0, 9))
		same(t, "left the first, a page", []int64{3}, ids(here, 2, 1))
		same(t, "left the second", []int64{1}, ids(there, 0, 9))
		now := got(l.Audience().Snapshot(t.Context()))(t)
		same(t, "since now", nil, got(l.Dispatch().MovedCells(t.Context(), communes, now))(t))
		must(t, l.Audience().Erase(t.Context(), []int64{3}))
		same(t, "left, erased", []int64{2}, ids(here, 0, 9))
	})
}

func TestWhoMovedIsNotCutTwice(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{Now: func() time.Time { return noon.Add(time.Hour) }})
		got(l.Audience().Add(t.Context(), noon, people(1, 6)))(t)
		approve(t, l, "a1")
		b := batch("a1", 1, 3) // 1, 3, 5
		cut(t, l, "a1", b)
		r := &dispatch.Request{Alert: "a1", Revision: 1}
		same(t, "where they were cut", []int64{1, 3, 5}, already(t, l, "vi"))
		same(t, "elsewhere", nil, got(l.Dispatch().Already(t.Context(), r, there, []int64{1, 2, 3}))(t))
		moveTo(t, l, 2, "06652")
		moveTo(t, l, 3, "06652")
		moveTo(t, l, 5, "06655")
		moveTo(t, l, 5, "06652")
		same(t, "where they have come to", []int64{3, 5}, got(l.Dispatch().Already(t.Context(), r, there, []int64{2, 3, 5, 6}))(t))
		same(t, "for another revision", nil, got(l.Dispatch().Already(t.Context(), &dispatch.Request{Alert: "a1", Revision: 2}, there, []int64{2, 3, 5}))(t))
	})
}

func TestMovesAreForgottenWhenNoAlertNeedsThem(t *testing.T) {
	t.Parallel()
	clock := clockAt(noon)
	l := openTestSQLite(t, Options{Now: clock.now})
	got(l.Audience().Add(t.Context(), noon, people(1, 2)))(t)
	forget := func() {
		must(t, l.sweep(t.Context(), forgetMoves))
	}
	old := approve(t, l, "old")
	clock.set(noon.Add(2 * time.Hour))
	moveTo(t, l, 1, "06652")
	clock.set(noon.Add(40 * 24 * time.Hour))
	moveTo(t, l, 2, "06652")
	next := draft("next")
	next.CreatedAt, next.Submission.Replaces = clock.now(), &dispatch.Reached{Alert: "old", Revision: 1}
	must(t, l.Desk().Create(t.Context(), next, record("alert.draft", "next")))
	forget()
	same(t, "while the alert lives", 2, count1(t, l, "SELECT COUNT(*) FROM moved"))
	live := next
	live.State = alert.Approved
	must(t, l.db.write(t.Context(), acts, func(t tx) error { return updateCase(t, live, alert.Drafted) }))
	stop(t, l, old, alert.Superseded)
	forget()
	same(t, "while what took its place lives", 2, count1(t, l, "SELECT COUNT(*) FROM moved"))
	stop(t, l, live, alert.Ended)
	forget()
	same(t, "afterwards", 1, count1(t, l, "SELECT COUNT(*) FROM moved"))
}

// TestACorrectionReachesTheWholeStory corrects an update of an alert: who got
// only the first is reached, and who got both is once.
func TestACorrectionReachesTheWholeStory(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		first := approve(t, l, "a1")
		of := func(id alert.ID, ids []int64, outcomes ...channels.Outcome) delivery.Batch {
			b := batch(id, 1, 1)
			b.Recipients, b.Exceptions = ids, nil
			for _, o := range outcomes {
				b.Marks = append(b.Marks, delivery.NewMark(o, 1))
			}
			return b
		}
		cut(t, l, "a1", of("a1", []int64{1, 2, 3, 4}, channels.Delivered, channels.Delivered, channels.Failed, channels.Accepted))
		next := draft("a2")
		next.Submission.Replaces = &dispatch.Reached{Alert: "a1", Revision: 1}
		must(t, l.Desk().Create(t.Context(), next, record("alert.draft", "a2")))
		next.State, next.ApprovedAt = alert.Approved, noon
		must(t, l.Desk().Apply(t.Context(), desk.Change{Case: next, From: alert.Drafted, Records: []audit.Record{record("alert.approve", "a2")}, Supersede: []alert.ID{"a1"},
			Requests: []dispatch.Request{{Key: "a2", Alert: "a2", Revision: 1, Cause: dispatch.Updated, Areas: []area.Code{"06649"}}}}))
		_ = first
		cut(t, l, "a2", of("a2", []int64{2, 3, 4, 5}, channels.Delivered, channels.Cancelled, channels.Sending, channels.Confirmed))
		r := dispatch.Reached{Alert: "a2", Revision: 1}
		ids := func(after int64, limit int) []int64 {
			return got(l.Dispatch().ReachedIDs(t.Context(), r, here, after, limit))(t)
		}
		same(t, "cells", []dispatch.Cell{here}, got(l.Dispatch().ReachedCells(t.Context(), r))(t))
		same(t, "reached by either", []int64{1, 2, 4, 5}, ids(0, 9))
		same(t, "a page", []int64{2, 4}, ids(1, 2))
		r.Settled = true
		same(t, "no call in flight", []int64{1, 2, 5}, ids(0, 9))
		r.Alert = "a1"
		same(t, "of the first alone", []int64{1, 2, 4}, ids(0, 9))
	})
}

func TestAnUnreadableRequestHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		for _, id := range []alert.ID{"body", "cursor", "key", "good"} {
			approve(t, l, id)
		}
		for key, query := range map[string]string{
			"body":   "UPDATE request SET body = substr(body, 1, 5) WHERE key = ?",
			"cursor": "UPDATE request SET cursor = '{' WHERE key = ?",
			"key":    "UPDATE request SET body = (SELECT body FROM request WHERE key = 'good') WHERE key = ?",
		} {
			must(t, l.db.write(t.Context(), acts, func(t tx) error {
				_, err := t.exec(query, key)
				return err
			}))
		}
		jobs := got(l.Dispatch().Jobs(t.Context(), noon, 9))(t)
		if len(jobs) != 4 {
			t.Fatalf("%d requests are listed of 4", len(jobs))
		}
		for _, j := range jobs {
			if (j.Err == nil) != (j.Key == "good") || string(j.Alert) != j.Key {
				t.Errorf("request %s of alert %s: %v", j.Key, j.Alert, j.Err)
			}
			if j.Err != nil {
				must(t, l.Dispatch().Quarantine(t.Context(), j.Key))
			}
		}
		jobs = got(l.Dispatch().Jobs(t.Context(), noon, 9))(t)
		if len(jobs) != 1 || jobs[0].Key != "good" {
			t.Errorf("after the quarantine: %v", jobs)
		}
		same(t, "kept", 3, count1(t, l, "SELECT COUNT(*) FROM request WHERE done = 2"))
	})
}
