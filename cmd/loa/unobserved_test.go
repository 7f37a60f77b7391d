package main_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestShippedRecordsNothing proves that the program as it is shipped does not
// hold what builds for tests record with, and that those do.
func TestShippedRecordsNothing(t *testing.T) {
	t.Parallel()
	for tags, holds := range map[string]bool{"": false, "history": true} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags="+tags, "loa/cmd/loa").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(out), "loa/gateway/historytest"); got != holds {
			t.Errorf("tags %q: historytest is linked: %v", tags, got)
		}
	}
}
