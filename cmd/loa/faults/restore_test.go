package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"loa/channels"
	"loa/cmd/loa/rig"
)

// quietFor is how long a gateway on hold is watched for a send: several rounds
// of its sweeper, its workers' own claims and its dispatcher.
const quietFor = 6 * time.Second

// oldBackupRestored makes a backup in the middle of an alert, lets the alert
// end, and puts the backup in the ledger's place.
func oldBackupRestored(r *run) {
	n := r.pick(1000, 3000, 10000)
	p := rig.New(r, rig.Options{People: n, PerSecond: n / 15})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(n * 9 / 10 * 5 / 10)
	backup := filepath.Join(p.Dir, "backup.db")
	node.Loa("", "", "backup", backup)
	p.InTheMiddle(id, "the backup")
	p.Finish(id, within)
	s := p.Compare(id, 0)
	r.note("lost", s.Lost)
	first := p.Copies()
	sent := p.Taken()

	node.Kill()
	p.Door.To()
	if said, err := node.TryLoa("", "", "restore", "--check", backup); err != nil || !strings.Contains(said, "starts on hold") {
		r.Errorf("loa restore --check: %v\n%s", err, said)
	}
	if said, err := node.TryLoa("", "", "restore", backup); err == nil {
		r.Errorf("a ledger that is there was replaced: %s", said)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(node.Data(), "loa.db"+end)); err != nil && !os.IsNotExist(err) {
			r.Fatal(err)
		}
	}
	node.Loa("", "", "restore", backup)
	p.Door.To(node.Listen)
	node.Serve()
	if node.Metric("loa_hold") != 1 || !strings.Contains(node.Ready(), `"hold"`) {
		r.Fatalf("a restored backup is not on hold: %s", node.Ready())
	}
	would := holdOf(r, node)
	if would == 0 {
		r.Fatal("the restored ledger would send nothing: the backup came too late")
	}
	r.note("a release at once would have sent again to", would)
	stays(r, p, sent, "on hold")
	node.Kill()
	node.Serve()
	stays(r, p, sent, "on hold, after another start")
	r.note("sent again without a release", p.Taken()-sent)

	r.Log(node.Loa("", "", "hold", "reconcile"))
	author, approver := p.Token(0), p.Token(1)
	node.Loa(author, "", "hold", "release")
	if said, err := node.TryLoa(author, "", "hold", "release"); err == nil {
		r.Errorf("one person released it twice: %s", said)
	}
	stays(r, p, sent, "with one release of two")
	left := holdOf(r, node)
	r.note("of those, left to send to after asking the carrier's list", left)
	node.Loa(approver, "", "hold", "release")
	rig.Eventually(r, 10*time.Second, "the hold to end", func() (bool, string) {
		return node.Metric("loa_hold") == 0, node.Ready()
	})
	// The carrier reports once: what it reported after the backup went to the
	// ledger that is gone, and those stay accepted.
	p.FinishSome(id, within)
	r.note("SMS whose report only the ledger of before had", p.Left(id, channels.Accepted))
	again := map[channels.Kind]int{}
	copies := p.Copies()
	for _, x := range p.People {
		again[x.Kind] += copies[x.Address] - first[x.Address]
	}
	r.note("second copies after the release, by SMS", again[channels.SMS])
	r.note("second copies after the release, by web push, which has no list", again[channels.WebPush])
	if again[channels.SMS] != 0 {
		r.Errorf("%d SMS were sent again though the carrier's list names them", again[channels.SMS])
	}
}

// stays fails if a message is taken while nothing may be sent.
func stays(r *run, p *rig.Rig, sent int, when string) {
	r.Helper()
	for until := time.Now().Add(quietFor); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if n := p.Taken(); n != sent {
			r.Fatalf("%s: %d messages were taken, %d before", when, n, sent)
		}
	}
}

// holdOf is how many recipients a release would send to.
func holdOf(r *run, node *rig.Node) (n int) {
	r.Helper()
	var s struct {
		Held    bool `json:"held"`
		Waiting []struct {
			Pending int `json:"pending"`
			Doubt   int `json:"doubt"`
		} `json:"waiting"`
	}
	if err := json.Unmarshal([]byte(node.Loa("", "", "hold", "status", "--json")), &s); err != nil || !s.Held {
		r.Fatalf("hold status: %+v, %v", s, err)
	}
	for _, w := range s.Waiting {
		n += w.Pending + w.Doubt
	}
	return n
}

// redisRolledBack lets an alert end and gives Redis back what it held in the
// middle of it: old hints, whose batches are done, and the same epoch.
func redisRolledBack(r *run) {
	n := r.pick(1000, 3000, 10000)
	dir := r.TempDir()
	redis := rig.StartRedis(r, "--appendonly", "yes", "--appendfsync", "always", "--dir", dir)
	p := rig.New(r, rig.Options{People: n, PerSecond: n / 10, Redis: fmt.Sprintf("{addr: %q}", redis.Addr)})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(n * 9 / 10 * 4 / 10)
	p.InTheMiddle(id, "the copy of Redis")
	redis.CLI("bgrewriteaof") // the copy must not begin half way in a file
	rig.Eventually(r, 20*time.Second, "Redis to write its file anew", func() (bool, string) {
		info := redis.CLI("info", "persistence")
		return strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0"), info
	})
	hints := redis.CLI("xlen", "loa:{sms}:p0")
	kept := filepath.Join(r.TempDir(), "old")
	if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
		r.Fatal(err)
	}
	epoch := redis.CLI("get", "loa:epoch")
	p.Finish(id, within)
	s := p.Compare(id, 0)
	sent := p.Taken()
	redis.Kill()
	if err := os.RemoveAll(filepath.Join(dir, "appendonlydir")); err != nil {
		r.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "appendonlydir"), os.DirFS(filepath.Join(kept, "appendonlydir"))); err != nil {
		r.Fatal(err)
	}
	redis.Restart()
	if back := redis.CLI("get", "loa:epoch"); back != epoch || strings.TrimSpace(hints) == "0" {
		r.Fatalf("Redis is not what it was: epoch %q, before %q; %s hints", back, epoch, hints)
	}
	r.note("old hints that came back", strings.TrimSpace(hints))
	rig.Eventually(r, 2*time.Minute, "the old hints to be taken over from consumers that are gone", func() (bool, string) {
		left := strings.TrimSpace(redis.CLI("xlen", "loa:{sms}:p0"))
		return left == "0", left
	})
	stays(r, p, sent, "after Redis was rolled back")
	if node.Metric("loa_hold") != 0 {
		r.Error("a Redis that is behind the ledger put it on hold")
	}
	s2 := p.Compare(id, 0)
	r.note("lost", s.Lost)
	r.note("sent again", p.Taken()-sent)
	r.note("duplicates", s2.Second)
}
