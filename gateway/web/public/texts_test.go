package public

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/coverage"
	"loa/gateway/web/face"
)

const folder = "../../../templates/web"

// Every text is there in both languages, with the same slots, and is used.
func TestTextsAreComplete(t *testing.T) {
	t.Parallel()
	all, err := face.ReadTexts(os.DirFS(folder), "texts.csv")
	if err != nil {
		t.Fatal(err)
	}
	vi, en := all["vi"].Text, all["en"].Text
	if len(all) != 2 || len(vi) != len(en) || len(vi) < 50 {
		t.Fatalf("%d languages, %d and %d texts", len(all), len(vi), len(en))
	}
	slot := regexp.MustCompile(`\{[a-z]\}`)
	slots := func(s string) []string { return slices.Sorted(slices.Values(slot.FindAllString(s, -1))) }
	for key, text := range vi {
		if !slices.Equal(slots(text), slots(en[key])) {
			t.Errorf("%s: slots %v and %v", key, slots(text), slots(en[key]))
		}
		if strings.Contains(text, "!") || strings.Contains(en[key], "!") {
			t.Errorf("%s: an exclamation mark", key)
		}
	}
	used := usedKeys(t)
	for _, key := range used {
		if _, ok := vi[key]; !ok {
			t.Errorf("%s is used and not in texts.csv", key)
		}
	}
	// Keys that are put together from a word of the rooms.
	made := regexp.MustCompile(`^(env|level|chan|out)\.`)
	for key := range vi {
		if !made.MatchString(key) && !slices.Contains(used, key) && !slices.Contains(used, strings.TrimSuffix(key, ".one")) {
			t.Errorf("%s is not used", key)
		}
	}
	for _, key := range madeKeys() {
		if _, ok := vi[key]; !ok {
			t.Errorf("%s is missing", key)
		}
	}
}

// usedKeys lists the keys that stand in templates and source.
func usedKeys(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{folder + "/*.html", "*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		names = append(names, found...)
	}
	in := regexp.MustCompile(`"((?:age|all|ask|chan|code|ended|env|fact|foot|full|kind|lead|level|live|noscript|other|out|page|part|place|revision|skip|state|status|sum|sys)(?:\.[a-z]+)*)"`)
	call := regexp.MustCompile(`\bt\(?\s?"([a-z.]+)"`)
	var used []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(src), -1) {
			used = append(used, m[1])
		}
		for _, m := range in.FindAllStringSubmatch(string(src), -1) {
			if strings.Contains(m[1], ".") && filepath.Ext(m[1]) != ".html" && assetTypes[m[1]] == "" {
				used = append(used, m[1])
			}
		}
	}
	return used
}

func madeKeys() []string {
	keys := []string{"env.live", "env.drill", "env.demo", "env.live.note", "env.drill.note", "env.demo.note", "level.1", "level.2", "level.3", "level.4", "level.5"}
	for _, k := range channels.AllKinds() {
		keys = append(keys, chanWord(k))
	}
	for _, p := range partNames {
		keys = append(keys, "out."+p, "out."+p+".note")
	}
	return keys
}

func TestFold(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"Đặc khu  Cô Tô": "dac khu co to", "XÃ ĐƯỜNG HOA": "xa duong hoa", "Ea H'Leo": "ea h leo", "hoà": "hoa", "": ""} {
		if got := fold(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// A bar never overflows, shows whatever is above zero, and leaves nobody out.
func TestBars(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var c coverage.Cell
		for o := range c.Counts {
			c.Counts[o] = rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 10_000_000)).Draw(t, "count")
		}
		var row tally
		row.parts(c)
		sum, x := 0, 0
		for _, p := range row.Parts {
			sum += p.N
			if p.X != x || (p.N > 0) != (p.W > 0) {
				t.Fatalf("%+v", row.Parts)
			}
			x += p.W
		}
		if sum != c.Eligible() || x > barWidth {
			t.Fatalf("%d of %d, width %d", sum, c.Eligible(), x)
		}
	})
}
