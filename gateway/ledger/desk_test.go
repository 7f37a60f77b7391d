package ledger

import (
	"errors"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audit"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
)

// records reads the whole audit and proves its chain.
func records(t *testing.T, l *Ledger) []audit.Record {
	t.Helper()
	var all []audit.Record
	for {
		page := got(l.Audit(t.Context(), int64(len(all)), 2))(t)
		if all = append(all, page...); len(page) < 2 {
			break
		}
	}
	if at := audit.Verify(audit.Hash{}, all); at != 0 {
		t.Errorf("the audit does not fit at %d", at)
	}
	return all
}

func TestCaseComesBackAsItWas(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		c := draft("a1")
		height := 12.5
		in := &c.Submission.Revision.Infos[0]
		in.Areas = []alert.Area{{Desc: "Đặc khu Cô Tô", Altitude: &height, Circles: []alert.Circle{{Center: alert.Point{Lat: 20.97, Lon: 107.76}, Radius: 10}},
			Geocodes: []alert.NamedValue{{Name: area.ValueName, Value: "07111"}}}}
		in.Slots = map[string]string{"wind": "12-14"}
		in.Onset = time.Date(2024, 9, 7, 13, 0, 0, 0, time.FixedZone("+07", 7*3600))
		c.Submission.Replaces = &dispatch.Reached{Alert: "a0", Revision: 2}
		must(t, l.Desk().Create(t.Context(), c, record("alert.draft", "a1")))
		c.State, c.Hash = alert.Submitted, desk.SubmissionHash{9}
		c.Signatures = []desk.Signature{{Person: "p1", Name: "Trần Thị Bình", Act: alert.ActSubmit, Hash: c.Hash, At: noon}}
		must(t, l.Desk().Apply(t.Context(), desk.Change{Case: c, From: alert.Drafted}))
		back := got(l.Desk().Case(t.Context(), "a1"))(t)
		if diff := gocmp.Diff(&c, back, gocmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
			t.Errorf("case (-want +got):\n%s", diff)
		}
		if back.Submission.Revision.Hash() != c.Submission.Revision.Hash() {
			t.Error("the revision's hash changed on its way")
		}
		rev, state, err := l.Dispatch().Revision(t.Context(), "a1", 1)
		if err != nil || state != alert.Submitted || rev.Hash() != c.Submission.Revision.Hash() {
			t.Errorf("revision: %v %v %v", rev, state, err)
		}
		if _, _, err := l.Dispatch().Revision(t.Context(), "a1", 2); !errors.Is(err, ErrNoRevision) {
			t.Errorf("a revision that is not there: %v", err)
		}
		if _, err := l.Desk().Case(t.Context(), "a2"); !errors.Is(err, desk.ErrNotFound) {
			t.Errorf("an alert that is not there: %v", err)
		}
		if err := l.Desk().Create(t.Context(), c, record("alert.draft", "a1")); !errors.Is(err, desk.ErrConflict) {
			t.Errorf("created twice: %v", err)
		}
		same(t, "audit", 1, len(records(t, l)))
	})
}

func TestApplyRefusesWhatHasChanged(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		c := draft("a1")
		must(t, l.Desk().Create(t.Context(), c, record("alert.draft", "a1")))
		c.State, c.Hash = alert.Submitted, desk.SubmissionHash{1}
		must(t, l.Desk().Apply(t.Context(), desk.Change{Case: c, From: alert.Drafted, Records: []audit.Record{record("alert.submit", "a1")}}))
		before := len(records(t, l))
		request := []dispatch.Request{{Key: "r1", Alert: "a1", Revision: 1}}
		approved := c
		approved.State = alert.Approved
		other := approved
		other.Hash = desk.SubmissionHash{2}
		edited := approved
		text := *c.Submission.Revision
		text.Note = "another text"
		edited.Submission.Revision = &text
		for name, bad := range map[string]struct {
			change desk.Change
			want   error
		}{
			"state":   {desk.Change{Case: approved, From: alert.Drafted}, desk.ErrConflict},
			"hash":    {desk.Change{Case: other, From: alert.Submitted}, desk.ErrConflict},
			"text":    {desk.Change{Case: edited, From: alert.Submitted}, ErrFrozen},
			"alert":   {desk.Change{Case: desk.Case{ID: "nobody", State: alert.Approved}, From: alert.Submitted}, desk.ErrNotFound},
			"aside":   {desk.Change{Case: approved, From: alert.Submitted, Supersede: []alert.ID{"nobody"}}, desk.ErrNotFound},
			"request": {desk.Change{Case: approved, From: alert.Submitted, Requests: []dispatch.Request{{}}}, nil},
		} {
			bad.change.Records = []audit.Record{record("alert.approve", "a1")}
			bad.change.Requests = append(bad.change.Requests, request...)
			err := l.Desk().Apply(t.Context(), bad.change)
			if err == nil || (bad.want != nil && !errors.Is(err, bad.want)) {
				t.Errorf("%s: %v, want %v", name, err, bad.want)
			}
		}
		same(t, "state", alert.Submitted, got(l.Desk().Case(t.Context(), "a1"))(t).State)
		same(t, "requests", 0, len(got(l.Dispatch().Jobs(t.Context(), noon, 9))(t)))
		same(t, "audit", before, len(records(t, l)))
	})
}

func TestRepeatedActHasOneEffect(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		c := draft("a1")
		must(t, l.Desk().Create(t.Context(), c, record("alert.draft", "a1")))
		c.State, c.Hash = alert.Submitted, desk.SubmissionHash{1}
		change := desk.Change{Case: c, From: alert.Drafted, Key: "submit/a1/7", Records: []audit.Record{record("alert.submit", "a1")}}
		must(t, l.Desk().Apply(t.Context(), change))
		must(t, l.Desk().Apply(t.Context(), change))
		same(t, "audit", 2, len(records(t, l)))
		change.Case.Hash = desk.SubmissionHash{2}
		if err := l.Desk().Apply(t.Context(), change); !errors.Is(err, desk.ErrConflict) {
			t.Errorf("the same key for another text: %v", err)
		}
	})
}

func TestCorrectionTakesThePlace(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		approve(t, l, "old")
		correct := func(id alert.ID) error {
			c := draft(id)
			c.State, c.Hash = alert.Submitted, desk.SubmissionHash{5}
			must(t, l.Desk().Create(t.Context(), c, record("alert.correction", id)))
			c.State, c.ApprovedAt = alert.Approved, noon.Add(time.Minute)
			return l.Desk().Apply(t.Context(), desk.Change{Case: c, From: alert.Submitted, Supersede: []alert.ID{"old"}})
		}
		must(t, correct("new"))
		old := got(l.Desk().Case(t.Context(), "old"))(t)
		if old.State != alert.Superseded || !old.EndedAt.Equal(noon.Add(time.Minute)) {
			t.Errorf("the old alert is %s since %s", old.State, old.EndedAt)
		}
		if err := correct("newer"); !errors.Is(err, desk.ErrConflict) {
			t.Errorf("a second correction of one alert: %v", err)
		}
		same(t, "state of the second", alert.Submitted, got(l.Desk().Case(t.Context(), "newer"))(t).State)
		same(t, "dead", []alert.ID{"old", "newer"}, got(l.Delivery().Dead(t.Context(), noon, []alert.ID{"old", "new", "newer"}))(t))
	})
}

func TestListsOfAlerts(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		for i, id := range []alert.ID{"a1", "a2", "a3"} {
			c := draft(id)
			c.CreatedAt = noon.Add(time.Duration(i) * time.Minute)
			must(t, l.Desk().Create(t.Context(), c, record("alert.draft", id)))
		}
		ended := approve(t, l, "a4")
		approve(t, l, "a5")
		stop(t, l, ended, alert.Stopped)
		list := func(limit int, states ...alert.State) (ids []alert.ID) {
			for _, c := range got(l.Desk().Cases(t.Context(), states, limit))(t) {
				ids = append(ids, c.ID)
			}
			return ids
		}
		same(t, "drafts", []alert.ID{"a3", "a2"}, list(2, alert.Drafted))
		same(t, "live and stopped", []alert.ID{"a4", "a5"}, list(0, alert.Approved, alert.Stopped))
		same(t, "all", 5, len(list(0)))
		expiry := noon.Add(6 * time.Hour)
		same(t, "before the expiry", nil, got(l.Desk().Expired(t.Context(), expiry.Add(-1), 9))(t))
		same(t, "at the expiry", []alert.ID{"a5"}, got(l.Desk().Expired(t.Context(), expiry, 9))(t))
		same(t, "dead at the expiry", []alert.ID{"a5"}, got(l.Delivery().Dead(t.Context(), expiry, []alert.ID{"a5"}))(t))
	})
}

func TestCutOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		approve(t, l, "a1")
		jobs := got(l.Dispatch().Jobs(t.Context(), noon, 9))(t)
		want := dispatch.Request{Key: "a1", Alert: "a1", Revision: 1, Cause: dispatch.Approved, Areas: []area.Code{"06649"}}
		same(t, "jobs", []dispatch.Job{{Request: want}}, jobs)
		to := dispatch.Cursor{Kind: channels.SMS, Commune: "06649", Language: "vi", After: 5}
		ids := got(l.Dispatch().Cut(t.Context(), "a1", dispatch.Cursor{}, to, noon.Add(time.Second), []delivery.Batch{batch("a1", 1, 3), batch("a1", 7, 2)}))(t)
		if len(ids) != 2 || ids[0] >= ids[1] {
			t.Errorf("ids %v are not ascending", ids)
		}
		if _, err := l.Dispatch().Cut(t.Context(), "a1", dispatch.Cursor{}, to, noon, []delivery.Batch{batch("a1", 11, 1)}); !errors.Is(err, dispatch.ErrCursor) {
			t.Errorf("cut from where it was: %v", err)
		}
		same(t, "already", []int64{1, 3, 5, 7, 9}, already(t, l, "vi"))
		same(t, "already in another language", nil, already(t, l, "en"))
		same(t, "jobs before they are due", 0, len(got(l.Dispatch().Jobs(t.Context(), noon, 9))(t)))
		job := got(l.Dispatch().Jobs(t.Context(), noon.Add(time.Second), 9))(t)[0]
		same(t, "cursor", to, job.Cursor)
		got(l.Dispatch().Cut(t.Context(), "a1", to, dispatch.Cursor{Done: true}, time.Time{}, nil))(t)
		same(t, "jobs after the end", 0, len(got(l.Dispatch().Jobs(t.Context(), noon.Add(time.Hour), 9))(t)))
		var texts int
		must(t, l.db.read(t.Context(), func(x tx) error { _, err := one(x, "SELECT COUNT(*) FROM message", nil, &texts); return err }))
		same(t, "texts stored", 1, texts)
	})
}

func TestBadBatchesAreRefused(t *testing.T) {
	t.Parallel()
	l := openTestSQLite(t, Options{})
	approve(t, l, "a1")
	for name, spoil := range map[string]func(*delivery.Batch){
		"nobody":      func(b *delivery.Batch) { b.Recipients = nil },
		"too many":    func(b *delivery.Batch) { b.Recipients = make([]int64, delivery.MaxRecipients+1) },
		"twice":       func(b *delivery.Batch) { b.Recipients = []int64{4, 4} },
		"unsorted":    func(b *delivery.Batch) { b.Recipients = []int64{4, 3} },
		"no id":       func(b *delivery.Batch) { b.Recipients = []int64{0} },
		"marks":       func(b *delivery.Batch) { b.Marks = make([]delivery.Mark, 1) },
		"outcome":     func(b *delivery.Batch) { b.Marks = []delivery.Mark{0, 15} },
		"exception":   func(b *delivery.Batch) { b.Exceptions = []delivery.Exception{{Index: 2}} },
		"no commune":  func(b *delivery.Batch) { b.Commune = "" },
		"no language": func(b *delivery.Batch) { b.Language = "" },
		"no status":   func(b *delivery.Batch) { b.Status = channels.StatusUnset },
		"no text":     func(b *delivery.Batch) { b.Body = nil },
		"kind":        func(b *delivery.Batch) { b.Kind = "pigeon" },
		"alert":       func(b *delivery.Batch) { b.Alert = "nobody" },
	} {
		b := batch("a1", 1, 2)
		spoil(&b)
		if _, err := l.Dispatch().Cut(t.Context(), "a1", dispatch.Cursor{}, dispatch.Cursor{After: 1}, time.Time{}, []delivery.Batch{batch("a1", 1, 1), b}); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	same(t, "cursor", dispatch.Cursor{}, got(l.Dispatch().Jobs(t.Context(), noon, 1))(t)[0].Cursor)
	same(t, "cut", nil, already(t, l, "vi"))
}

func TestReachedIsWhoMayHaveGotIt(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		approve(t, l, "a1")
		b := batch("a1", 1, channels.OutcomeCount)
		for _, o := range channels.AllOutcomes() {
			b.Marks = append(b.Marks, delivery.NewMark(o, 1))
		}
		never := batch("a1", 101, 1)
		never.Commune = "06652"
		cut(t, l, "a1", b, never)
		r := dispatch.Reached{Alert: "a1", Revision: 1}
		cells := got(l.Dispatch().ReachedCells(t.Context(), r))(t)
		same(t, "cells", []dispatch.Cell{{Kind: channels.SMS, Commune: "06649", Language: "vi"}}, cells)
		ids := func(r dispatch.Reached, after int64, limit int) []int64 {
			return got(l.Dispatch().ReachedIDs(t.Context(), r, cells[0], after, limit))(t)
		}
		same(t, "reached", []int64{3, 5, 7, 9, 13}, ids(r, 0, 99))
		same(t, "reached, a page", []int64{5, 7}, ids(r, 3, 2))
		r.Settled = true
		same(t, "reached, whose call has returned", []int64{5, 7, 9, 13}, ids(r, 0, 99))
		var all []coverage.Recipient
		must(t, l.Coverage().Recipients(t.Context(), "a1", 1, func(c coverage.Recipient) error { all = append(all, c); return nil }))
		same(t, "recipients", 10, len(all))
		same(t, "a recipient", coverage.Recipient{Kind: channels.SMS, Commune: "06649", Endpoint: 11, Outcome: channels.Failed}, all[5])
	})
}

func TestPeople(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open opener) {
		l := open(t, Options{})
		an := account.Person{ID: "p_1", Name: "Nguyễn Văn An", Territory: "22", TokenHash: [32]byte{1}, CreatedAt: noon}
		binh := account.Person{ID: "p_2", Name: "Trần Thị Bình", Territory: "VN", TokenHash: [32]byte{2}, CreatedAt: noon}
		must(t, l.Account().AddPerson(t.Context(), binh, record("person.add", "p_2")))
		must(t, l.Account().AddPerson(t.Context(), an, record("person.add", "p_1")))
		if err := l.Account().AddPerson(t.Context(), an, record("person.add", "p_1")); err == nil {
			t.Error("one person twice")
		}
		same(t, "people", []account.Person{an, binh}, got(l.Account().People(t.Context()))(t))
		same(t, "by token", binh, got(l.Account().PersonByToken(t.Context(), binh.TokenHash))(t))
		if _, err := l.Account().PersonByToken(t.Context(), [32]byte{3}); !errors.Is(err, account.ErrNobody) {
			t.Errorf("a wrong token: %v", err)
		}
		must(t, l.Account().RevokePerson(t.Context(), "p_2", noon.Add(time.Hour), record("person.revoke", "p_2")))
		must(t, l.Account().RevokePerson(t.Context(), "p_2", noon.Add(2*time.Hour), record("person.revoke", "p_2")))
		binh.RevokedAt = noon.Add(time.Hour)
		same(t, "revoked", binh, got(l.Account().PersonByToken(t.Context(), binh.TokenHash))(t))
		if err := l.Account().RevokePerson(t.Context(), "p_3", noon, record("person.revoke", "p_3")); !errors.Is(err, account.ErrNobody) {
			t.Errorf("revoking nobody: %v", err)
		}
		same(t, "audit", 4, len(records(t, l)))
	})
}
