// Package facetest runs scripts in a real browser over the pages of a face, for
// tests. It must not know what a page shows.
package facetest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// Browser runs a script of Node with the folder of npm packages, the path of
// Chromium and the arguments, and decodes the JSON that it prints. Without the
// peers the test is skipped, but never where everything is installed.
func Browser(t *testing.T, into any, script string, args ...string) {
	t.Helper()
	missing := func(what string) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", what)
		}
		t.Skipf("%s is missing", what)
	}
	_, here, _, _ := runtime.Caller(0)
	modules := filepath.Join(filepath.Dir(here), "../../../../.ci/npm/node_modules")
	for _, dir := range []string{"playwright-core", "axe-core"} {
		if _, err := os.Stat(filepath.Join(modules, dir)); err != nil {
			missing(dir)
		}
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		missing("chromium")
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{script, modules, chromium}, args...)...) // #nosec G204 -- a test
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
