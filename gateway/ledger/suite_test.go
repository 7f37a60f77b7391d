package ledger

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audit"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// noon is when the suite's stories happen.
var noon = time.Date(2024, 9, 7, 5, 0, 0, 0, time.UTC)

// opener opens one of the databases, empty, closed at the end of the test.
type opener func(t *testing.T, opt Options) *Ledger

// setClock is a clock that a test sets and the ledger's background reads too.
type setClock struct{ ns atomic.Int64 }

func clockAt(at time.Time) *setClock {
	c := &setClock{}
	c.set(at)
	return c
}

func (c *setClock) set(at time.Time) { c.ns.Store(at.UnixNano()) }
func (c *setClock) now() time.Time   { return time.Unix(0, c.ns.Load()).In(noon.Location()) }

// both runs a story against SQLite and PostgreSQL.
func both(t *testing.T, story func(t *testing.T, open opener)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		story(t, openTestSQLite)
	})
	t.Run("postgresql", func(t *testing.T) {
		t.Parallel()
		story(t, openTestPostgres)
	})
}

func openTestSQLite(t *testing.T, opt Options) *Ledger {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "loa.db"), opt)
}

func openAt(t *testing.T, path string, opt Options) *Ledger {
	t.Helper()
	l, err := OpenSQLite(t.Context(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// teller is a test, a benchmark or a story of rapid.
type teller interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

func must(t teller, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](v T, err error) func(t teller) T {
	return func(t teller) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// draft is a case that has been approved nowhere yet.
func draft(id alert.ID) desk.Case {
	return desk.Case{
		ID: id, State: alert.Drafted, Author: desk.Person{ID: "p1", Name: "Trần Thị Bình", Territory: "22"}, CreatedAt: noon,
		Submission: desk.Submission{
			Revision: &alert.Revision{Alert: id, Number: 1, Code: "K7QM", Sent: noon, Status: alert.Actual, MsgType: alert.MsgAlert,
				Infos: []alert.Info{{Language: "vi-VN", Severity: alert.Extreme, Expires: noon.Add(6 * time.Hour)}}},
			Communes: []area.Code{"06649"}, HeadCount: map[channels.Kind]int{channels.SMS: 3}, Kinds: []channels.Kind{channels.SMS},
		},
	}
}

func record(act string, id alert.ID) audit.Record {
	return audit.Record{At: noon, Actor: "p1", Act: act, Object: "alert/" + string(id), Detail: `{"code":"K7QM"}`}
}

// approve carries an alert from nothing to approved, with a request of the
// alert's id as its key.
func approve(t teller, l *Ledger, id alert.ID) desk.Case {
	t.Helper()
	return sign(t, l, submit(t, l, id))
}

// submit carries an alert from nothing to submitted.
func submit(t teller, l *Ledger, id alert.ID) desk.Case {
	t.Helper()
	c := draft(id)
	must(t, l.Desk().Create(t.Context(), c, record("alert.draft", id)))
	c.State, c.Hash = alert.Submitted, desk.SubmissionHash{1, 2, 3}
	must(t, l.Desk().Apply(t.Context(), desk.Change{Case: c, From: alert.Drafted, Records: []audit.Record{record("alert.submit", id)}}))
	return c
}

// sign approves a submitted alert.
func sign(t teller, l *Ledger, c desk.Case) desk.Case {
	t.Helper()
	id := c.ID
	c.State, c.ApprovedAt = alert.Approved, noon
	c.Signatures = []desk.Signature{{Person: "p2", Name: "Nguyễn Văn An", Act: alert.ActApprove, Hash: c.Hash, At: noon}}
	must(t, l.Desk().Apply(t.Context(), desk.Change{
		Case: c, From: alert.Submitted, Records: []audit.Record{record("alert.approve", id)},
		Requests: []dispatch.Request{{Key: string(id), Alert: id, Revision: 1, Cause: dispatch.Approved, Areas: []area.Code{"06649"}}},
	}))
	return c
}

// stop ends an approved alert.
func stop(t teller, l *Ledger, c desk.Case, to alert.State) {
	t.Helper()
	from := c.State
	c.State, c.EndedAt = to, noon.Add(time.Minute)
	must(t, l.Desk().Apply(t.Context(), desk.Change{Case: c, From: from, Records: []audit.Record{record("alert.stop", c.ID)}}))
}

// batch is n recipients with ids from first.
func batch(id alert.ID, first int64, n int) delivery.Batch {
	b := delivery.Batch{
		Alert: id, Revision: 1, Kind: channels.SMS, Language: "vi", Commune: "06649", Status: channels.Actual, Resend: true, Urgent: true,
		Code: "K7QM", Expires: noon.Add(6 * time.Hour), Body: []byte("BÃO KHẨN CẤP: gió mạnh cấp 14, giật cấp 17. Ở trong nhà kiên cố."),
	}
	for i := range int64(n) {
		b.Recipients = append(b.Recipients, first+2*i)
	}
	return b
}

// cut stores batches under the request of the alert, whose cursor stays open.
func cut(t teller, l *Ledger, id alert.ID, bs ...delivery.Batch) []delivery.BatchID {
	t.Helper()
	for _, j := range got(l.Dispatch().Jobs(t.Context(), noon, 1000))(t) {
		if j.Key == string(id) {
			to := j.Cursor
			to.After++
			return got(l.Dispatch().Cut(t.Context(), string(id), j.Cursor, to, time.Time{}, bs))(t)
		}
	}
	t.Fatalf("no request for %s", id)
	return nil
}

func claim(t teller, l *Ledger, now time.Time, ids ...delivery.BatchID) []delivery.Lease {
	t.Helper()
	return got(l.Delivery().Claim(t.Context(), delivery.ClaimRequest{
		Kind: channels.SMS, Holder: "test/1", Batches: ids, Max: 10, Now: now, ResendAt: now.Add(20 * time.Second),
	}))(t)
}

func advance(t teller, l *Ledger, now time.Time, s delivery.Step) delivery.Verdict {
	t.Helper()
	return got(l.Delivery().Advance(t.Context(), now, []delivery.Step{s}))(t)[0]
}
