package demo

import (
	"math/rand/v2"
	"regexp"
	"testing"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/render"
)

func TestResultAdd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome          channels.Outcome
		known            bool
		tally            Tally
		lost, rep, apart int
	}{
		"delivered once":                  {channels.Delivered, true, Tally{Kept: 1, Taken: 1}, 0, 0, 0},
		"accepted, retried once":          {channels.Accepted, true, Tally{Kept: 1, Taken: 2}, 0, 0, 0},
		"refused":                         {channels.Failed, true, Tally{}, 0, 0, 0},
		"taken, reported undeliverable":   {channels.Failed, true, Tally{Taken: 2}, 0, 0, 0},
		"two copies":                      {channels.Delivered, true, Tally{Kept: 2, Taken: 2}, 0, 1, 0},
		"never cut":                       {0, false, Tally{}, 1, 0, 0},
		"still pending":                   {channels.Pending, true, Tally{}, 1, 0, 0},
		"said accepted, books say no":     {channels.Accepted, true, Tally{}, 1, 0, 1},
		"said failed, books say kept":     {channels.Failed, true, Tally{Kept: 1, Taken: 1}, 0, 0, 1},
		"in doubt, taken":                 {channels.Ambiguous, true, Tally{Kept: 1, Taken: 1}, 0, 0, 0},
		"in doubt, not taken":             {channels.Ambiguous, true, Tally{}, 1, 0, 0},
		"cancelled though nobody stopped": {channels.Cancelled, true, Tally{}, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Result{Channels: map[channels.Kind]*ChannelResult{channels.SMS: {}}}
			r.add(channels.SMS, c.outcome, c.known, c.tally)
			if got := r.Channels[channels.SMS].Duplicates; r.Lost != c.lost || got != c.rep || r.Disagree != c.apart {
				t.Errorf("lost %d, duplicates %d, disagree %d; want %d, %d, %d", r.Lost, got, r.Disagree, c.lost, c.rep, c.apart)
			}
		})
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	communes := []area.Unit{{Code: "00001", Population: 1000}, {Code: "00002", Population: 99000}}
	people := func(seed uint64) []resident { return draw(rand.New(rand.NewPCG(seed, 1)), communes, 1000) }
	a, b := people(1), people(1)
	counts := map[channels.Kind]int{}
	homes := map[area.Code]int{}
	for i := range a {
		if a[i] != b[i] {
			t.Fatal("the same seed drew other people")
		}
		counts[a[i].kind]++
		homes[a[i].commune]++
	}
	if counts[channels.SMS] != 600 || counts[channels.WebPush] != 300 || counts[channels.App] != 100 {
		t.Errorf("shares: %v", counts)
	}
	if homes["00001"] > 40 || homes["00001"] == 0 {
		t.Errorf("%d of 1,000 live where 1 %% do", homes["00001"])
	}
	if people(2)[0] == a[0] {
		t.Error("another seed drew the same person")
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	p := regexp.MustCompile("^(?:" + pattern(render.Registered{
		Text:  "BCH (PTDS) {issued_at}: Bão số {storm_no}. Mã {code}",
		Slots: []render.RegisteredSlot{{Name: "issued_at", Longest: 11}, {Name: "storm_no", Longest: 2}, {Name: "code", Longest: 4}},
	}) + ")$")
	for text, want := range map[string]bool{
		"BCH (PTDS) 13h30 27/11: Bão số 3. Mã K7M2":    true,
		"BCH (PTDS) 13h30 27/11: Bão số 333. Mã K7M2":  false,
		"BCH (PTDS) 13h30 27/11: Bão số 3. Mã ":        false,
		"BCH PTDS 13h30 27/11: Bão số 3. Mã K7M2":      false,
		"x BCH (PTDS) 13h30 27/11: Bão số 3. Mã K7M2":  false,
		"BCH (PTDS) 13h30 27/11: Bão số 3. Mã K7M2 x.": false,
	} {
		if p.MatchString(text) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}
