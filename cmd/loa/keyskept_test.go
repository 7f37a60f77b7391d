package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever changes the data folder's key is told where the old one is kept, and
// whoever checks a backup from before, that it lies there.
func TestOldKeyIsSaid(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_STANDIN_TOKEN", "drilldrilldrilldrilldrilldrill12")
	t.Setenv("LOA_CONFIG", drill(t, dir, "http://127.0.0.1:1"))
	backup := filepath.Join(dir, "backup.db")
	must(t, "backup", backup)
	said := must(t, "keys", "rotate", "--new", filepath.Join(dir, "master.new"))
	kept, err := filepath.Glob(filepath.Join(dir, "d", "master.key.*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%v, %v", kept, err)
	}
	if !strings.Contains(said, " is kept in "+kept[0]+": backups from before") {
		t.Errorf("keys rotate: %s", said)
	}
	fails(t, "it lies in "+kept[0], "restore", "--check", backup)
	if err := os.Rename(kept[0], filepath.Join(dir, "d", "master.key")); err != nil {
		t.Fatal(err)
	}
	must(t, "restore", "--check", backup)
}
