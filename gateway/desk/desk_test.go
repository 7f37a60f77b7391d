package desk

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/dispatch"
)

func TestTwoPeopleSendASevereAlert(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.submitted(t, storm(alert.Extreme, "22101", "22102"))
	if c.State != alert.Submitted || c.Hash == (SubmissionHash{}) || c.Submission.HeadCount[channels.SMS] != 1200 || len(c.Submission.Communes) != 2 {
		t.Fatalf("%+v", c)
	}
	if _, has := c.Submission.HeadCount[channels.App]; has {
		t.Error("a channel that is not used is counted")
	}
	if o.woken != 0 || len(o.requests) != 0 {
		t.Error("something is sent before the approval")
	}
	o.now = o.now.Add(time.Minute)
	done, err := o.Approve(t.Context(), "chi", c.ID, c.Hash, "key")
	if err != nil || done.State != alert.Approved || !done.ApprovedAt.Equal(o.now) {
		t.Fatalf("%+v, %v", done, err)
	}
	want := []dispatch.Request{{
		Key: "alert/" + string(c.ID) + ".1", Alert: c.ID, Revision: 1, Cause: dispatch.Approved, Kinds: []channels.Kind{channels.SMS, channels.WebPush},
		Snapshot: 4711, Areas: []area.Code{"22101", "22102"},
	}}
	if diff := cmp.Diff(want, o.requests); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"p_binh alert.draft", "p_binh alert.submit", "p_chi alert.approve"}, o.acts()); diff != "" {
		t.Error(diff)
	}
	stored, err := o.Status(t.Context(), "em", c.ID)
	if err != nil || len(stored.Signatures) != 2 || stored.Signatures[1] != (Signature{Person: "p_chi", Name: "CHI", Act: alert.ActApprove, Hash: c.Hash, At: o.now}) {
		t.Errorf("%+v, %v", stored, err)
	}
	if o.woken != 1 {
		t.Errorf("woken %d times", o.woken)
	}
	again, err := o.Approve(t.Context(), "chi", c.ID, c.Hash, "key")
	if err != nil || again.State != alert.Approved || len(o.requests) != 1 || len(o.acts()) != 3 {
		t.Errorf("approving again: %v, %d requests", err, len(o.requests))
	}
	var move *alert.MoveError
	if _, err := o.Approve(t.Context(), "dung", c.ID, c.Hash, ""); !errors.As(err, &move) {
		t.Errorf("another person approves what is approved: %v", err)
	}
}

func TestWhoMayApprove(t *testing.T) {
	t.Parallel()
	exercise := storm(alert.Extreme, "22101")
	exercise.Status = alert.Exercise
	for name, tc := range map[string]struct {
		in   DraftInput
		by   channels.Secret
		want error
	}{
		"author, severe":               {storm(alert.Severe, "22101"), "binh", ErrOwnAlert},
		"author, extreme":              {storm(alert.Extreme, "22101"), "binh", ErrOwnAlert},
		"author, moderate":             {storm(alert.Moderate, "22101"), "binh", nil},
		"author, exercise":             {exercise, "binh", nil},
		"same province":                {storm(alert.Extreme, "22101", "22103"), "chi", nil},
		"nation":                       {storm(alert.Extreme, "22101"), "dung", nil},
		"own commune":                  {storm(alert.Extreme, "22101"), "xa", nil},
		"own commune and another":      {storm(alert.Extreme, "22101", "22102"), "xa", ErrTerritory},
		"other province":               {storm(alert.Extreme, "22101"), "em", ErrTerritory},
		"nobody":                       {storm(alert.Extreme, "22101"), "mallory", ErrNoAuthority},
		"no token":                     {storm(alert.Extreme, "22101"), "", ErrNoAuthority},
		"other province, wrong in all": {storm(alert.Minor, "22101"), "em", ErrTerritory},
	} {
		o := newOffice(t)
		c := o.submitted(t, tc.in)
		_, err := o.Approve(t.Context(), tc.by, c.ID, c.Hash, "")
		if !errors.Is(err, tc.want) || (len(o.requests) == 1) != (tc.want == nil) {
			t.Errorf("%s: %v, want %v; %d requests", name, err, tc.want, len(o.requests))
		}
		if tc.want == nil && o.requests[0].Roster != (tc.in.Status != alert.Actual) {
			t.Errorf("%s: roster %v", name, o.requests[0].Roster)
		}
	}
}

func TestApproveSignsExactlyWhatWasRead(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.submitted(t, storm(alert.Extreme, "22101"))
	first := c.Hash
	if _, err := o.Approve(t.Context(), "chi", c.ID, SubmissionHash{}, ""); !errors.Is(err, ErrHash) {
		t.Errorf("no hash: %v", err)
	}
	if _, err := o.Return(t.Context(), "chi", c.ID, "Sai giờ"); err != nil {
		t.Fatal(err)
	}
	var move *alert.MoveError
	if _, err := o.Approve(t.Context(), "chi", c.ID, first, ""); !errors.As(err, &move) {
		t.Errorf("approve what was returned: %v", err)
	}
	in := storm(alert.Extreme, "22101")
	in.Infos[0].Instruction = "Đến nơi trú ẩn."
	if _, err := o.Edit(t.Context(), "chi", c.ID, in); !errors.Is(err, ErrNoAuthority) {
		t.Errorf("another person edits: %v", err)
	}
	if _, err := o.Edit(t.Context(), "binh", c.ID, in); err != nil {
		t.Fatal(err)
	}
	second, err := o.Submit(t.Context(), "binh", c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(t.Context(), "chi", c.ID, first, ""); !errors.Is(err, ErrHash) || len(o.requests) != 0 {
		t.Errorf("approve by the hash of an older text: %v", err)
	}
	if _, err := o.Edit(t.Context(), "binh", c.ID, in); !errors.As(err, &move) {
		t.Errorf("edit what is submitted: %v", err)
	}
	if done, err := o.Approve(t.Context(), "chi", c.ID, second.Hash, ""); err != nil || len(done.Signatures) != 4 {
		t.Errorf("%v", err)
	}
}

func TestTamperedSubmissionIsNotApproved(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.submitted(t, storm(alert.Extreme, "22101"))
	stored := o.cases[c.ID]
	stored.Submission.Communes = append(stored.Submission.Communes, "22102")
	o.cases[c.ID] = stored
	if _, err := o.Approve(t.Context(), "chi", c.ID, c.Hash, ""); !errors.Is(err, ErrHash) || len(o.requests) != 0 {
		t.Errorf("%v", err)
	}
}

func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*office, *DraftInput)
		want   string
	}{
		"no area":          {func(_ *office, in *DraftInput) { in.Infos[0].Areas = nil }, "area"},
		"name only":        {func(_ *office, in *DraftInput) { in.Infos[0].Areas[0].Geocodes = nil }, "covers nobody"},
		"no info":          {func(_ *office, in *DraftInput) { in.Infos = nil }, "info"},
		"no expiry":        {func(_ *office, in *DraftInput) { in.Infos[0].Expires = time.Time{} }, "end is needed"},
		"expires in 30 s":  {func(_ *office, in *DraftInput) { in.Infos[0].Expires = start.Add(30 * time.Second) }, "5 minutes"},
		"expires in years": {func(_ *office, in *DraftInput) { in.Infos[0].Expires = start.AddDate(5, 0, 0) }, "24 hours"},
		"ended commune":    {func(_ *office, in *DraftInput) { *in = storm(alert.Extreme, "22199") }, "22199 has ended"},
		"unknown commune":  {func(_ *office, in *DraftInput) { *in = storm(alert.Extreme, "99101") }, "99101 is unknown"},
		"other province":   {func(_ *office, in *DraftInput) { *in = storm(alert.Extreme, "22101", "31101") }, "commune 31101, territory 22"},
		"hidden letters":   {func(_ *office, in *DraftInput) { in.Infos[0].Headline = "Bão\u202e số 3" }, "hidden"},
		"English only":     {func(_ *office, in *DraftInput) { in.Infos[0].Language = "en-US" }, "Vietnamese"},
		"large exercise": {func(o *office, in *DraftInput) {
			in.Status = alert.Exercise
			o.heads[channels.SMS] = 5010
		}, "at most 500"},
	} {
		o := newOffice(t)
		in := storm(alert.Extreme, "22101")
		tc.change(o, &in)
		c, err := o.Draft(t.Context(), "binh", in)
		if err != nil {
			t.Fatalf("%s: a draft may be incomplete: %v", name, err)
		}
		if _, err := o.Submit(t.Context(), "binh", c.ID); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if s := o.state(t, c.ID); s != alert.Drafted {
			t.Errorf("%s: the draft is %s", name, s)
		}
	}
}

func TestDraftRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*DraftInput){
		"no status": func(in *DraftInput) { in.Status = "" },
		"system":    func(in *DraftInput) { in.Status = alert.System },
		"draft":     func(in *DraftInput) { in.Status = alert.Draft },
		"channel":   func(in *DraftInput) { in.Kinds = []channels.Kind{channels.App} },
	} {
		o := newOffice(t)
		in := storm(alert.Extreme, "22101")
		change(&in)
		var bad *InputError
		if _, err := o.Draft(t.Context(), "binh", in); !errors.As(err, &bad) || len(o.cases) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := newOffice(t)
	if _, err := o.Draft(t.Context(), "mallory", storm(alert.Minor, "22101")); !errors.Is(err, ErrNoAuthority) {
		t.Errorf("nobody drafts: %v", err)
	}
}

func TestDraftWithAKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	in := storm(alert.Extreme, "22101")
	in.Key = "k1"
	a, err := o.Draft(t.Context(), "binh", in)
	if err != nil {
		t.Fatal(err)
	}
	o.now = o.now.Add(time.Hour)
	b, err := o.Draft(t.Context(), "binh", in)
	if err != nil || a.ID != b.ID || a.Submission.Revision.Code != b.Submission.Revision.Code || len(o.cases) != 1 || len(o.records) != 1 {
		t.Errorf("%v; %d cases", err, len(o.cases))
	}
	o.now = start
	if _, err := o.Submit(t.Context(), "binh", a.ID); err != nil {
		t.Fatal(err)
	}
	if b, err := o.Draft(t.Context(), "binh", in); err != nil || b.State != alert.Submitted {
		t.Errorf("repeated after it was submitted: %v", err)
	}
	other := storm(alert.Severe, "22101")
	other.Key = "k1"
	if _, err := o.Draft(t.Context(), "binh", other); !errors.Is(err, ErrConflict) {
		t.Errorf("same key, another text: %v", err)
	}
	if c, err := o.Draft(t.Context(), "chi", other); err != nil || c.ID == a.ID {
		t.Errorf("another person's key: %v", err)
	}
}

func TestRejectedStaysRejected(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.submitted(t, storm(alert.Extreme, "22101"))
	if _, err := o.Reject(t.Context(), "em", c.ID, ""); !errors.Is(err, ErrTerritory) {
		t.Errorf("another province rejects: %v", err)
	}
	if _, err := o.Reject(t.Context(), "chi", c.ID, strings.Repeat("ă", MaxReason)); err != nil {
		t.Fatal(err)
	}
	var move *alert.MoveError
	if _, err := o.Submit(t.Context(), "binh", c.ID); !errors.As(err, &move) {
		t.Errorf("submit what is rejected: %v", err)
	}
	if d := o.records[len(o.records)-1].Detail; len(d) > MaxReason+200 || strings.Contains(d, "\ufffd") {
		t.Errorf("detail of %d bytes", len(d))
	}
}

func TestApproveAfterExpiry(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.submitted(t, storm(alert.Extreme, "22101"))
	o.now = start.Add(6 * time.Hour)
	var bad *InputError
	if _, err := o.Approve(t.Context(), "chi", c.ID, c.Hash, ""); !errors.As(err, &bad) || bad.Field != "expires" || len(o.requests) != 0 {
		t.Errorf("%v", err)
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	if n, err := o.Expire(t.Context()); n != 0 || err != nil {
		t.Errorf("before its expiry: %d, %v", n, err)
	}
	o.now = start.Add(6 * time.Hour)
	if n, err := o.Expire(t.Context()); n != 1 || err != nil || o.state(t, c.ID) != alert.Ended {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := o.Expire(t.Context()); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	if diff := cmp.Diff([]alert.ID{c.ID}, o.ended); diff != "" {
		t.Error(diff)
	}
	if last := o.acts()[len(o.acts())-1]; last != "system alert.end" {
		t.Error(last)
	}
}
