package gateway

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// holderEnv names the data folder of a process that holds it until its input
// ends.
const holderEnv = "LOA_TEST_HOLDER"

// TestHolder is not a test: the tests of locks run it as a process of its own.
func TestHolder(t *testing.T) {
	data := os.Getenv(holderEnv)
	if data == "" {
		return
	}
	g, err := New(t.Context(), muteOptions(t, data))
	if err != nil {
		_, _ = os.Stdout.WriteString("refused: " + strings.ReplaceAll(err.Error(), "\n", " ") + "\n")
		return
	}
	_, _ = os.Stdout.WriteString("holds\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	closed(t, g)
}

// holder starts a process on a data folder and returns what it says at first.
func holder(t *testing.T, data string) (said string, cmd *exec.Cmd, end func()) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHolder$")
	cmd.Env = append(os.Environ(), holderEnv+"="+data)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(said), cmd, func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
}

// A second process on a ledger refuses, by whatever name it comes to it, and
// starts when the first has been killed.
func TestTwoProcessesOnOneLedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	said, first, end := holder(t, data)
	defer end()
	if said != "holds" {
		t.Fatal(said)
	}
	link := func(from, to string) string {
		t.Helper()
		if err := os.Symlink(from, to); err != nil {
			t.Fatal(err)
		}
		return to
	}
	folder := func(name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	linked, hard := folder("linked"), folder("hard")
	link(ledgerFile(data), ledgerFile(linked))
	link(data, filepath.Join(dir, "one"))
	for _, name := range []string{"loa.db", "loa.lock"} { // a copy that is made of links
		if err := os.Link(filepath.Join(data, name), filepath.Join(hard, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"the folder":          {data, ErrRunning},
		"another way to it":   {filepath.Join(dir, "linked", "..", "data"), ErrRunning},
		"a link to it":        {filepath.Join(dir, "one"), ErrRunning},
		"a link to a link":    {link(filepath.Join(dir, "one"), filepath.Join(dir, "two")), ErrRunning},
		"a link to the file":  {linked, ErrLinked},
		"hard links to files": {hard, ErrRunning},
	} {
		if said, _, end := holder(t, c.data); !strings.HasPrefix(said, "refused:") || !strings.Contains(said, c.want.Error()) {
			t.Errorf("%s: %s", name, said)
			end()
		} else {
			end()
		}
		if g, err := New(t.Context(), muteOptions(t, c.data)); !errors.Is(err, c.want) {
			t.Errorf("%s, from this process: %v", name, err)
			if err == nil {
				closed(t, g)
			}
		}
	}
	if found := Examine(t.Context(), muteOptions(t, linked), false); len(found.Faults) != 1 || !errors.Is(found.Faults[0], ErrLinked) {
		t.Errorf("the check of a linked file: %v", found)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	said, _, over := holder(t, filepath.Join(dir, "one"))
	defer over()
	if said != "holds" {
		t.Errorf("after the first was killed: %s", said)
	}
	if _, err := New(t.Context(), muteOptions(t, data)); !errors.Is(err, ErrRunning) {
		t.Errorf("beside one that came over a link: %v", err)
	}
}
