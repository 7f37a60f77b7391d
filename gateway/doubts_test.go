package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/ledger"
)

func TestInDoubt(t *testing.T) {
	t.Parallel()
	row := func(holder string, held bool) []ledger.Doubt {
		return []ledger.Doubt{{Holder: holder, Kind: channels.SMS, N: 3, Held: held}}
	}
	lives := func(pid int) bool { return pid == 77 }
	for name, c := range map[string]struct {
		doubts []ledger.Doubt
		want   int
	}{
		"nobody":                         {nil, 0},
		"a lease that is over":           {row("other/9/sms/0", false), 3},
		"another machine, sending":       {row("other/9/sms/0", true), 0},
		"a dead process of this machine": {row("here/66/sms/0", true), 3},
		"a live one":                     {row("here/77/sms/0", true), 0},
		"a live one, its lease over":     {row("here/77/sms/0", false), 3},
		"an earlier one with our number": {row("here/5/sms/0", true), 3},
		"no process named":               {row("here", true), 0},
	} {
		want := map[channels.Kind]int{}
		if c.want > 0 {
			want[channels.SMS] = c.want
		}
		if d := cmp.Diff(want, inDoubt(c.doubts, "here/5", lives)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
