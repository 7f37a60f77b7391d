package ledger

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/audience"
)

// victimEnv makes the test binary a process that writes to a ledger until it
// is killed, or until its files may not grow any more. It prints the number of
// each endpoint once it has been told that it is durable.
const victimEnv = "LOA_LEDGER_VICTIM"

const victimWriters = 8

func victim() {
	path := os.Getenv("LOA_LEDGER_PATH")
	l, err := OpenSQLite(context.Background(), path, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	var was syscall.Rlimit
	if os.Getenv(victimEnv) == "limit" {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		limit := syscall.Rlimit{Cur: 400 << 10, Max: was.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	var wg sync.WaitGroup
	for w := range victimWriters {
		wg.Go(func() {
			for n := w; ; n += victimWriters {
				if _, err := l.Audience().Add(context.Background(), noon, numbered(n)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Fprintln(os.Stdout, n)
			}
		})
	}
	wg.Wait() // every writer has been refused
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	if _, err := l.Audience().Add(context.Background(), noon, numbered(1_000_000)); !errors.Is(err, ErrBroken) {
		fmt.Fprintln(os.Stderr, "after a write that failed:", err)
		os.Exit(8)
	}
	os.Exit(7)
}

func numbered(n int) []audience.Sealed {
	es := people(n, 1)
	binary.BigEndian.PutUint64(es[0].Lookup[8:], uint64(n))
	return es
}

// startVictim runs the binary as a victim; its lines come until it ends.
func startVictim(t *testing.T, mode, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	self, err := os.Executable()
	must(t, err)
	c := exec.CommandContext(ctx, self)
	c.Env = append(os.Environ(), victimEnv+"="+mode, "LOA_LEDGER_PATH="+path)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	return c, bufio.NewScanner(out)
}

// survivors compares what a victim was told with what its ledger holds. Each
// writer may have one more that it was not yet told of.
func survivors(t *testing.T, path string, told map[int]bool) {
	t.Helper()
	l := openAt(t, path, Options{})
	for n := range told {
		if id := got(l.Audience().Find(t.Context(), channels.SMS, numbered(n)[0].Lookup))(t); id == 0 {
			t.Errorf("endpoint %d was durable and is lost", n)
		}
	}
	if n := counted(t, l, "06649"); n < len(told) || n > len(told)+victimWriters {
		t.Errorf("%d endpoints counted, %d were told of", n, len(told))
	}
}

func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		path := filepath.Join(t.TempDir(), "loa.db")
		c, lines := startVictim(t, "kill", path)
		told := make(map[int]bool)
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			must(t, err)
			told[n] = true
			if len(told) == 300*(round+1) {
				must(t, c.Process.Kill())
			}
		}
		_ = c.Wait()
		if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
			t.Fatalf("the process was not killed: %v", c.ProcessState)
		}
		survivors(t, path, told)
	}
}

// TestFilesThatCannotGrow fails commits themselves: the log cannot be written.
// After that nothing is acknowledged any more, although it could be written.
func TestFilesThatCannotGrow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "loa.db")
	c, lines := startVictim(t, "limit", path)
	told := make(map[int]bool)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		must(t, err)
		told[n] = true
	}
	_ = c.Wait()
	if c.ProcessState.ExitCode() != 7 {
		t.Fatalf("the writers were not refused: %v", c.ProcessState)
	}
	survivors(t, path, told)
}
