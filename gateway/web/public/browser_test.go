package public_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/desk"
	"loa/gateway/web/public"
)

const peers = "../../../.ci/npm/node_modules"

// need finds what the test stands on. Without it the test is skipped, but
// never where everything is installed.
func need(t *testing.T) (node, chromium string) {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", what)
		}
		t.Skipf("%s is missing", what)
	}
	for _, dir := range []string{"playwright-core", "axe-core"} {
		if _, err := os.Stat(filepath.Join(peers, dir)); err != nil {
			missing(dir)
		}
	}
	var err error
	if node, err = exec.LookPath("node"); err != nil {
		missing("node")
	}
	if chromium, err = exec.LookPath("chromium"); err != nil {
		missing("chromium")
	}
	return node, chromium
}

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
	node, chromium := need(t)
	modules, err := filepath.Abs(peers)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"testdata/browser.mjs", modules, chromium}
	for _, deployment := range []string{"live", "drill", "demo"} {
		args = append(args, stage(t, deployment).URL)
	}
	cmd := exec.CommandContext(t.Context(), node, args...)
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
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
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
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
