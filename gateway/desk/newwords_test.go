package desk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
)

// One person sends a mild warning; what its template says in passing of graver
// dangers lets nobody add them.
func TestNobodyAloneRaisesADanger(t *testing.T) {
	t.Parallel()
	o := catalogued(t)
	in := drafted(of("rain", alert.Minor, "22101"))
	in.Infos[0].Event, in.Infos[0].Headline, in.Infos[0].Instruction = "Mưa lớn", "Mưa lớn, đề phòng lũ quét", "Sẵn sàng sơ tán."
	live := o.approved(t, in)
	for name, c := range map[string]struct {
		change func(*alert.Info)
		field  string
	}{
		"the template's danger": {func(in *alert.Info) { in.SenderName = "Tin lũ quét" }, "infos[0].senderName"},
		"free words":            {func(in *alert.Info) { in.SenderName = "Đài báo nước đã cạn, ra biển ngay" }, "infos[0].senderName"},
		"people sent away":      {func(in *alert.Info) { in.Contact = "sơ tán ngay" }, "infos[0].contact"},
		"a code":                {func(in *alert.Info) { in.EventCodes = []alert.NamedValue{{Name: "x", Value: "y"}} }, "infos[0].eventCodes[0]"},
		"another hazard":        {func(in *alert.Info) { in.EventCodes = []alert.NamedValue{{Name: alert.HazardName, Value: "tsunami"}} }, "infos[0].eventCodes[0]"},
		"letters alike":         {func(in *alert.Info) { in.Slots = map[string]string{"x": "sơ tаn"} }, "infos[0].slots.x"},
		"a slot":                {func(in *alert.Info) { in.Slots = map[string]string{"x": "đập đã vỡ"} }, "infos[0].slots.x"},
		"another event":         {func(in *alert.Info) { in.Event = "Biển lạ" }, "infos[0].event"},
		"an audience":           {func(in *alert.Info) { in.Audience = "Mọi người" }, "infos[0].audience"},
		"an address":            {func(in *alert.Info) { in.Web = "https://loa.example/x" }, "infos[0].web"},
		"a parameter":           {func(in *alert.Info) { in.Parameters = []alert.NamedValue{{Name: "x", Value: "y"}} }, "infos[0].parameters[0]"},
		"a resource":            {func(in *alert.Info) { in.Resources = []alert.Resource{{Desc: "y"}} }, "infos[0].resources[0]"},
		"Evacuate":              {func(in *alert.Info) { in.ResponseTypes = []alert.ResponseType{evacuate} }, "infos[0].responseTypes"},
	} {
		for _, template := range []string{"false", "stop"} {
			in := of(template, alert.Minor)
			in.Event = ""
			c.change(&in)
			var err error
			if template == "stop" {
				// A stop is not undone by a bad notice: this one is of its own alert.
				second := o.approved(t, DraftInput{Status: alert.Actual, Infos: live.Submission.Revision.Infos})
				_, err = o.Stop(t.Context(), "chi", second.ID, StopInput{Reason: "x", Notice: []alert.Info{in}})
			} else {
				_, err = o.Correct(t.Context(), "chi", live.ID, CorrectInput{Reason: "x", Infos: []alert.Info{in}})
			}
			if !isInput(err, c.field) {
				t.Errorf("%s, %s: %v", name, template, err)
			}
		}
	}
	whole := of("false", alert.Minor)
	whole.Event, whole.SenderName = "", ""
	whole.EventCodes = []alert.NamedValue{{Name: alert.HazardName, Value: "rain"}}
	fix, err := o.Correct(t.Context(), "chi", live.ID, CorrectInput{Reason: "nhầm với lũ quét, sơ tán", Infos: []alert.Info{whole}})
	if err != nil || fix.State != alert.Approved || fix.Submission.Revision.Note != "" || fix.Submission.Revision.Infos[0].SenderName != agency {
		t.Errorf("a correction as the catalogue has it: %v", err)
	}
}

// The agency's own name is nobody's warning, whatever it speaks of; that and
// every other word is named by its field.
func TestTheNameOfTheAgencyIsNoWarning(t *testing.T) {
	t.Parallel()
	o := catalogued(t)
	for name, why := range map[string]string{"": "", agency: "", "Tin sóng thần": "infos[0].senderName"} {
		in := drafted(of("rain", alert.Minor, "22101"))
		in.Infos[0].SenderName = name
		c := o.submitted(t, in)
		_, err := o.Approve(t.Context(), "binh", c.ID, c.Hash, "")
		if why == "" && err != nil || why != "" && (!errors.Is(err, ErrOwnAlert) || !strings.Contains(err.Error(), why)) {
			t.Errorf("sender %q: %v", name, err)
		}
	}
}

// Evacuate of an alert is said again by its correction.
func TestEvacuateAsBefore(t *testing.T) {
	t.Parallel()
	o := catalogued(t)
	first := of("rain", alert.Severe, "22101")
	first.ResponseTypes = []alert.ResponseType{evacuate}
	live := o.approved(t, drafted(first))
	in := of("false", alert.Minor)
	in.ResponseTypes = []alert.ResponseType{evacuate}
	if _, err := o.Correct(t.Context(), "chi", live.ID, CorrectInput{Infos: []alert.Info{in}}); err != nil {
		t.Error(err)
	}
}

// A correction in its author's words waits for another person; the alert stands
// until then, and its author takes it back at once with another text.
func TestACorrectionInNewWordsNeedsTwo(t *testing.T) {
	t.Parallel()
	o := catalogued(t)
	live := o.approved(t, drafted(of("rain", alert.Minor, "22101")))
	in := of("detail", alert.Minor)
	in.Slots = map[string]string{"right": "sơ tán đến trường Bãi Cháy"}
	correct := CorrectInput{Reason: "sai nơi", Infos: []alert.Info{in}, Key: "k"}
	var waiting *Case
	for range 2 {
		var err error
		if waiting, err = o.Correct(t.Context(), "binh", live.ID, correct); err != nil || waiting.State != alert.Submitted {
			t.Fatalf("%v, %+v", err, waiting)
		}
	}
	if len(o.requests) != 1 || len(o.cases) != 2 || o.state(t, live.ID) != alert.Approved {
		t.Fatalf("one person has sent it: %d requests, %d cases", len(o.requests), len(o.cases))
	}
	// What would be sent is asked without sending, whatever the key has left.
	correct.Preview = true
	seen, err := o.Correct(t.Context(), "binh", live.ID, correct)
	if err != nil || seen.State != alert.Drafted || len(o.requests) != 1 || len(o.cases) != 2 {
		t.Errorf("preview: %v, %+v", err, seen)
	}
	_, err = o.Approve(t.Context(), "binh", waiting.ID, waiting.Hash, "")
	if !errors.Is(err, ErrOwnAlert) || !strings.Contains(err.Error(), "fastest with false, or stops it") {
		t.Errorf("its author: %v", err)
	}
	sent, err := o.Approve(t.Context(), "chi", waiting.ID, waiting.Hash, "")
	if err != nil || sent.State != alert.Approved || o.state(t, live.ID) != alert.Superseded || len(o.requests) != 2 || o.requests[1].Reached == nil {
		t.Errorf("another: %v, %d requests", err, len(o.requests))
	}
	// A returned correction stays what it was made for.
	next, err := o.Correct(t.Context(), "binh", sent.ID, CorrectInput{Infos: []alert.Info{in}})
	if err == nil {
		_, err = o.Return(t.Context(), "chi", next.ID, "xem lại")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Edit(t.Context(), "binh", next.ID, drafted(of("false", alert.Minor, "22102"))); !isInput(err, "cause") {
		t.Errorf("edited: %v", err)
	}
}

// A correction that another person has refused is not sent by repeating the
// call, and is not answered as if it were.
func TestARefusedCorrectionIsNotAnsweredAsSent(t *testing.T) {
	t.Parallel()
	for state, refuse := range map[alert.State]func(*Desk, context.Context, channels.Secret, alert.ID, string) (*Case, error){
		alert.Returned: (*Desk).Return, alert.Rejected: (*Desk).Reject,
	} {
		o := catalogued(t)
		live := o.approved(t, drafted(of("rain", alert.Minor, "22101")))
		in := CorrectInput{Infos: []alert.Info{of("detail", alert.Minor)}, Key: "k"}
		waiting, err := o.Correct(t.Context(), "binh", live.ID, in)
		if err == nil {
			_, err = refuse(o.Desk, t.Context(), "chi", waiting.ID, "sai")
		}
		if err != nil {
			t.Fatal(err)
		}
		var move *alert.MoveError
		if c, err := o.Correct(t.Context(), "binh", live.ID, in); !errors.As(err, &move) || move.From != state || c != nil || len(o.requests) != 1 {
			t.Errorf("%s: %v, %+v", state, err, c)
		}
		in.Key = "k2"
		if c, err := o.Correct(t.Context(), "binh", live.ID, in); err != nil || c.State != alert.Submitted {
			t.Errorf("%s: another key: %v", state, err)
		}
	}
}

// A call that was cut short left a submitted correction; a dry run with its key
// sends nothing.
func TestADryRunSendsNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	crash := errors.New("crash")
	o.fault = crash
	if _, err := o.Correct(t.Context(), "chi", c.ID, correction()); !errors.Is(err, crash) || len(o.cases) != 2 {
		t.Fatalf("%v", err)
	}
	in := correction()
	in.Preview = true
	if seen, err := o.Correct(t.Context(), "chi", c.ID, in); err != nil || seen.State != alert.Drafted || len(o.requests) != 1 || o.state(t, c.ID) != alert.Approved {
		t.Errorf("a dry run: %v, %d requests", err, len(o.requests))
	}
}

// What names no danger is not corrected by "the danger remains".
func TestTheCorrectionOfNoDanger(t *testing.T) {
	t.Parallel()
	o := catalogued(t)
	for template, by := range map[string]string{"outage": "false", "rain": "false", "": "false", "clear": "clear.false", "false": "clear.false", "clear.false": "false"} {
		c := &Case{State: alert.Approved, Submission: Submission{Revision: &alert.Revision{Status: alert.Actual, Infos: []alert.Info{of(template, alert.Minor)}}}}
		if got := o.CorrectedBy(c); got != by {
			t.Errorf("%q is taken back by %q, want %q", template, got, by)
		}
		c.Submission.Revision.Status = alert.Test
		if got := o.CorrectedBy(c); got != "" {
			t.Errorf("%q, as a test: %q", template, got)
		}
	}
	live := o.approved(t, drafted(of("outage", alert.Minor, "22101")))
	for _, wrong := range []string{"detail", "clear.false"} {
		_, err := o.Correct(t.Context(), "chi", live.ID, CorrectInput{Infos: []alert.Info{of(wrong, alert.Minor)}})
		if !isInput(err, "infos[0].template") || !strings.Contains(err.Error(), "must be false: ") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if _, err := o.Correct(t.Context(), "chi", live.ID, CorrectInput{Infos: []alert.Info{of("false", alert.Minor)}}); err != nil {
		t.Error(err)
	}
}

// That the words could not be written again is no other correction.
func TestARepetitionThatCannotBeReadIsNoConflict(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.approved(t, storm(alert.Extreme, "22101"))
	if _, err := o.Correct(t.Context(), "chi", c.ID, correction()); err != nil {
		t.Fatal(err)
	}
	whole, gone := o.o.Complete, errors.New("store is away")
	o.o.Complete = func(ctx context.Context, _ *alert.Revision) error { return errors.Join(gone, ctx.Err()) }
	if _, err := o.Correct(t.Context(), "chi", c.ID, correction()); !errors.Is(err, gone) || errors.Is(err, ErrConflict) {
		t.Errorf("%v", err)
	}
	o.o.Complete = whole
	o.now = o.now.Add(time.Second)
	if _, err := o.Correct(t.Context(), "chi", c.ID, correction()); err != nil {
		t.Error(err)
	}
}
