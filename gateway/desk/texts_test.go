package desk

import (
	"errors"
	"strings"
	"testing"

	"loa/gateway/alert"
	"loa/gateway/dispatch"
)

// catalogued gives the desk a few texts of each act; own words are as in the
// catalogue: new warnings that two people sign.
func catalogued(t *testing.T) *office {
	t.Helper()
	o := newOffice(t)
	one := func(act alert.TextAct, means, corrects alert.Meaning) alert.TextRule {
		return alert.TextRule{Acts: []alert.TextAct{act}, Means: means, Corrects: corrects}
	}
	o.o.Texts = map[string]alert.TextRule{
		"":            {Acts: []alert.TextAct{alert.TextDraft}, Means: alert.MeansDanger, Two: true},
		"rain":        one(alert.TextDraft, alert.MeansDanger, ""),
		"update":      one(alert.TextUpdate, alert.MeansDanger, ""),
		"clear":       one(alert.TextAllClear, alert.MeansSafe, ""),
		"false":       one(alert.TextCorrect, alert.MeansSafe, alert.MeansDanger),
		"clear.false": one(alert.TextCorrect, alert.MeansDanger, alert.MeansSafe),
		"detail":      {Acts: []alert.TextAct{alert.TextCorrect}, Means: alert.MeansDanger, Corrects: alert.MeansDanger, Two: true},
		"outage":      one(alert.TextDraft, alert.MeansNothing, ""),
		"stop":        one(alert.TextStop, alert.MeansDanger, ""),
		"exercise":    {Acts: []alert.TextAct{alert.TextDraft}, Means: alert.MeansNothing, Status: alert.Exercise},
	}
	return o
}

func of(template string, severity alert.Severity, communes ...string) alert.Info {
	in := info(severity, communes...)
	in.Template = template
	return in
}

func drafted(in alert.Info) DraftInput {
	return DraftInput{Status: alert.Actual, Infos: []alert.Info{in}}
}

// What is refused names the field and what would be right, and leaves nothing.
func TestTextsOfTheActs(t *testing.T) {
	t.Parallel()
	o := catalogued(t)
	live := o.approved(t, drafted(of("rain", alert.Minor, "22101")))
	before := len(o.cases)
	for name, c := range map[string]struct {
		in    CorrectInput
		field string
		says  string
	}{
		"own words":         {CorrectInput{Infos: []alert.Info{info(alert.Minor)}}, "infos[0].template", "an author's own wording is no text of a correction (Đính chính); its texts are clear.false, detail, false"},
		"a new warning":     {CorrectInput{Infos: []alert.Info{of("rain", alert.Minor)}}, "infos[0].template", "clear.false, detail, false"},
		"the second info":   {CorrectInput{Infos: []alert.Info{of("false", alert.Minor), of("update", alert.Minor)}}, "infos[1].template", "clear.false, detail, false"},
		"no such text":      {CorrectInput{Infos: []alert.Info{of("nix", alert.Minor)}}, "infos[0].template", `no such template: "nix"`},
		"of an all-clear":   {CorrectInput{Infos: []alert.Info{of("clear.false", alert.Minor)}}, "infos[0].template", "must be one of detail, false: "},
		"an exercise":       {CorrectInput{Infos: []alert.Info{of("exercise", alert.Minor)}}, "infos[0].template", "its status is Exercise"},
		"graver":            {CorrectInput{Infos: []alert.Info{of("false", alert.Severe)}}, "infos[0].severity", "at most Minor"},
		"its status":        {CorrectInput{Status: alert.Exercise, Infos: []alert.Info{of("false", alert.Minor)}}, "status", "must be Actual"},
		"its status a test": {CorrectInput{Status: alert.Test, Infos: []alert.Info{of("false", alert.Minor)}}, "status", "must be Actual"},
	} {
		_, err := o.Correct(t.Context(), "chi", live.ID, c.in)
		var input *InputError
		if !errors.As(err, &input) || input.Field != c.field || !strings.Contains(input.Rule, c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if len(o.cases) != before || len(o.requests) != 1 || o.state(t, live.ID) != alert.Approved {
			t.Fatalf("%s left something: %d cases, %d requests", name, len(o.cases), len(o.requests))
		}
	}
	mixed := drafted(of("clear", alert.Minor, "22101"))
	mixed.Infos = append(mixed.Infos, of("clear", alert.Minor, "22101"))
	mixed.Infos[0].ResponseTypes = []alert.ResponseType{allClear}
	for name, in := range map[string]DraftInput{"half an all-clear": mixed, "an all-clear that says so nowhere": drafted(of("clear", alert.Minor, "22101"))} {
		u, err := o.Update(t.Context(), "binh", live.ID, in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Submit(t.Context(), "binh", u.ID); !isInput(err, "infos.responseTypes") && !isInput(err, "infos[0].template") {
			t.Errorf("%s: %v", name, err)
		}
		// A draft's status is refused where it is given.
		in.Status = alert.Exercise
		if _, err := o.Edit(t.Context(), "binh", u.ID, in); !isInput(err, "status") {
			t.Errorf("%s, as an exercise: %v", name, err)
		}
	}
	if _, err := o.Stop(t.Context(), "chi", live.ID, StopInput{Reason: "x", Notice: []alert.Info{of("false", alert.Minor)}}); !isInput(err, "infos[0].template") || len(o.requests) != 1 {
		t.Errorf("a stop's notice: %v", err)
	}
}

// A submission that was stored otherwise is refused again when it is sent.
func TestWhatIsSentIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	o := catalogued(t)
	c := o.submitted(t, drafted(of("rain", alert.Minor, "22101")))
	stored := o.cases[c.ID]
	r := *stored.Submission.Revision
	r.Infos = []alert.Info{of("update", alert.Minor, "22101")}
	stored.Submission.Revision = &r
	stored.Hash = stored.Submission.Hash()
	o.cases[c.ID] = stored
	if _, err := o.Approve(t.Context(), "chi", c.ID, stored.Hash, ""); !isInput(err, "infos[0].template") || len(o.requests) != 0 {
		t.Errorf("another act's text: %v", err)
	}
	stored.Submission.Cause = dispatch.Correction
	stored.Hash = stored.Submission.Hash()
	o.cases[c.ID] = stored
	if _, err := o.Approve(t.Context(), "binh", c.ID, stored.Hash, ""); !isInput(err, "cause") || len(o.requests) != 0 {
		t.Errorf("a correction of nothing: %v", err)
	}
	o.o.Texts = nil
	d := o.Desk
	draft, err := d.Draft(t.Context(), "binh", storm(alert.Minor, "22101"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Submit(t.Context(), "binh", draft.ID); !isInput(err, "infos[0].template") {
		t.Errorf("a desk that knows no text takes one: %v", err)
	}
}

// Two people end what two people have begun, however many mild messages stand
// between.
func TestTheWholeStoryIsAskedForASecondSignature(t *testing.T) {
	t.Parallel()
	o := catalogued(t)
	first := o.approved(t, drafted(of("rain", alert.Extreme, "22101")))
	fix, err := o.Correct(t.Context(), "binh", first.ID, CorrectInput{Infos: []alert.Info{of("false", alert.Minor)}})
	if err != nil {
		t.Fatal(err)
	}
	in := drafted(of("clear", alert.Minor, "22101"))
	in.Infos[0].ResponseTypes = []alert.ResponseType{allClear}
	u, err := o.AllClear(t.Context(), "binh", fix.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	if u, err = o.Submit(t.Context(), "binh", u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(t.Context(), "binh", u.ID, u.Hash, ""); !errors.Is(err, ErrOwnAlert) || !strings.Contains(err.Error(), string(first.ID)) {
		t.Errorf("one person: %v", err)
	}
	delete(o.cases, first.ID)
	if two, err := o.NeedsTwo(t.Context(), u); !two || err != nil {
		t.Errorf("the beginning is not known any more: %t, %v", two, err)
	}
}
