package public_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/desk"
	"loa/gateway/web/face/facetest"
	"loa/gateway/web/public"
)

// stage serves the page and lets the script change the world behind it.
func stage(t *testing.T, deployment string) *httptest.Server {
	t.Helper()
	w := newWorld()
	w.cases = append(w.cases,
		storm("loa-2", func(c *desk.Case) {
			c.Submission.Revision.Status, c.Submission.Revision.Code = alert.Exercise, "TAP2"
		}),
		storm("loa-3", func(c *desk.Case) { c.State, c.EndedAt = alert.Stopped, noon }))
	w.health.Down = []public.Down{{Kind: channels.SMS, Provider: "A"}}
	page := w.open(t, func(o *public.Options) { o.Deployment = deployment })
	mux := http.NewServeMux()
	mux.Handle("/", page)
	mux.HandleFunc("POST /stage/{act}", func(_ http.ResponseWriter, r *http.Request) {
		w.change(func(w *world) {
			switch r.PathValue("act") {
			case "send": // refusals in the commune that stands last
				w.cells["loa-1"][3].Counts[channels.Failed] += 30
			case "new":
				w.cases = append([]desk.Case{storm("loa-7")}, w.cases...)
			case "away":
				w.away = true
			case "back":
				w.away = false
			}
		})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// TestBrowser opens the page in a real browser: the accessibility rules of
// WCAG 2.2 AA hold, nothing is complained about or asked of another origin,
// and figures change where they stand.
func TestBrowser(t *testing.T) {
	t.Parallel()
	var args []string
	for _, deployment := range []string{"live", "drill", "demo"} {
		args = append(args, stage(t, deployment).URL)
	}
	var report struct {
		Axe      []string // violations
		Rules    int      // rules that were applied
		Console  []string
		Foreign  []string
		Requests int
		Wide     []string // views that scroll sideways
		Live     map[string]any
	}
	facetest.Browser(t, &report, "testdata/browser.mjs", args...)
	for what, found := range map[string][]string{"accessibility": report.Axe, "console": report.Console, "foreign request": report.Foreign, "scrolls sideways": report.Wide} {
		for _, f := range found {
			t.Errorf("%s: %s", what, f)
		}
	}
	if report.Rules < 20 || report.Requests < 10 {
		t.Errorf("the browser saw %d rules and %d requests: too little to judge by", report.Rules, report.Requests)
	}
	want := map[string]any{
		"before": "0", "after": "30", "sameDocument": true, "orderKept": true, "nodesKept": true, "openKept": true, "typedKept": true, "focusKept": true,
		"lost": "Mất kết nối. Số liệu cách đây", "alarm": true, "numbersStay": "30", "back": true, "newSaid": true, "newShown": true, "pausedAsksNothing": true, "hiddenAsksNothing": true,
		"notModified": true, "withoutScript": true, "shift": false,
	}
	for key, v := range want {
		if report.Live[key] != v {
			t.Errorf("%s: %v, want %v", key, report.Live[key], v)
		}
	}
}
