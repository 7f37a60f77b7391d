package historytest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Several writers, one of them a process that is killed: nothing that was
// recorded is lost, and the torn line is left out.
func TestRecorders(t *testing.T) {
	if dir := os.Getenv("LOA_HISTORY_DIR"); dir != "" {
		record(t, dir, "child", 100)
		_ = os.Stdout.Sync()
		select {} // until it is killed
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRecorders$")
	cmd.Env = append(os.Environ(), "LOA_HISTORY_DIR="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	record(t, dir, "parent", 100)
	for end := time.Now().Add(30 * time.Second); count(t, dir) < 200; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d events", count(t, dir))
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	child := filepath.Join(dir, "child"+suffix)
	torn, err := os.OpenFile(child, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = torn.WriteString(`{"t":12,"kind":"cla`)
	if err := torn.Close(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, dir); n != 200 {
		t.Errorf("%d events after the kill, want 200", n)
	}
	record(t, dir, "child", 1) // it comes back under its name
	if n := count(t, dir); n != 201 {
		t.Errorf("%d events after it came back, want 201", n)
	}
}

func record(t *testing.T, dir, node string, n int) {
	t.Helper()
	r, err := NewRecorder(dir, node)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := r.Record(Event{Kind: KindClaim, Batch: 1, Fence: 1}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// count reads a folder and checks that its times are of one clock.
func count(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	for e, err := range ReadDir(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if ago := Monotonic() - e.T; ago < 0 || ago > int64(time.Minute) {
			t.Errorf("%s recorded %v ago", e.Node, time.Duration(ago))
		}
		n++
	}
	return n
}

func TestUnreadableHistoriesAreUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, says string }{
		"no file":              {"", "no .history.jsonl file"},
		"a broken line":        {"{\"t\":1,\"kind\":\"claim\",\"batch\":1}\nnonsense\n{\"t\":1}\n", "line 2"},
		"an unknown field":     {`{"t":1,"kind":"claim","bach":1}` + "\n", "bach"},
		"an unknown kind":      {`{"t":1,"kind":"clam"}` + "\n", "clam"},
		"an unknown outcome":   {`{"t":1,"kind":"outcome","batch":1,"outcome":"sent"}` + "\n", "sent"},
		"an unknown book":      {`{"t":1,"kind":"book","batch":1,"outcome":"delivered"}` + "\n", "delivered"},
		"a call of no batch":   {`{"t":1,"kind":"request"}` + "\n", "batch"},
		"an answer to no call": {`{"t":1,"kind":"answer","batch":4,"outcome":"accepted"}` + "\n", "answers no call"},
	} {
		dir := t.TempDir()
		if c.text != "" {
			if err := os.WriteFile(filepath.Join(dir, "one"+suffix), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r := Check(ReadDir(dir), Params{})
		if len(r.In(Unknown)) != len(invariants) || !strings.Contains(r.Of("I1").Evidence[0], c.says) {
			t.Errorf("%s: %s", name, r.Of("I1"))
		}
	}
	if _, err := NewRecorder(t.TempDir(), "../elsewhere"); err == nil {
		t.Error("a node outside the folder")
	}
}

// What lies in a folder is judged as what was in memory.
func TestCheckDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := CheckDir(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	w := example(4)
	events := w.sealed()
	r, err := NewRecorder(dir, "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Record(events...), r.Close(), WriteParams(dir, w.params)); err != nil {
		t.Fatal(err)
	}
	got, err := CheckDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Check(Of(events...), w.params)
	if d := cmp.Diff(want.String(), got.String()); d != "" || len(got.In(Valid)) != len(invariants) {
		t.Errorf("from the folder (-memory +folder):\n%s", d)
	}
}
