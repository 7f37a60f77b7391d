// Package sqlitetest writes into a ledger's file past the gateway, for tests of
// what somebody with the file in hand could do. It must not know what a ledger
// holds.
package sqlitetest

import (
	"database/sql"
	"os"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// Tamper executes SQL statements on a file that no process has open, and removes
// the sums of its pages, which would tell.
func Tamper(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".sums"); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}
