package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Net is a network of hosts beside this one, each a network namespace. Only
// these hosts filter what they hear and say; this machine's own rules and
// routes stay as they are.
type Net struct {
	Here  string // this machine's address in it
	Hosts []*Host
}

// Host is one of them.
type Host struct {
	Addr string

	t    testing.TB
	name string
}

// networks makes their numbers unlike each other.
var networks struct {
	sync.Mutex
	made int
}

// NewNet makes a network of n hosts, which is gone when the test is. It needs
// root.
func NewNet(t testing.TB, n int) *Net {
	t.Helper()
	if os.Getuid() != 0 {
		Missing(t, errors.New("network namespaces need root"))
	}
	Need(t, "ip", "iptables")
	networks.Lock()
	defer networks.Unlock()
	if networks.made++; networks.made == 1 {
		abandoned(t)
	}
	id := fmt.Sprintf("loa%xn%d", os.Getpid(), networks.made)
	prefix := ""
	used := command(t, "ip", "-o", "-4", "addr")
	for i := 1; i < 255 && prefix == ""; i++ {
		if p := fmt.Sprintf("10.99.%d.", i); !strings.Contains(used, p) {
			prefix = p
		}
	}
	net := &Net{Here: prefix + "1"}
	command(t, "ip", "link", "add", id, "type", "bridge")
	t.Cleanup(func() { command(t, "ip", "link", "del", id) })
	command(t, "ip", "addr", "add", net.Here+"/24", "dev", id)
	command(t, "ip", "link", "set", id, "up")
	for i := range n {
		h := &Host{t: t, Addr: fmt.Sprintf("%s%d", prefix, 11+i), name: fmt.Sprintf("%sh%d", id, i)}
		command(t, "ip", "netns", "add", h.name)
		t.Cleanup(func() { command(t, "ip", "netns", "del", h.name) })
		command(t, "ip", "link", "add", h.name, "type", "veth", "peer", "name", "eth0", "netns", h.name)
		command(t, "ip", "link", "set", h.name, "master", id, "up")
		command(t, "ip", "-n", h.name, "addr", "add", h.Addr+"/24", "dev", "eth0")
		command(t, "ip", "-n", h.name, "link", "set", "eth0", "up")
		command(t, "ip", "-n", h.name, "link", "set", "lo", "up")
		net.Hosts = append(net.Hosts, h)
	}
	return net
}

var hostForm = regexp.MustCompile(`(?m)^(loa([0-9a-f]+)n\d+)h\d+\b`)

// abandoned takes down the networks of test processes that were killed.
func abandoned(t testing.TB) {
	t.Helper()
	for _, m := range hostForm.FindAllStringSubmatch(command(t, "ip", "netns", "list"), -1) {
		owner, err := strconv.ParseInt(m[2], 16, 32)
		if err != nil || syscall.Kill(int(owner), 0) == nil {
			continue
		}
		for p := range strings.FieldsSeq(command(t, "ip", "netns", "pids", m[0])) {
			if pid, err := strconv.Atoi(p); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		command(t, "ip", "netns", "del", m[0])
		_ = exec.Command("ip", "link", "del", m[1]).Run() //nolint:noctx,gosec // with the first of its hosts
	}
}

// command runs a program to its end; the test fails if that fails.
func command(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput() //nolint:noctx,gosec // also at the test's end; of this package
	if err != nil {
		t.Errorf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

// command is what runs a program on the host; on no host, here.
func (h *Host) command(args []string) []string {
	if h == nil {
		return args
	}
	return append([]string{"ip", "netns", "exec", h.name}, args...)
}

// Filter has the host's firewall add a rule: "INPUT -s 10.99.1.1 -j DROP".
func (h *Host) Filter(rule string) {
	h.t.Helper()
	command(h.t, h.command(append([]string{"iptables", "-A"}, strings.Fields(rule)...))...)
}

// Deaf has the host neither hear the addresses nor speak to them.
func (h *Host) Deaf(addrs ...string) {
	h.t.Helper()
	for _, a := range addrs {
		h.Filter("INPUT -s " + a + " -j DROP")
		h.Filter("OUTPUT -d " + a + " -j DROP")
	}
}

// Filtered is how many packets the host's rules have met.
func (h *Host) Filtered() int {
	h.t.Helper()
	sum := 0
	for line := range strings.Lines(command(h.t, h.command([]string{"iptables", "-L", "-v", "-x", "-n"})...)) {
		var n int
		if f := strings.Fields(line); len(f) > 2 && f[2] == "DROP" {
			if _, err := fmt.Sscan(f[0], &n); err == nil {
				sum += n
			}
		}
	}
	return sum
}

// Heal takes all rules away.
func (h *Host) Heal() {
	h.t.Helper()
	command(h.t, h.command([]string{"iptables", "-F"})...)
}
