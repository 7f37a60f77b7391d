package coverage

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
)

// full has one recipient more for each outcome than for the one before it.
func full(kind channels.Kind) Cell {
	c := Cell{Commune: "07111", Kind: kind}
	for i := range c.Counts {
		c.Counts[i] = i + 1
	}
	return c
}

func TestEveryRecipientIsCountedOnce(t *testing.T) {
	t.Parallel()
	c := full(channels.SMS)
	sum := c.Missed() + c.Unknown() + c.Count(channels.Pending) + c.Count(channels.Accepted) + c.Count(channels.Delivered) + c.Count(channels.Confirmed)
	if c.Eligible() != 45 || sum != 45 {
		t.Errorf("eligible %d, sum of the columns %d, want 45", c.Eligible(), sum)
	}
	if c.Missed() != 6+8+9 || c.Unknown() != 2+7 || c.Reached() != 2+3+4+5+7 {
		t.Errorf("missed %d, unknown %d, reached %d", c.Missed(), c.Unknown(), c.Reached())
	}
}

// TestFailuresNeverFall follows an alert with numbers that are called again: of
// four reported as not arrived one fails for good, as do three at once.
func TestFailuresNeverFall(t *testing.T) {
	t.Parallel()
	var f Failures
	for i, c := range []struct{ failed, waiting, want int }{
		{0, 0, 0}, {3, 0, 3}, {5, 2, 3}, {5, 4, 3}, {7, 6, 3}, {6, 4, 3}, {5, 2, 3}, {4, 1, 3}, {4, 0, 4},
	} {
		if got := f.Lasting(channels.SMS, c.failed, c.waiting); got != c.want {
			t.Errorf("step %d: %d of %d failed with %d waiting, want %d", i, got, c.failed, c.waiting, c.want)
		}
		if got := f.Lasting(channels.WebPush, 7, c.waiting); got != 7 {
			t.Errorf("step %d: push: %d, want 7", i, got)
		}
	}
}

func TestTotals(t *testing.T) {
	t.Parallel()
	a, b := full(channels.SMS), full(channels.SMS)
	b.Commune = "07112"
	sums := Totals([]Cell{a, full(channels.App), b})
	if len(sums) != 2 || sums[channels.SMS].Eligible() != 90 || sums[channels.App].Eligible() != 45 {
		t.Errorf("%v", sums)
	}
	if sums[channels.SMS].Kind != channels.SMS || sums[channels.SMS].Commune != "" {
		t.Errorf("a sum names %q in %q", sums[channels.SMS].Kind, sums[channels.SMS].Commune)
	}
}

func TestByCommune(t *testing.T) {
	t.Parallel()
	at := func(c Cell) [2]string { return [2]string{string(c.Commune), string(c.Kind)} }
	var got [][][2]string
	for _, g := range ByCommune([]Cell{
		{Commune: "2", Kind: channels.App}, {Commune: "1", Kind: channels.WebPush}, {Commune: "2", Kind: channels.SMS}, {Commune: "1", Kind: channels.SMS},
	}) {
		var names [][2]string
		for _, c := range g {
			names = append(names, at(c))
		}
		got = append(got, names)
	}
	want := [][][2]string{{{"1", "sms"}, {"1", "webpush"}}, {{"2", "sms"}, {"2", "app"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if ByCommune(nil) != nil {
		t.Error("groups of nothing")
	}
}
