package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"loa/channels"
)

// A change of the data folder's own key keeps the old one for the backups from
// before. Whoever checks such a backup is told where its key lies, and with that
// key it is admitted.
func TestOldKeyIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "backup.db")
	o := muteOptions(t, data)
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := g.Backup(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, g)
	old := trimmed(read(t, filepath.Join(data, masterFile)))
	key, err := NewKey(filepath.Join(dir, "new"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := RotateKeys(t.Context(), o.Config, key)
	if err != nil || r.Old != m.Key || filepath.Dir(r.Kept) != data {
		t.Fatalf("%+v, %v", r, err)
	}
	info, err := os.Stat(r.Kept)
	if err != nil || info.Mode().Perm() != 0o600 || trimmed(read(t, r.Kept)) != old {
		t.Errorf("the old key is not kept: %v, %v", info, err)
	}
	if again, err := RotateKeys(t.Context(), o.Config, key); err != nil || again.Old != "" || again.Kept != "" {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	if trimmed(read(t, r.Kept)) != old {
		t.Error("the second time has lost the old key")
	}
	_, err = CheckBackup(t.Context(), o.Config, file)
	if !errors.Is(err, ErrBackupKey) || errors.Is(err, ErrOtherKey) || !strings.Contains(err.Error(), "it lies in "+r.Kept) {
		t.Errorf("the backup from before: %v", err)
	}
	before := *o.Config
	before.Keys.Master = channels.Secret(trimmed(read(t, r.Kept)))
	if _, err := CheckBackup(t.Context(), &before, file); err != nil {
		t.Errorf("with the key that was kept: %v", err)
	}
}

// The name of a kept key is one of a file, whatever the key's id is.
func TestKeptKeyIsAFile(t *testing.T) {
	t.Parallel()
	if got := keptKey("data", "a/b+c/0123=="); got != filepath.Join("data", "master.key.a_b-c_0123==") {
		t.Error(got)
	}
}
