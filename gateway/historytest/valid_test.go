package historytest

import (
	"slices"
	"testing"

	"loa/channels"
)

func TestValidHistories(t *testing.T) {
	t.Parallel()
	sum := map[string]int{}
	lives := 1000
	if testing.Short() {
		lives = 150
	}
	for seed := range lives {
		w := example(seed)
		r := Check(Of(w.sealed()...), w.params)
		if got := r.In(Valid); len(got) != len(invariants) {
			t.Fatalf("seed %d:\n%s", seed, &r)
		}
		for _, v := range r.Verdicts {
			for what, n := range v.Counts {
				sum[v.Invariant+" "+what] += n
			}
		}
	}
	for _, what := range []string{
		"I1 accepted", "I1 delivered", "I1 failed", "I1 cancelled", "I1 ambiguous", "I1 acknowledged calls", "I3 second copies allowed by a doubt",
		"I4 calls open at a stop", "I6 not actual, to the roster", "I6 not actual, through a provider that is not live", "I10 bulletin calls",
		"I11 stale results merged as evidence", "I12 corrected", "I12 untouched", "I13 resyncs", "I14 acts",
	} {
		if sum[what] == 0 {
			t.Errorf("no history had %q: the generator draws too little", what)
		}
	}
}

// A receipt of the same attempt ends a call: what the provider has cannot be
// overtaken.
func TestReceiptEndsACall(t *testing.T) {
	t.Parallel()
	shown := 0
	for seed := range 40 {
		w := example(seed)
		if !w.overtakes(1) {
			continue
		}
		shown++
		r := Check(Of(w.sealed()...), w.params)
		if v := r.Of("I12"); v.State != Valid {
			t.Errorf("seed %d:\n%s", seed, v)
		}
	}
	if shown == 0 {
		t.Error("no history had a correction")
	}
}

// What a history lacks makes a verdict unknown, never valid.
func TestLackingHistories(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		invariant string
		lacks     []Kind
	}{
		{"I1", []Kind{KindOutcome, KindBook}},
		{"I1", []Kind{KindBook}},
		{"I1", []Kind{KindApproval, KindCall}},
		{"I1", []Kind{KindEligible}},
		{"I2", []Kind{KindBook}},
		{"I2", []Kind{KindApproval}},
		{"I2", []Kind{KindSubmit}},
		{"I2", []Kind{KindBatch}},
		{"I2", []Kind{KindEligible}},
		{"I3", []Kind{KindBook}},
		{"I3", []Kind{KindAnswer, KindOutcome}},
		{"I3", []Kind{KindRequest, KindAnswer, KindOutcome}},
		{"I4", []Kind{KindCancel, KindCall}},
		{"I4", []Kind{KindRequest, KindAnswer, KindBook}},
		{"I5", []Kind{KindSubmit}},
		{"I5", []Kind{KindRequest, KindAnswer, KindBook}},
		{"I6", []Kind{KindRequest, KindAnswer}},
		{"I7", []Kind{KindSubmit}},
		{"I7", []Kind{KindApproval}},
		{"I8", []Kind{KindEligible, KindBatch}},
		{"I8", []Kind{KindSubmit}},
		{"I8", []Kind{KindApproval}},
		{"I9", []Kind{KindRequest, KindAnswer, KindBook}},
		{"I10", []Kind{KindBacklog}},
		{"I10", []Kind{KindSubmit}},
		{"I11", []Kind{KindClaim}},
		{"I11", []Kind{KindRequest, KindAnswer, KindMark}},
		{"I12", []Kind{KindCancel}},
		{"I12", []Kind{KindCorrection}},
		{"I12", []Kind{KindBook, KindOutcome, KindRequest, KindAnswer, KindMark, KindCorrection}},
		{"I13", []Kind{KindStream}},
		{"I14", []Kind{KindAudit}},
	} {
		w := example(7)
		kept := slices.DeleteFunc(w.sealed(), func(e Event) bool { return slices.Contains(c.lacks, e.Kind) })
		r := Check(Of(kept...), w.params)
		if v := r.Of(c.invariant); v.State != Unknown || len(v.Evidence) == 0 {
			t.Errorf("without %v:\n%s", c.lacks, v)
		}
	}
	r := Check(Of(), Params{})
	if got := r.In(Unknown); len(got) != len(invariants) {
		t.Errorf("an empty history:\n%s", &r)
	}
}

func TestParamsSayWhatDoesNotApply(t *testing.T) {
	t.Parallel()
	w := example(1)
	w.params.NotApplicable = []string{"I13", "I9"}
	r := Check(Of(w.sealed()...), w.params)
	if got := r.In(NotApplicable); !slices.Equal(got, []string{"I9", "I13"}) {
		t.Errorf("not applicable: %v", got)
	}
	w = example(2)
	for i := range w.events {
		w.events[i].Device, w.events[i].StepUp = "", 0
	}
	r = Check(Of(w.sealed()...), w.params)
	if got := r.In(Unknown); !slices.Equal(got, []string{"I7"}) {
		t.Errorf("devices that nobody recorded:\n%s", &r)
	}
	w.params.Unrecorded = []Fact{FactDevice, FactStepUp}
	r = Check(Of(w.sealed()...), w.params)
	if got := r.In(Valid); len(got) != len(invariants) {
		t.Errorf("devices that a deployment does not have:\n%s", &r)
	}
	kept := slices.DeleteFunc(w.sealed(), func(e Event) bool { return e.Kind == KindBook && e.Channel == channels.App })
	if r = Check(Of(kept...), w.params); r.Of("I1").State != Unknown {
		t.Errorf("a channel without books:\n%s", r.Of("I1"))
	}
	w.params.WithoutBooks = []channels.Kind{channels.App}
	if r = Check(Of(kept...), w.params); r.Of("I1").State != Valid {
		t.Errorf("a channel that has no books:\n%s", r.Of("I1"))
	}
}
