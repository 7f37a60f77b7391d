package templates_test

import (
	"os"
	"os/exec"
	"testing"
)

// The script's types hold: what bundles it does not look at them.
func TestScriptTypes(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "node", "../.ci/npm/node_modules/typescript/bin/tsc",
		"--noEmit", "--strict", "--noUnusedLocals", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2022,dom,dom.iterable", "web/live.ts", "web/console/console.ts")
	if _, err := os.Stat(cmd.Args[1]); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("TypeScript is not installed: npm ci --prefix .ci/npm")
	}
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, msg)
	}
}
