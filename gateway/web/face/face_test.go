package face

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestTextsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"key,vi,en\na,chữ,\n", "key,vi\na,chữ\n", "key,vi,en\na,chữ\n", ""} {
		if _, err := ReadTexts(fstest.MapFS{"texts.csv": {Data: []byte(text)}}, "texts.csv"); err == nil {
			t.Errorf("%q was let through", text)
		}
	}
	w := &Words{Lang: "vi", Text: map[string]string{}}
	if _, err := w.Say("nothing"); err == nil {
		t.Error("a text that is not there was said")
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	vi, en := &Words{Lang: "vi"}, &Words{Lang: "en"}
	for n, want := range map[int]string{0: "0", 999: "999", 7151: "7.151", 123456: "123.456", 1400000: "1.400.000"} {
		if got := vi.Number(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
		if got := en.Number(n); got != strings.ReplaceAll(want, ".", ",") {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestTakesGzip(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "identity": false, "GZIP": true} {
		if got := takesGzip(accept); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{"": false, `W/"a"`: true, `"a"`: true, `"b", W/"a"`: true, "*": true, `W/"b"`: false} {
		if got := Matches(header, `W/"a"`); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}
