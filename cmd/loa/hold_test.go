package main_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
	"loa/gateway"
	"loa/gateway/ledger/postgrestest"
)

// A dump of PostgreSQL that was made in the middle of an alert is restored when
// the alert has ended, with an empty Redis and no witness: nothing is sent until
// two people release it, and whom the carrier's list names is not sent to again.
// What has another tool on PostgreSQL says so, and the key is changed while no
// node runs.
func TestRestoredDumpOfPostgres(t *testing.T) {
	t.Parallel()
	s := postgrestest.Shared(t)
	dsn := s.Database(t)
	const n = 400
	p := rig.New(t, rig.Options{People: n, PerSecond: 60, Postgres: dsn})
	node, idle := p.Nodes[0], p.AddNode()
	tool := func(name string, args ...string) {
		t.Helper()
		if _, err := s.Run(name, args...); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string, node *rig.Node, args ...string) {
		t.Helper()
		if said, err := node.TryLoa("", "", args...); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("loa %s: %v, %s; want %q", strings.Join(args, " "), err, said, what)
		}
	}
	file, key := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "master.new")

	node.Serve()
	id := p.Alert()
	p.AwaitTaken(n * 9 / 10 / 3)
	tool("pg_dump", "--format=custom", "--file=middle.dump", dsn)
	p.InTheMiddle(id, "the dump")
	refused("pg_dump", node, "backup", file)
	refused("pg_restore", node, "restore", "--check", file)
	refused("pg_restore", node, "restore", file)
	refused("other processes use this ledger", idle, "keys", "rotate", "--new", key)
	p.Finish(id, time.Minute)
	p.Compare(id, 0)
	first, sent := p.Copies(), p.Taken()

	node.Kill()
	p.Door.To()
	p.Redis.CLI("flushall")
	tool("pg_restore", "--clean", "--if-exists", "--exit-on-error", "--dbname="+dsn, "middle.dump")
	p.Door.To(node.Listen)
	node.Serve()
	if node.Metric("loa_hold") != 1 || !strings.Contains(node.Ready(), "hold") {
		t.Fatalf("a restored dump is not on hold: %s", node.Ready())
	}
	if said, _ := node.TryLoa("", "", "doctor"); !strings.Contains(said, "neither Redis nor a witness file knew") {
		t.Errorf("doctor: %s", said)
	}
	waiting := func() (sms int, status gateway.HoldStatus) {
		t.Helper()
		if err := json.Unmarshal([]byte(node.Loa("", "", "hold", "status", "--json")), &status); err != nil {
			t.Fatal(err)
		}
		for _, w := range status.Waiting {
			if w.Channel == channels.SMS {
				sms += w.Pending + w.Doubt
			}
		}
		return sms, status
	}
	sms, status := waiting()
	if sms == 0 || !status.Held || status.ReconcileFor == 0 {
		t.Fatalf("the restored ledger would send nothing again: %+v", status)
	}
	if said := node.Loa("", "", "hold", "status"); !strings.Contains(said, "restored or moved") || !strings.Contains(said, "takes at least") {
		t.Errorf("hold status: %s", said)
	}
	if said := node.Loa("", "", "hold", "reconcile"); !strings.Contains(said, "were sent to already") {
		t.Errorf("hold reconcile: %s", said)
	}
	if left, _ := waiting(); left != 0 {
		t.Errorf("%d of %d SMS would be sent again", left, sms)
	}
	node.Loa(p.Token(0), "", "hold", "release")
	if said, err := node.TryLoa(p.Token(0), "", "hold", "release"); err == nil {
		t.Errorf("one person released it twice: %s", said)
	}
	if now := p.Taken(); now != sent {
		t.Errorf("%d messages were taken on hold", now-sent)
	}
	node.Loa(p.Token(1), "", "hold", "release")
	p.FinishSome(id, time.Minute)
	again, copies := 0, p.Copies()
	for _, x := range p.People {
		if x.Kind == channels.SMS {
			again += copies[x.Address] - first[x.Address]
		}
	}
	if again != 0 {
		t.Errorf("%d SMS were sent again", again)
	}

	node.Kill()
	if said := idle.Loa("", "", "keys", "rotate", "--new", key); !strings.Contains(said, "addresses were sealed anew") {
		t.Errorf("keys rotate: %s", said)
	}
	refused("keys.master is not the key", node, "check", "--online")
	refused("keys.master is not the key", node, "serve")
}
