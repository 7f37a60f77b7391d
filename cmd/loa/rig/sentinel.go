package rig

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Guarded is a Redis master with a replica and three Sentinels over them.
type Guarded struct {
	Master, Replica *Redis // as they were at first
	Sentinels       []*Redis

	t testing.TB
}

// StartGuarded starts one, on loopback or on three hosts: the master on the
// first, the replica on the second and a Sentinel on each.
func StartGuarded(t testing.TB, hosts ...*Host) *Guarded {
	t.Helper()
	Need(t, "redis-sentinel")
	if len(hosts) == 0 {
		hosts = make([]*Host, 3)
	}
	g := &Guarded{t: t, Master: StartRedisOn(t, hosts[0])}
	host, port, _ := net.SplitHostPort(g.Master.Addr)
	g.Replica = StartRedisOn(t, hosts[1], "--replicaof", host+" "+port)
	Eventually(t, 30*time.Second, "the replica to follow", func() (bool, string) {
		status := g.Replica.Info("replication", "master_link_status")
		return status == "up", status
	})
	for _, on := range hosts {
		s := newRedis(t, on)
		file := filepath.Join(s.Dir, "sentinel.conf")
		text := fmt.Sprintf("port %s\nprotected-mode no\ndir %s\nsentinel monitor loa %s %s 2\nsentinel down-after-milliseconds loa 1000\nsentinel failover-timeout loa 5000\n", s.Port, s.Dir, host, port)
		if on != nil {
			text += "sentinel auth-pass loa " + hostPassword + "\n"
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.args = []string{file, "--sentinel"}
		s.Restart()
		g.Sentinels = append(g.Sentinels, s)
	}
	g.Agree()
	return g
}

// Agree waits until every Sentinel knows the others and the replica, and all
// name one master.
func (g *Guarded) Agree() {
	g.t.Helper()
	for _, s := range g.Sentinels {
		Eventually(g.t, 60*time.Second, "the Sentinels to know each other", func() (bool, string) {
			out, err := s.Try("sentinel", "master", "loa")
			f := strings.Fields(out)
			return err == nil && after(f, "num-other-sentinels") == "2" && after(f, "num-slaves") == "1" &&
				after(f, "flags") == "master" && s.MasterAddr() == g.Sentinels[2].MasterAddr(), out
		})
	}
}

// after finds what follows a name in a list of names and values.
func after(fields []string, name string) string {
	if i := slices.Index(fields, name); i >= 0 && i+1 < len(fields) {
		return fields[i+1]
	}
	return ""
}

// MasterAddr is whom a Sentinel takes for the master.
func (r *Redis) MasterAddr() string {
	r.t.Helper()
	out, err := r.Try("sentinel", "get-master-addr-by-name", "loa")
	f := strings.Fields(out)
	if err != nil || len(f) != 2 {
		return ""
	}
	return net.JoinHostPort(f[0], f[1])
}

// Config is the "redis" section for it.
func (g *Guarded) Config() string {
	var addrs []string
	for _, s := range g.Sentinels {
		addrs = append(addrs, s.Addr)
	}
	return fmt.Sprintf("{password: %q, sentinel: {master: loa, addrs: [%s]}}", g.Master.password, quoted(addrs))
}

// quoted writes the items of a list.
func quoted(all []string) string {
	items := make([]string, len(all))
	for i, s := range all {
		items[i] = strconv.Quote(s)
	}
	return strings.Join(items, ", ")
}
