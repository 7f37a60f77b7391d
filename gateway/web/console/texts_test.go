package console_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"loa/gateway/web/face"
)

// Every text is there in both languages, with the same slots, and is used.
func TestTextsAreComplete(t *testing.T) {
	t.Parallel()
	all, err := face.ReadTexts(files(), "texts.csv")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, pattern := range []string{"*.go", "../../../templates/web/console/*.html"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(raw)
		}
	}
	slot := regexp.MustCompile(`\{[a-z]+\}`)
	slots := func(s string) []string { return slices.Sorted(slices.Values(slot.FindAllString(s, -1))) }
	// Keys that are put together from a word of the rooms.
	made := regexp.MustCompile(`^(env|p|level|chan|state|role|lang|duyet\.ask|duyet\.go)\.`)
	vi, en := all["vi"].Text, all["en"].Text
	if len(vi) < 100 || len(vi) != len(en) {
		t.Fatalf("%d and %d texts", len(vi), len(en))
	}
	for key, text := range vi {
		if !slices.Equal(slots(text), slots(en[key])) {
			t.Errorf("%s: slots %v and %v", key, slots(text), slots(en[key]))
		}
		if strings.Contains(text, "!") || strings.Contains(en[key], "!") {
			t.Errorf("%s: an exclamation mark", key)
		}
		if !made.MatchString(key) && !strings.Contains(sources.String(), `"`+strings.TrimSuffix(key, ".one")+`"`) {
			t.Errorf("%s is not used", key)
		}
	}
	for _, m := range regexp.MustCompile(`\b(?:t|s\.t)(?: |\()"([a-z.-]+[a-z])"`).FindAllStringSubmatch(sources.String(), -1) {
		if _, ok := vi[m[1]]; !ok {
			t.Errorf("%s is used and not there", m[1])
		}
	}
}
