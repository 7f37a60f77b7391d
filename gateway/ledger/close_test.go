package ledger_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"loa/gateway/ledger"
)

func TestCloseFoldsTheLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "loa.db")
	l, err := ledger.OpenSQLite(t.Context(), path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Audience().Begin(t.Context(), time.Now(), "a.csv"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		t.Fatalf("an open ledger has no log: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a closed ledger still has its log: %v", err)
	}
}
