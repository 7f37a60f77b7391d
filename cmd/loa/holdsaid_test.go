package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// On a ledger that was restored, whoever submits, approves, follows or looks at
// an alert is told that nothing is sent, with a gateway and without one; and
// nobody waits for what will not come.
func TestHoldIsSaid(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_STANDIN_TOKEN", "drilldrilldrilldrilldrilldrill12")
	t.Setenv("LOA_CONFIG", drill(t, dir, "http://127.0.0.1:1"))
	author := strings.TrimSpace(must(t, "person", "add", "Nguyễn Thị Soạn", "--territory", "22"))
	other := strings.TrimSpace(must(t, "person", "add", "Trần Văn Duyệt", "--territory", "VN"))
	must(t, "subscribers", "import", write(t, filepath.Join(dir, "s.csv"), csvHead+"sms,0912345678,06673,vi,duty\n"))
	t.Setenv("LOA_TOKEN", author)
	text := strings.Replace(must(t, "alert", "example"), `["22"]`, `["06673"]`, 1)
	file := write(t, filepath.Join(dir, "storm.yaml"), text)
	const said = "nothing is sent until two people release it (loa hold status)"
	if out := must(t, "alert", "draft", file); strings.Contains(out, "ON HOLD") {
		t.Fatalf("a ledger that was never restored: %s", out)
	}
	backup := filepath.Join(dir, "backup.db")
	must(t, "backup", backup)
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(dir, "d", "loa.db"+end))
	}
	must(t, "restore", backup)

	says := func(out, what string) {
		t.Helper()
		if !strings.Contains(out, "ON HOLD since ") || !strings.Contains(out, said) {
			t.Errorf("%s says nothing of the hold:\n%s", what, out)
		}
	}
	id := field(t, must(t, "alert", "draft", file), "alert")
	submitted := must(t, "alert", "submit", id)
	says(submitted, "submit without a gateway")
	background(t, "serve").wait(t, "Loa serves")
	says(must(t, "alert", "status", id), "status")
	if json := must(t, "alert", "status", id, "--json"); !strings.Contains(json, `"onHold": "20`) {
		t.Errorf("the API: %s", json)
	}
	t.Setenv("LOA_TOKEN", other)
	hash := field(t, submitted, "hash")
	says(must(t, "alert", "approve", id, "--hash", hash), "approve")
	out, fault, code := loa(t, "", "alert", "approve", id, "--hash", hash, "--wait")
	says(out, "approve --wait")
	if code != 1 || !strings.Contains(fault, "ON HOLD: "+said) {
		t.Errorf("approve --wait: exit %d, %s", code, fault)
	}
	fails(t, "ON HOLD: "+said, "alert", "status", id, "--wait")
	if list := must(t, "alert", "list"); strings.Contains(list, "ON HOLD") {
		t.Errorf("a list: %s", list)
	}
}
