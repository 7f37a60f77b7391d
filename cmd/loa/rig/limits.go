package rig

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Limit changes what a running gateway may have of a resource (RLIMIT_AS,
// RLIMIT_NOFILE) and returns what it might have before.
func (n *Node) Limit(resource int, most uint64) (before uint64) {
	n.r.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(n.Process.Process.Pid, resource, nil, &old); err != nil {
		n.r.Fatal(err)
	}
	next := unix.Rlimit{Cur: most, Max: old.Max}
	if err := unix.Prlimit(n.Process.Process.Pid, resource, &next, nil); err != nil {
		n.r.Fatal(err)
	}
	return old.Cur
}

// Files is how many files and connections the gateway has open.
func (n *Node) Files() int {
	n.r.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.Process.Process.Pid))
	if err != nil {
		n.r.Fatal(err)
	}
	return len(all)
}

// Memory is what the gateway has of the machine's memory, and the addresses it
// has reserved, in bytes; 0 once it has ended.
func (n *Node) Memory() (resident, reserved uint64) {
	n.r.Helper()
	src, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Process.Process.Pid))
	if err != nil {
		return 0, 0
	}
	for line := range bytes.Lines(src) {
		fields := bytes.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kb, err := strconv.ParseUint(string(fields[1]), 10, 64)
		switch {
		case err != nil:
		case string(fields[0]) == "VmRSS:":
			resident = kb << 10
		case string(fields[0]) == "VmSize:":
			reserved = kb << 10
		}
	}
	return resident, reserved
}
