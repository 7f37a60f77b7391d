package rig

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Need skips a test whose peer is not installed; in CI it fails it.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			Missing(t, err)
		}
	}
}

// Missing skips a test that lacks something; in CI it fails it.
func Missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// built are the programs of this test run, by what they were built from.
var built struct {
	sync.Mutex
	dir  string
	bins map[string]string
}

// Build builds "loa" with the tags given, once a run. Remove deletes what was
// built.
func Build(t testing.TB, tags ...string) string {
	t.Helper()
	return build(t, "loa "+strings.Join(tags, ","), "go", "build", "-tags="+strings.Join(tags, ","), "-o", "", "loa/cmd/loa")
}

// build runs a command that makes a program and returns its path; an empty
// argument of the command stands for that path.
func build(t testing.TB, key string, command ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if bin, ok := built.bins[key]; ok {
		return bin
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "loa-bin-")
		if err != nil {
			t.Fatal(err)
		}
		built.dir, built.bins = dir, map[string]string{}
	}
	bin := filepath.Join(built.dir, fmt.Sprintf("bin%d", len(built.bins)))
	if i := slices.Index(command, ""); i >= 0 {
		command[i] = bin
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...) // #nosec G204 -- of this package
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", command, err, out)
	}
	built.bins[key] = bin
	return bin
}

// Remove deletes the programs that were built; for TestMain.
func Remove() {
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
}

// FreePort returns a TCP port of loopback that nobody listened on a moment ago.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Process is a program that lives as long as the test.
type Process struct {
	*exec.Cmd
	Stdout io.Reader

	ended  chan struct{}
	err    error
	stderr lockedBuffer
}

// Start starts a program. Its standard error is shown if the test fails.
func Start(t testing.TB, env []string, name string, args ...string) *Process {
	t.Helper()
	return startWith(t, nil, env, name, args...)
}

func startWith(t testing.TB, stdin *os.File, env []string, name string, args ...string) *Process {
	t.Helper()
	cmd := exec.Command(name, args...) //nolint:noctx,gosec // killed at the test's end; of this package
	p := &Process{Cmd: cmd, ended: make(chan struct{})}
	if stdin != nil {
		p.Stdin = stdin
	}
	p.Env = append(os.Environ(), env...)
	p.Stderr = &p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		// Wait closes the pipe, so the end is looked for without it.
		state, err := p.Process.Wait()
		if err == nil && !state.Success() {
			err = fmt.Errorf("%s", state)
		}
		p.err = err
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s %v wrote:\n%s", filepath.Base(name), args, p.Said())
		}
	})
	return p
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (p *Process) Kill() {
	_ = p.Process.Kill()
	<-p.ended
}

// Ended is closed when the process is gone; Err says how.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Err is how the process ended; only to be read after Ended.
func (p *Process) Err() error { return p.err }

// Said is the end of what it wrote to standard error.
func (p *Process) Said() string {
	s := p.stderr.String()
	return s[max(0, len(s)-4000):]
}

// Log is all it wrote to standard error.
func (p *Process) Log() string { return p.stderr.String() }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Eventually looks until done says yes, or fails with what it said last.
func Eventually(t testing.TB, within time.Duration, what string, done func() (bool, string)) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, last := done()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waiting for %s: %s", what, last)
		}
	}
}
