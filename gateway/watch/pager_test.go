package watch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 9, 7, 12, 0, 0, 0, time.UTC)

func bad(name string, c Cause, since time.Duration) Part {
	return Part{Part: name, State: Bad, Cause: c, Since: noon.Add(since)}
}

// told is what a step tells, short enough for a table.
func told(pages []Page) []string {
	var out []string
	for _, p := range pages {
		s := string(p.Cause)
		if p.Resolved {
			s += " over"
		}
		for _, x := range p.Parts {
			s += " " + x.Part
		}
		out = append(out, s)
	}
	return out
}

type moment struct {
	at    time.Duration
	parts []Part
	want  []string
}

func TestPager(t *testing.T) {
	t.Parallel()
	ledger := []Part{bad("ledger", LedgerReadOnly, 0)}
	redis := []Part{bad("redis", DirectMode, 0)}
	one, two := bad("provider/sms/a", BreakerOpen, 0), bad("provider/sms/b", BreakerOpen, 20*time.Second)
	for name, moments := range map[string][]moment{
		"told at once, and not again": {
			{0, ledger, []string{"ledger_unwritable ledger"}}, {5 * time.Second, ledger, nil}, {Gap + time.Second, ledger, nil},
		},
		"told again after an hour": {
			{0, ledger, []string{"ledger_unwritable ledger"}}, {Remind - time.Second, ledger, nil}, {Remind, ledger, []string{"ledger_unwritable ledger"}},
		},
		"what heals by itself is given time": {
			{0, redis, nil}, {settling - time.Second, redis, nil}, {settling, redis, []string{"direct_mode redis"}},
		},
		"healed in time": {
			{0, redis, nil}, {5 * time.Second, nil, nil}, {time.Hour, nil, nil},
		},
		"its end, once it stays away": {
			{0, ledger, []string{"ledger_unwritable ledger"}}, {10 * time.Second, nil, nil}, {15 * time.Second, ledger, nil},
			{20 * time.Second, nil, nil}, {20*time.Second + Settle, nil, []string{"ledger_unwritable over ledger"}}, {Gap, nil, nil},
		},
		"back within the gap": {
			{0, ledger, []string{"ledger_unwritable ledger"}}, {10 * time.Second, nil, nil}, {10*time.Second + Settle, nil, []string{"ledger_unwritable over ledger"}},
			{time.Minute, ledger, nil}, {Gap - time.Second, ledger, nil}, {Gap, ledger, []string{"ledger_unwritable ledger"}},
		},
		"back and gone within the gap": {
			{0, ledger, []string{"ledger_unwritable ledger"}}, {10 * time.Second, nil, nil}, {10*time.Second + Settle, nil, []string{"ledger_unwritable over ledger"}},
			{time.Minute, ledger, nil}, {2 * time.Minute, nil, nil}, {2 * Gap, nil, nil},
		},
		"a second part of the cause": {
			{settling, []Part{one}, []string{"breaker_open provider/sms/a"}}, {40 * time.Second, []Part{two, one}, nil},
			{settling + Gap, []Part{two, one}, []string{"breaker_open provider/sms/a provider/sms/b"}},
			{settling + 2*Gap, []Part{two, one}, nil},
		},
		"two causes at once": {
			{0, append([]Part{bad("disk", DiskFull, 0)}, ledger...), []string{"disk_low disk", "ledger_unwritable ledger"}},
		},
		"no cause, and a warning": {
			{0, []Part{{Part: "webhook/0", State: Bad}, {Part: "heartbeat", State: Warn, Cause: Hold}}, nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p Pager
			for _, m := range moments {
				got := told(p.Step(noon.Add(m.at), m.parts))
				if d := cmp.Diff(m.want, got); d != "" {
					t.Errorf("at %s:\n%s", m.at, d)
				}
			}
		})
	}
}

// TestPagerPromise drives the pager with any history: a cause is never told
// twice within Gap, an end is told only of what was told, and what lasts long
// enough is told within 60 seconds unless it was told less than Gap ago.
func TestPagerPromise(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var p Pager
		now, since := noon, time.Time{}
		var last time.Time
		open := false
		for range rapid.IntRange(1, 200).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
			var parts []Part
			if rapid.Bool().Draw(t, "bad") {
				if since.IsZero() {
					since = now
				}
				parts = []Part{{Part: "redis", State: Bad, Cause: DirectMode, Since: since}}
			} else {
				since = time.Time{}
			}
			for _, page := range p.Step(now, parts) {
				if page.Resolved {
					if !open {
						t.Fatal("an end of what was not told")
					}
					open = false
					continue
				}
				if !last.IsZero() && now.Sub(last) < Gap {
					t.Fatalf("told twice within %s", now.Sub(last))
				}
				last, open = now, true
			}
			lasts := !since.IsZero() && now.Sub(since) >= settling
			if lasts && !open && (last.IsZero() || now.Sub(last) >= Gap) {
				t.Fatalf("bad for %s and nobody was told", now.Sub(since))
			}
		}
	})
}

func TestEveryCauseHasWords(t *testing.T) {
	t.Parallel()
	if len(Causes()) != 12 {
		t.Fatalf("%d causes", len(Causes()))
	}
	for _, c := range Causes() {
		w := catalogue[c]
		for name, s := range map[string]string{"vi": w.vi, "unmarked": w.plain, "en": w.en} {
			if n := len([]rune(s)); n == 0 || n > 33 {
				t.Errorf("%s in %s is %d characters, and an SMS has room for 33", c, name, n)
			}
		}
		for _, r := range w.plain {
			if r > 0x7e {
				t.Errorf("%s: %q has marks", c, w.plain)
				break
			}
		}
		if w.remedy == "" || w.after > 30*time.Second {
			t.Errorf("%s: remedy %q, told after %s", c, w.remedy, w.after)
		}
	}
}
