package console_test

import (
	"cmp"
	"net/http/httptest"
	"os"
	"testing"

	"loa/gateway/web/face/facetest"
)

// TestBrowser opens every page in a real browser, on a phone and on a desktop:
// the rules of WCAG 2.2 AA hold, nothing is complained about or asked of another
// origin, nothing scrolls sideways, and what is pressed is large enough. With
// LOA_PICTURES it leaves pictures in that folder.
func TestBrowser(t *testing.T) {
	t.Parallel()
	args := []string{cmp.Or(os.Getenv("LOA_PICTURES"), "-")}
	for _, deployment := range []string{"live", "drill", "demo"} {
		server := httptest.NewServer(newWorld().open(t, deployment))
		t.Cleanup(server.Close)
		args = append(args, server.URL)
	}
	var report struct {
		Axe, Console, Foreign, Wide, Small []string
		Rules, Pages                       int
		Weight                             map[string]int
	}
	facetest.Browser(t, &report, "testdata/browser.mjs", args...)
	for what, found := range map[string][]string{"accessibility": report.Axe, "console": report.Console, "foreign request": report.Foreign, "scrolls sideways": report.Wide, "too small to press": report.Small} {
		for _, f := range found {
			t.Errorf("%s: %s", what, f)
		}
	}
	if report.Rules < 20 || report.Pages < 28 {
		t.Errorf("the browser saw %d rules and %d pages: too little to judge by", report.Rules, report.Pages)
	}
	// A satellite link carries these two.
	const most = 40 << 10
	for _, path := range []string{"/duyet/loa-1", "/theo-doi/loa-2"} {
		if n := report.Weight[path]; n == 0 || n > most {
			t.Errorf("%s weighs %d bytes on the wire, at most %d", path, n, most)
		}
	}
}
