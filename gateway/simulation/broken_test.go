package simulation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"loa/gateway/historytest"
)

// TestMistakesAreFound lives lives with a mistake in them until the checker
// finds it: one that it never finds is one that it would not find in earnest.
func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	within := uint64(40)
	for f, by := range map[fault][]string{
		forgetsMarks:   {"I3", "I11"},
		believes:       {"I1"},
		resendsDoubts:  {"I3"},
		ignoresDead:    {"I4"},
		ignoresFence:   {"I3", "I11"},
		forgetsCuts:    {"I1"},
		forgetsReached: {"I12"},
		forgetsRecords: {"I14"},
		widens:         {"I8"},
	} {
		if testing.Short() && f != forgetsCuts && f != believes && f != forgetsReached {
			continue // found in the first few lives
		}
		t.Run(strings.ReplaceAll(string(f), " ", "-"), func(t *testing.T) {
			lives, found := 0, ""
			each(t, 0, within, f, func(w *world) bool {
				lives++
				report := historytest.Check(historytest.Of(w.events...), w.params())
				for _, v := range report.In(historytest.Invalid) {
					if slices.Contains(by, v) {
						found = v
					}
				}
				return found == ""
			})
			if found == "" {
				t.Errorf("%s: not found by any of %v in %d lives", f, by, lives)
			}
			t.Logf("%s: found after %d lives by %v", f, lives, found)
		})
	}
}

// TestSameSeedSameLife lives some lives twice: what a seed has people do is the
// same. The scheduler of Go has no seed, so that what comes of it may take
// another turn; where it does first is told.
func TestSameSeedSameLife(t *testing.T) {
	t.Parallel()
	from, n := seeds(t, 4, 20)
	first, deeds := map[uint64]string{}, map[uint64][]string{}
	each(t, from, n, sound, func(w *world) bool {
		first[w.dice.seed], deeds[w.dice.seed] = w.print(), w.deeds()
		return true
	})
	differ, otherwise := 0, 0
	each(t, from, n, sound, func(w *world) bool {
		a, b := strings.Split(first[w.dice.seed], "\n"), strings.Split(w.print(), "\n")
		if !slices.Equal(a, b) {
			differ++
			at := 0
			for at < min(len(a), len(b))-1 && a[at] == b[at] {
				at++
			}
			t.Logf("seed %d differs first in line %d of %d", w.dice.seed, at, len(a))
		}
		if !slices.Equal(deeds[w.dice.seed], w.deeds()) {
			otherwise++
		}
		return true
	})
	t.Logf("%d of %d lives differ, in %d people did otherwise", differ, n, otherwise)
	if uint64(otherwise) > n/4 {
		t.Errorf("in %d of %d lives people did otherwise", otherwise, n)
	}
}

// deeds are what people submitted, in order.
func (w *world) deeds() (out []string) {
	for _, e := range w.events {
		if e.Kind == historytest.KindSubmit {
			out = append(out, fmt.Sprint(e.Person, e.Severity, e.Areas))
		}
	}
	return out
}
