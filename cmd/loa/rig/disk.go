package rig

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// root is the folder of the product's module.
func root(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

// Tool builds a program of the module of test tools, named by its package.
func Tool(t testing.TB, pkg string) string {
	t.Helper()
	return build(t, "tool "+pkg, "go", "build", "-C", filepath.Join(root(t), ".ci", "faults"), "-o", "", pkg)
}

// Disk is a folder whose disk fails on request. It needs root and FUSE.
type Disk struct {
	Mount string // what a program under test writes to
	Below string // where it comes to stand

	t  testing.TB
	in io.WriteCloser
	p  *Process
	to *bufio.Reader
}

// NewDisk mounts one. With volatile, what was not synced may be lost at a cut.
func NewDisk(t testing.TB, volatile bool) *Disk {
	t.Helper()
	if os.Getuid() != 0 {
		Missing(t, errors.New("mounting needs root"))
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		Missing(t, err)
	}
	d := &Disk{t: t, Mount: t.TempDir(), Below: t.TempDir()}
	args := []string{d.Below, d.Mount}
	if volatile {
		args = append([]string{"-volatile"}, args...)
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d.in = out
	d.p = startWith(t, in, nil, Tool(t, "./faultfs"), args...)
	_ = in.Close()
	d.to = bufio.NewReader(d.p.Stdout)
	if line, err := d.to.ReadString('\n'); err != nil || line != "mounted\n" {
		t.Fatalf("faultfs: %q, %v: %s", line, err, d.p.Said())
	}
	t.Cleanup(d.Unmount)
	return d
}

// Do has the disk change its ways ("fsync eio", "heal", "cut 7") and returns
// how many faults were met before, or with a cut how many changes are lost.
func (d *Disk) Do(command string) int {
	d.t.Helper()
	if _, err := fmt.Fprintln(d.in, command); err != nil {
		d.t.Fatal(err)
	}
	line, err := d.to.ReadString('\n')
	word, number, _ := strings.Cut(strings.TrimSpace(line), " ")
	n, bad := strconv.Atoi(number)
	if err != nil || word != "ok" || bad != nil {
		d.t.Fatalf("faultfs: %s: %q, %v", command, line, err)
	}
	return n
}

// Unmount takes the folder away; Below stays.
func (d *Disk) Unmount() {
	_ = d.in.Close()
	_ = syscall.Unmount(d.Mount, syscall.MNT_DETACH)
	<-d.p.Ended()
}

// Tmpfs mounts a disk in memory that is as small as told ("3m").
func Tmpfs(t testing.TB, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		Missing(t, errors.New("mounting needs root"))
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		Missing(t, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}
