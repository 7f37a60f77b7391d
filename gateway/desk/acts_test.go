package desk

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/dispatch"
)

func correction() CorrectInput {
	in := info(alert.Minor)
	in.Headline, in.Description, in.Expires = "Đính chính: không có bão", "Tin trước phát nhầm.", time.Time{}
	return CorrectInput{Reason: "Phát nhầm", Infos: []alert.Info{in}, Key: "c1"}
}

func TestStop(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	if _, err := o.Stop(t.Context(), "em", c.ID, StopInput{}); !errors.Is(err, ErrTerritory) || o.state(t, c.ID) != alert.Approved {
		t.Errorf("another province stops: %v", err)
	}
	for range 2 {
		if s, err := o.Stop(t.Context(), "binh", c.ID, StopInput{Reason: "Chờ xác minh"}); err != nil || s.State != alert.Stopped {
			t.Fatal(err)
		}
	}
	if len(o.requests) != 1 || len(o.cases) != 1 {
		t.Error("a stop said something")
	}
	if diff := cmp.Diff([]alert.ID{c.ID}, o.ended); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"p_binh alert.draft", "p_binh alert.submit", "p_chi alert.approve", "p_binh alert.stop"}, o.acts()); diff != "" {
		t.Error(diff)
	}
	var move *alert.MoveError
	if _, err := o.Approve(t.Context(), "dung", c.ID, c.Hash, ""); !errors.As(err, &move) {
		t.Errorf("approve after stop: %v", err)
	}
	if _, err := o.Stop(t.Context(), "binh", o.submitted(t, storm(alert.Minor, "22101")).ID, StopInput{}); !errors.As(err, &move) {
		t.Errorf("stop what was never sent: %v", err)
	}
}

func TestStopWithANotice(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	in := StopInput{Reason: "Chờ xác minh", Notice: correction().Infos, Key: "s1"}
	bad := in
	bad.Notice = []alert.Info{{Headline: "x"}}
	if s, err := o.Stop(t.Context(), "chi", c.ID, bad); err == nil || s == nil || o.state(t, c.ID) != alert.Stopped {
		t.Errorf("a bad notice held up the stop: %v", err)
	}
	for range 2 {
		if _, err := o.Stop(t.Context(), "chi", c.ID, in); err != nil {
			t.Fatal(err)
		}
	}
	if len(o.requests) != 2 || o.requests[1].Cause != dispatch.Stopped || *o.requests[1].Reached != (dispatch.Reached{Alert: c.ID, Revision: 1}) {
		t.Errorf("%+v", o.requests)
	}
	if s := o.state(t, c.ID); s != alert.Stopped {
		t.Errorf("the notice made the alert %s", s)
	}
}

// Two people who stop the same alert at once tell the public once.
func TestAStopHasOneNotice(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	in := StopInput{Reason: "Chờ xác minh", Notice: correction().Infos, Key: "s1"}
	if _, err := o.Stop(t.Context(), "chi", c.ID, in); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"s2", ""} {
		in.Key = key
		if s, err := o.Stop(t.Context(), "binh", c.ID, in); err != nil || s.State != alert.Stopped {
			t.Errorf("key %q: the same notice from another person: %v", key, err)
		}
	}
	in.Notice = correction().Infos
	in.Notice[0].Headline = "Tin khác"
	if s, err := o.Stop(t.Context(), "binh", c.ID, in); !errors.Is(err, ErrConflict) || s == nil || s.State != alert.Stopped {
		t.Errorf("another notice: %v", err)
	}
	if len(o.requests) != 2 {
		t.Errorf("%d requests: people are told twice", len(o.requests))
	}
}

func TestCorrect(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101", "22102"))
	o.now = o.now.Add(3 * time.Minute)
	fix, err := o.Correct(t.Context(), "binh", c.ID, correction())
	if err != nil {
		t.Fatal(err)
	}
	if o.state(t, c.ID) != alert.Superseded || o.state(t, fix.ID) != alert.Approved {
		t.Errorf("old %s, correction %s", o.state(t, c.ID), o.state(t, fix.ID))
	}
	r := o.requests[1]
	if r.Cause != dispatch.Correction || r.Priority != 0 || r.Areas != nil || *r.Reached != (dispatch.Reached{Alert: c.ID, Revision: 1}) || r.Alert != fix.ID {
		t.Errorf("%+v", r)
	}
	rev := fix.Submission.Revision
	if diff := cmp.Diff(c.Submission.Revision.Targets(), rev.Targets()); diff != "" {
		t.Errorf("the text does not cover who was reached: %s", diff)
	}
	if diff := cmp.Diff([]alert.Reference{c.Submission.Revision.Reference()}, rev.References); diff != "" {
		t.Error(diff)
	}
	if !rev.Expires().Equal(o.now.Add(correctionLife)) || rev.MsgType != alert.MsgUpdate || rev.Status != alert.Actual {
		t.Errorf("%+v", rev)
	}
	o.now = o.now.Add(time.Minute)
	again, err := o.Correct(t.Context(), "binh", c.ID, correction())
	if err != nil || again.ID != fix.ID || len(o.requests) != 2 {
		t.Errorf("again: %v, %d requests", err, len(o.requests))
	}
	other := correction()
	other.Infos[0].Headline = "Khác"
	if _, err := o.Correct(t.Context(), "binh", c.ID, other); !errors.Is(err, ErrConflict) {
		t.Errorf("same key, another text: %v", err)
	}
	other.Key = "c2"
	var by *SupersededError
	if _, err := o.Correct(t.Context(), "chi", c.ID, other); !errors.As(err, &by) || by.By != fix.ID || len(o.requests) != 2 {
		t.Errorf("a second correction of the same alert: %v", err)
	}
	if last := o.ended[len(o.ended)-1]; last != c.ID {
		t.Errorf("ended %v", o.ended)
	}
}

// A correction that leaves out how grave the alert is goes to all of its
// communes: as the gravest of its infos, in whatever order they stand.
func TestACorrectionIsAsGraveAsTheGravestOfTheAlert(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	in := storm(alert.Extreme, "22101")
	add := func(lang string, severity alert.Severity, commune string) {
		next := info(severity, commune)
		next.Language, next.Event, next.Urgency = lang, lang+string(severity), "Future"
		in.Infos = append(in.Infos, next)
	}
	add("vi-VN", alert.Severe, "22102")
	add("en-US", alert.Severe, "22102")
	add("en-US", alert.Extreme, "22101")
	c := o.approved(t, in)
	fix := correction()
	for _, lang := range []string{"en-US", "fr-FR"} {
		second := fix.Infos[0]
		second.Language = lang
		fix.Infos = append(fix.Infos, second)
	}
	for i := range fix.Infos {
		fix.Infos[i].Severity, fix.Infos[i].Urgency, fix.Infos[i].Event = "", "", ""
	}
	sent, err := o.Correct(t.Context(), "chi", c.ID, fix)
	if err != nil {
		t.Fatal(err)
	}
	for i, event := range []string{"Bão", "en-USExtreme", "Bão"} {
		if got := sent.Submission.Revision.Infos[i]; got.Severity != alert.Extreme || got.Urgency != "Immediate" || got.Event != event {
			t.Errorf("infos[%d]: %s, %s, %s", i, got.Severity, got.Urgency, got.Event)
		}
	}
}

func TestCorrectRefuses(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	withArea := correction()
	withArea.Infos = []alert.Info{info(alert.Minor, "22102")}
	bad := correction()
	bad.Infos[0].Headline = ""
	for name, tc := range map[string]struct {
		by channels.Secret
		in CorrectInput
	}{
		"another province": {"em", correction()}, "nobody": {"", correction()}, "no text": {"chi", CorrectInput{}}, "an area": {"chi", withArea}, "a bad text": {"chi", bad},
	} {
		if _, err := o.Correct(t.Context(), tc.by, c.ID, tc.in); err == nil || len(o.cases) != 1 || o.state(t, c.ID) != alert.Approved {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACorrectionCutShortIsFinishedByItsRepetition(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	crash := errors.New("crash")
	o.fault = crash
	if _, err := o.Correct(t.Context(), "chi", c.ID, correction()); !errors.Is(err, crash) || len(o.requests) != 1 {
		t.Fatalf("%v", err)
	}
	fix, err := o.Correct(t.Context(), "chi", c.ID, correction())
	if err != nil || o.state(t, fix.ID) != alert.Approved || o.state(t, c.ID) != alert.Superseded || len(o.requests) != 2 || len(o.cases) != 2 {
		t.Errorf("%v; %d requests, %d cases", err, len(o.requests), len(o.cases))
	}
}

func TestUpdateAndAllClearNeedTwo(t *testing.T) {
	t.Parallel()
	for _, first := range []alert.Severity{alert.Extreme, alert.Moderate} {
		o := newOffice(t)
		c := o.approved(t, storm(first, "22101"))
		in := storm(alert.Minor, "22101", "22103")
		in.Status = "" // an update has the status of what it replaces
		if _, err := o.AllClear(t.Context(), "binh", c.ID, in); err == nil {
			t.Error("an all-clear that does not say so")
		}
		in.Infos[0].ResponseTypes = []alert.ResponseType{"AllClear"}
		u, err := o.AllClear(t.Context(), "binh", c.ID, in)
		if err != nil {
			t.Fatal(err)
		}
		if u, err = o.Submit(t.Context(), "binh", u.ID); err != nil {
			t.Fatal(err)
		}
		if o.state(t, c.ID) != alert.Approved || u.Submission.Revision.Status != alert.Actual {
			t.Errorf("before its approval an update has an effect: %s", o.state(t, c.ID))
		}
		_, err = o.Approve(t.Context(), "binh", u.ID, u.Hash, "")
		if first == alert.Moderate {
			if err != nil {
				t.Errorf("replacing a moderate alert: %v", err)
			}
			continue
		}
		if !errors.Is(err, ErrOwnAlert) {
			t.Errorf("one person ends an extreme danger: %v", err)
		}
		if _, err := o.Approve(t.Context(), "chi", u.ID, u.Hash, ""); err != nil {
			t.Fatal(err)
		}
		r := o.requests[1]
		if o.state(t, c.ID) != alert.Superseded || r.Cause != dispatch.Updated || len(r.Areas) != 2 || r.Reached != nil || r.Priority != 0 {
			t.Errorf("old %s, %+v", o.state(t, c.ID), r)
		}
	}
}

// An update ends the whole of the old alert: nobody does that whose territory
// does not hold it, however small the update's own area is.
func TestAnUpdateNeedsTheTerritoryOfWhatItEnds(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Moderate, "22101", "22102"))
	if _, err := o.Update(t.Context(), "xa", c.ID, storm(alert.Moderate, "22101")); !errors.Is(err, ErrTerritory) {
		t.Errorf("a commune's clerk drafts the end of two communes' alert: %v", err)
	}
	clear := storm(alert.Moderate, "22101")
	clear.Infos[0].ResponseTypes = []alert.ResponseType{"AllClear"}
	if _, err := o.AllClear(t.Context(), "xa", c.ID, clear); !errors.Is(err, ErrTerritory) {
		t.Errorf("an all-clear: %v", err)
	}
	small, err := o.Update(t.Context(), "dung", c.ID, storm(alert.Moderate, "22101"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Submit(t.Context(), "dung", small.ID); !isInput(err, "infos.areas") {
		t.Errorf("an update leaves people of a commune without their warning: %v", err)
	}
	u, err := o.Update(t.Context(), "dung", c.ID, storm(alert.Moderate, "22101", "22102"))
	if err != nil {
		t.Fatal(err)
	}
	if u, err = o.Submit(t.Context(), "dung", u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(t.Context(), "xa", u.ID, u.Hash, ""); !errors.Is(err, ErrTerritory) || len(o.requests) != 1 || o.state(t, c.ID) != alert.Approved {
		t.Errorf("a commune's clerk approves it: %v; old %s", err, o.state(t, c.ID))
	}
	if _, err := o.Approve(t.Context(), "chi", u.ID, u.Hash, ""); err != nil || o.state(t, c.ID) != alert.Superseded {
		t.Errorf("the province approves it: %v; old %s", err, o.state(t, c.ID))
	}
}

func TestOfTwoUpdatesOneTakesThePlace(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	var updates []*Case
	for range 2 {
		u, err := o.Update(t.Context(), "binh", c.ID, storm(alert.Severe, "22101"))
		if err != nil {
			t.Fatal(err)
		}
		if u, err = o.Submit(t.Context(), "binh", u.ID); err != nil {
			t.Fatal(err)
		}
		updates = append(updates, u)
	}
	if _, err := o.Approve(t.Context(), "chi", updates[0].ID, updates[0].Hash, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(t.Context(), "chi", updates[1].ID, updates[1].Hash, ""); !errors.Is(err, ErrConflict) || len(o.requests) != 2 {
		t.Errorf("the second: %v", err)
	}
}

func TestAnUpdateOfAnExpiredAlertIsSent(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	in := storm(alert.Extreme, "22101")
	in.Infos[0].Expires = start.Add(12 * time.Hour)
	u, err := o.Update(t.Context(), "binh", c.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	if u, err = o.Submit(t.Context(), "binh", u.ID); err != nil {
		t.Fatal(err)
	}
	o.now = start.Add(6 * time.Hour)
	if n, err := o.Expire(t.Context()); n != 1 || err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(t.Context(), "chi", u.ID, u.Hash, ""); err != nil || o.state(t, c.ID) != alert.Ended {
		t.Errorf("%v; old %s", err, o.state(t, c.ID))
	}
}

func TestSubmissionHashCoversWhatIsSigned(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	base := o.submitted(t, storm(alert.Extreme, "22101", "22102")).Submission
	want := base.Hash()
	changes := map[string]func(*Submission){
		"text":     func(s *Submission) { r := *s.Revision; r.Note = "x"; s.Revision = &r },
		"communes": func(s *Submission) { s.Communes = s.Communes[:1] },
		"heads":    func(s *Submission) { s.HeadCount = map[channels.Kind]int{channels.SMS: 1} },
		"channels": func(s *Submission) { s.Kinds = s.Kinds[:1] },
		"cause":    func(s *Submission) { s.Cause = dispatch.Updated },
		"replaces": func(s *Submission) { s.Replaces = &dispatch.Reached{Alert: "x", Revision: 1} },
	}
	for name, change := range changes {
		s := base
		change(&s)
		if s.Hash() == want {
			t.Errorf("%s is not covered", name)
		}
	}
	same := clone(Case{Submission: base}).Submission
	same.Kinds[0], same.Kinds[1] = same.Kinds[1], same.Kinds[0]
	if same.Hash() != want {
		t.Error("the order of channels changes the hash")
	}
	if h, err := ParseHash(want.String()); err != nil || h != want {
		t.Errorf("ParseHash: %v", err)
	}
	for _, bad := range []string{"", "00", want.String() + "0", "zz" + want.String()[2:]} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("%q is no hash", bad)
		}
	}
}

func TestParallelApprovalsHaveOneEffect(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.submitted(t, storm(alert.Extreme, "22101"))
	var wg sync.WaitGroup
	faults := make([]error, 10)
	for i := range faults {
		wg.Go(func() { _, faults[i] = o.Approve(t.Context(), "chi", c.ID, c.Hash, "k") })
	}
	wg.Wait()
	if err := errors.Join(faults...); err != nil || len(o.requests) != 1 || len(o.acts()) != 3 {
		t.Errorf("%v; %d requests, %d records", err, len(o.requests), len(o.acts()))
	}
}

func isInput(err error, field string) bool {
	e, ok := errors.AsType[*InputError](err)
	return ok && e.Field == field
}

// A text may have been good when it was submitted and not when it is approved:
// its deadline has passed. Then nothing is approved.
func TestApproveChecksTheTextAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	late := errors.New("deadline is past")
	var past error
	o.o.Check = func(context.Context, *Submission) error { return past }
	c, err := o.Draft(t.Context(), "binh", storm(alert.Extreme, "22101"))
	if err != nil {
		t.Fatal(err)
	}
	if c, err = o.Submit(t.Context(), "binh", c.ID); err != nil {
		t.Fatal(err)
	}
	past = late
	if _, err := o.Approve(t.Context(), "chi", c.ID, c.Hash, ""); !errors.Is(err, late) || len(o.requests) != 0 || o.state(t, c.ID) != alert.Submitted {
		t.Errorf("approved a text that cannot be sent: %v, %d requests, %s", err, len(o.requests), o.state(t, c.ID))
	}
	past = nil
	if _, err := o.Approve(t.Context(), "chi", c.ID, c.Hash, ""); err != nil || len(o.requests) != 1 {
		t.Errorf("the same text, in time: %v", err)
	}
}

// The head-count is signed: many more people than that are not warned on the
// same signature.
func TestApproveHoldsToTheHeadCount(t *testing.T) {
	t.Parallel()
	for grown, want := range map[int]bool{1000: true, 1100: true, 1101: false} {
		o := newOffice(t)
		o.heads = map[channels.Kind]int{channels.SMS: 1000}
		c, err := o.Draft(t.Context(), "binh", storm(alert.Extreme, "22101"))
		if err != nil {
			t.Fatal(err)
		}
		if c, err = o.Submit(t.Context(), "binh", c.ID); err != nil {
			t.Fatal(err)
		}
		o.heads[channels.SMS] = grown
		_, err = o.Approve(t.Context(), "chi", c.ID, c.Hash, "")
		if want && err != nil || !want && (!isInput(err, "headCount") || len(o.requests) != 0) {
			t.Errorf("signed for 1,000, now %d: %v, %d requests", grown, err, len(o.requests))
		}
	}
}
