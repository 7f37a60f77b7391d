package simulation_test

import (
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

// TestSameSeedSameLife lives some lives twice and tells how many differ, and
// where first: neither the scheduler of Go nor delivery's jitter has a seed, so
// that a life may take another turn where they decide.
func TestSameSeedSameLife(t *testing.T) {
	t.Parallel()
	from, n := seeds(t, 4, 20)
	first := map[uint64]string{}
	each(t, from, n, sound, func(w *world) bool {
		first[w.dice.seed] = w.print()
		return true
	})
	var differ []uint64
	each(t, from, n, sound, func(w *world) bool {
		a, b := strings.Split(first[w.dice.seed], "\n"), strings.Split(w.print(), "\n")
		if !slices.Equal(a, b) {
			differ = append(differ, w.dice.seed)
			at := 0
			for at < min(len(a), len(b))-1 && a[at] == b[at] {
				at++
			}
			t.Logf("seed %d differs first in line %d of %d:\n%s\n%s", w.dice.seed, at, len(a), a[at], b[at])
		}
		return true
	})
	t.Logf("%d of %d lives differ: %v", len(differ), n, differ)
	if n >= 20 && uint64(len(differ)) == n {
		t.Error("no life was the same twice")
	}
}
