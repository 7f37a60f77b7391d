package desk

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/alert"
)

// repeating gives the same four bytes of chance to the first calls, and then
// others: two alerts are given the same code.
type repeating struct{ calls int }

func (r *repeating) Read(p []byte) (int, error) {
	r.calls++
	for i := range p {
		p[i] = byte(i)
		if len(p) != 4 || r.calls > 4 {
			p[i] += byte(r.calls)
		}
	}
	return len(p), nil
}

func TestNoTwoLiveAlertsHaveOneCode(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.o.Rand = &repeating{}
	first, second := o.approved(t, storm(alert.Extreme, "22101")), (*Case)(nil)
	draft, err := o.Draft(t.Context(), "binh", storm(alert.Extreme, "22102"))
	if err != nil {
		t.Fatal(err)
	}
	was := draft.Submission.Revision.Code
	if was != first.Submission.Revision.Code {
		t.Fatalf("codes %s and %s: chance did not repeat itself", was, first.Submission.Revision.Code)
	}
	if second, err = o.Submit(t.Context(), "binh", draft.ID); err != nil {
		t.Fatal(err)
	}
	r := second.Submission.Revision
	if r.Code == was || r.Infos[0].Slots["code"] != r.Code || second.Hash != second.Submission.Hash() {
		t.Errorf("code %s, was %s; slots %v", r.Code, was, r.Infos[0].Slots)
	}
	// An alert keeps its own code, and may have that of one that has expired.
	o.now = start.Add(7 * time.Hour)
	in := storm(alert.Extreme, "22103")
	in.Infos[0].Expires = o.now.Add(time.Hour)
	o.o.Rand = &repeating{}
	if late := o.submitted(t, in); late.Submission.Revision.Code != was {
		t.Errorf("code %s, want %s of the expired alert", late.Submission.Revision.Code, was)
	}
}

// faulty fails to list cases.
type faulty struct{ Store }

var errList = errors.New("one row cannot be read")

func (faulty) Cases(context.Context, []alert.State, int) ([]Case, error) { return nil, errList }

func TestAnUnreadableAlertHoldsUpNoCorrection(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	draft, err := o.Draft(t.Context(), "binh", storm(alert.Extreme, "22102"))
	if err != nil {
		t.Fatal(err)
	}
	o.o.Store = faulty{o.memory}
	if _, err := o.Submit(t.Context(), "binh", draft.ID); !errors.Is(err, errList) {
		t.Errorf("a submission whose code may be taken: %v", err)
	}
	if _, err := o.Correct(t.Context(), "chi", c.ID, CorrectInput{Reason: "nhầm", Infos: []alert.Info{info(alert.Extreme)}}); err != nil {
		t.Errorf("a correction: %v", err)
	}
}

// People on a channel that is not configured are counted, and signed.
func TestWhoCannotBeReachedIsCounted(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.submitted(t, storm(alert.Extreme, "22101", "22102"))
	if diff := cmp.Diff(map[channels.Kind]int{channels.App: 80}, c.Submission.Unheard); diff != "" {
		t.Error(diff)
	}
	told := c.Submission
	told.Unheard = map[channels.Kind]int{channels.App: 79}
	silent := c.Submission
	silent.Unheard = nil
	if c.Hash == told.Hash() || c.Hash == silent.Hash() || told.Hash() == silent.Hash() {
		t.Error("the hash does not hold who cannot be reached")
	}
	if _, err := o.Approve(t.Context(), "chi", c.ID, c.Hash, ""); err != nil {
		t.Error(err)
	}
	// A channel that the author left out is configured all the same.
	in := storm(alert.Extreme, "22101")
	in.Kinds = []channels.Kind{channels.SMS}
	o.heads[channels.App] = 0
	if c := o.submitted(t, in); c.Submission.Unheard != nil {
		t.Errorf("%v", c.Submission.Unheard)
	}
}

// An update that was drafted while its alert was live cannot be submitted once
// another has taken that alert's place.
func TestNoUpdateOfWhatIsReplaced(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	old := o.approved(t, storm(alert.Extreme, "22101"))
	late, err := o.Update(t.Context(), "binh", old.ID, storm(alert.Extreme, "22101"))
	if err != nil {
		t.Fatal(err)
	}
	fix, err := o.Correct(t.Context(), "chi", old.ID, CorrectInput{Reason: "nhầm", Infos: []alert.Info{info(alert.Extreme)}})
	if err != nil {
		t.Fatal(err)
	}
	second, err := o.Correct(t.Context(), "chi", fix.ID, CorrectInput{Reason: "nhầm lần nữa", Infos: []alert.Info{info(alert.Extreme)}})
	if err != nil {
		t.Fatal(err)
	}
	want := SupersededError{Alert: old.ID, By: second.ID}
	var by *SupersededError
	if _, err := o.Submit(t.Context(), "binh", late.ID); !errors.As(err, &by) || *by != want {
		t.Errorf("submit: %v", err)
	}
	if _, err := o.Update(t.Context(), "binh", old.ID, storm(alert.Extreme, "22101")); !errors.As(err, &by) || *by != want {
		t.Errorf("draft: %v", err)
	}
}

// A clock that is set back must not hold up the correction of a mistake.
func TestAClockSetBackHoldsUpNoCorrection(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := o.approved(t, storm(alert.Extreme, "22101"))
	second := o.approved(t, storm(alert.Extreme, "22102"))
	o.now = o.now.Add(-time.Minute)
	fix, err := o.Correct(t.Context(), "binh", first.ID, CorrectInput{Reason: "Sai xã", Infos: []alert.Info{info(alert.Minor)}})
	if err != nil || fix.State != alert.Approved || fix.Submission.Revision.Sent.Before(first.Submission.Revision.Sent) {
		t.Errorf("correction: %+v, %v", fix, err)
	}
	if _, err := o.Stop(t.Context(), "binh", second.ID, StopInput{Reason: "Nhầm", Notice: []alert.Info{info(alert.Minor)}}); err != nil {
		t.Errorf("a stop's notice: %v", err)
	}
}
