package main

import (
	"path/filepath"
	"strings"
	"testing"

	"loa/gateway/ledger/sqlitetest"
)

// An auditor keeps a key and a checkpoint elsewhere. They still hold after the
// master key was changed, and tell when somebody with the database in hand
// rewrites the past.
func TestAudit(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_STANDIN_TOKEN", "drilldrilldrilldrilldrilldrill12")
	t.Setenv("LOA_CONFIG", drill(t, dir, "http://127.0.0.1:1"))
	must(t, "person", "add", "Trực ban", "--territory", "22")
	must(t, "person", "add", "Lãnh đạo", "--territory", "22")
	key := write(t, filepath.Join(dir, "loa.key"), must(t, "audit", "key"))
	note := write(t, filepath.Join(dir, "loa.note"), must(t, "audit", "checkpoint"))
	backup := filepath.Join(dir, "backup.db")
	must(t, "backup", backup)

	says := func(want string, args ...string) {
		t.Helper()
		if out := must(t, append([]string{"audit", "verify"}, args...)...); !strings.Contains(out, want) {
			t.Errorf("%v: %s", args, out)
		}
	}
	says("each follows the one before it")
	says("records 1 to 2 are what they were then", "--checkpoint", note, "--key", key)
	says("records 1 to 2 are what they were then", "--checkpoint", note, "--key", key, "--file", backup)

	must(t, "keys", "rotate", "--new", filepath.Join(dir, "master.new"))
	says("records 1 to 2 are what they were then", "--checkpoint", note)
	fails(t, "it is no checkpoint", "audit", "verify", "--checkpoint", key)
	fails(t, "is no verifier key", "audit", "verify", "--key", note)

	list := must(t, "audit", "list")
	if lines := strings.Count(list, "\n"); !strings.Contains(list, "person.add") || !strings.Contains(list, "keys.rotate") || lines != 3 {
		t.Errorf("%d lines: %s", lines, list)
	}
	if out := must(t, "audit", "list", "--json", "--after", "3"); !strings.Contains(out, "audit.read") || strings.Count(out, "\n") != 1 {
		t.Errorf("the list after it: %s", out)
	}

	sqlitetest.Tamper(t, filepath.Join(dir, "d", "loa.db"), "UPDATE audit SET actor = 'p_other' WHERE seq = 2")
	fails(t, "Record 2 was edited", "audit", "verify")
	sqlitetest.Tamper(t, backup, "DELETE FROM audit WHERE seq = 2; UPDATE audit_head SET seq = 1, hash = (SELECT hash FROM audit WHERE seq = 1)")
	says("records 1 to 1,", "--file", backup)
	fails(t, "The record was truncated", "audit", "verify", "--file", backup, "--checkpoint", note, "--key", key)
}
