package templates_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"loa/templates"
)

// The script that is embedded is what its source builds to.
func TestScriptIsBuilt(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "live.js")
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=../.ci/tools/go.mod", "esbuild", "web/live.ts",
		"--bundle", "--minify", "--format=esm", "--target=es2020", "--charset=utf8", "--log-level=warning", "--outfile="+out)
	if msg, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v\n%s", err, msg)
		}
		t.Skipf("esbuild cannot be run: %v\n%s", err, msg)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := templates.FS.ReadFile("web/live.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("web/live.js is not what web/live.ts builds to: run go generate ./templates")
	}
}
