package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"loa/cmd/loa/rig"
)

// standOn moves the data of a node that does not run to another folder, by
// which it comes to stand on another disk.
func (r *run) standOn(n *rig.Node, folder, seenAt string) {
	r.Helper()
	if out, err := exec.CommandContext(r.Context(), "cp", "-a", n.Data()+"/.", folder).CombinedOutput(); err != nil { // #nosec G204 -- of this test
		r.Fatalf("%v: %s", err, out)
	}
	if err := os.RemoveAll(n.Data()); err != nil {
		r.Fatal(err)
	}
	r.point(n.Data(), seenAt)
}

// point makes or moves a symbolic link.
func (r *run) point(link, to string) {
	r.Helper()
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		r.Fatal(err)
	}
	if err := os.Symlink(to, link); err != nil {
		r.Fatal(err)
	}
}

// notReady waits until the node says that it is not.
func (r *run) notReady(n *rig.Node) {
	r.Helper()
	rig.Eventually(r, 30*time.Second, "the node not to be ready", func() (bool, string) {
		s := n.Ready()
		return strings.Contains(s, `"ready":false`), s
	})
}

// syncFails fails, and before that slows, every sync: under Redis, then under
// the ledger.
func syncFails(r *run) {
	r.Run("redis", func(t *testing.T) { syncFailsUnderRedis(&run{T: t, set: r.set}) })
	n := r.pick(1000, 2000, 10000)
	disk := rig.NewDisk(r, false)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 40})
	node := p.Nodes[0]
	r.standOn(node, disk.Mount, disk.Mount)
	node.Serve()
	other, hash := p.Submit()
	id := p.Alert()
	p.AwaitTaken(1)

	disk.Do("fsync stall 3s")
	before, began := p.Taken(), time.Now()
	rig.Eventually(r, 40*time.Second, "sending while syncs stall", func() (bool, string) {
		return p.Taken() > before && time.Since(began) > 7*time.Second, fmt.Sprint(p.Taken()) // two syncs long, so that one was met
	})
	if met := disk.Do("heal"); met == 0 {
		r.Error("no sync was slowed")
	} else {
		r.note("syncs slowed", met)
	}
	p.InTheMiddle(id, "the stall")

	disk.Do("fsync eio")
	r.notReady(node)
	acked, refused := 0, 0
	for range r.pick(20, 100, 1000) {
		switch s := p.Ask(r.Context(), node, other, hash); {
		case s/100 == 2:
			acked++
		case s == http.StatusServiceUnavailable:
			refused++
		default:
			r.Errorf("an approval was answered with %d", s)
		}
	}
	if met := disk.Do("heal"); met == 0 {
		r.Error("no sync failed")
	} else {
		r.note("syncs failed", met)
	}
	// The disk is well again, and these handles are not trusted any more.
	if s := p.Ask(r.Context(), node, other, hash); s != http.StatusServiceUnavailable {
		r.Errorf("after the disk came back: %d", s)
	}
	r.note("acknowledged after the failure", acked)
	r.note("refused with 503", refused)
	if acked > 0 {
		r.Error("something was acknowledged after a sync failed")
	}
	node.Kill()
	node.Serve()
	p.Finish(id, within)
	s := p.Compare(id, p.OpenCalls())
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
}

func syncFailsUnderRedis(r *run) {
	n := 1000
	disk := rig.NewDisk(r, false)
	redis := rig.StartRedis(r, "--dir", disk.Mount, "--appendonly", "yes", "--appendfsync", "always")
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 20, Redis: fmt.Sprintf("{addr: %q}", redis.Addr)})
	p.Nodes[0].Serve()
	id := p.Alert()
	p.AwaitTaken(1)
	disk.Do("fsync eio")
	rig.Eventually(r, 30*time.Second, "direct mode", func() (bool, string) { return inDirect(p.Nodes[0]), p.Nodes[0].Ready() })
	if disk.Do("heal") == 0 {
		r.Error("no sync failed")
	}
	p.InTheMiddle(id, "the failed sync")
	p.Finish(id, within)
	p.Compare(id, 0)
}

// powerCut takes the power from the ledger's and Redis's disk at random
// moments of an alert.
func powerCut(r *run) {
	rounds := r.pick(3, 20, 100)
	var lost, second, gone atomic.Int64
	r.Run("cuts", func(t *testing.T) {
		for seed := range rounds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel() // each mostly waits
				s, changes := cutOnce(&run{T: t, set: r.set}, seed)
				lost.Add(int64(s.Lost))
				second.Add(int64(s.Second))
				gone.Add(int64(changes))
			})
		}
	})
	r.note("power cuts", rounds)
	r.note("unsynced changes that were lost", gone.Load())
	r.note("lost", lost.Load())
	r.note("duplicates", second.Load())
	if gone.Load() == 0 {
		r.Error("no cut took anything away")
	}
}

// cutOnce takes the power once and says how many unsynced changes that took.
func cutOnce(r *run, seed int) (s rig.Sum, gone int) {
	const n = 300
	random := rand.New(rand.NewPCG(uint64(seed), 20)) // #nosec G404 -- repeatable
	disk := rig.NewDisk(r, true)
	below, mounted, link := filepath.Join(disk.Below, "redis"), filepath.Join(disk.Mount, "redis"), filepath.Join(r.TempDir(), "redis")
	if err := errors.Join(os.Mkdir(below, 0o700), os.Mkdir(filepath.Join(disk.Below, "loa"), 0o700)); err != nil {
		r.Fatal(err)
	}
	r.point(link, mounted)
	redis := rig.StartRedis(r, "--dir", link, "--appendonly", "yes", "--appendfsync", "always")
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 4, Redis: fmt.Sprintf("{addr: %q}", redis.Addr)})
	node := p.Nodes[0]
	r.standOn(node, filepath.Join(disk.Below, "loa"), filepath.Join(disk.Mount, "loa"))
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(random.IntN(n * 6 / 10))
	gone = disk.Do(fmt.Sprintf("cut %d", seed))
	node.Kill()
	redis.Kill()
	r.point(link, below)
	r.point(node.Data(), filepath.Join(disk.Below, "loa"))
	redis.Restart()
	node.Serve()
	p.Finish(id, within)
	return p.Compare(id, p.OpenCalls()), gone
}

// ledgerDiskFull fills the ledger's disk in the middle of an alert.
func ledgerDiskFull(r *run) {
	n := r.pick(1000, 2000, 10000)
	folder := r.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=200m"); err != nil {
		rig.Missing(r, err)
	}
	r.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 30})
	node := p.Nodes[0]
	r.standOn(node, folder, folder)
	reserve := filepath.Join(folder, "ballast")
	if err := os.Remove(reserve); err != nil && !errors.Is(err, os.ErrNotExist) {
		r.Fatal(err) // it was cut for a larger disk: given back, it would be room enough
	}
	node.Serve()
	rig.Eventually(r, 10*time.Second, "the reserve to be made", func() (bool, string) {
		_, err := os.Stat(reserve)
		return err == nil, "it is not there"
	})
	other, hash := p.Submit()
	id := p.Alert()
	p.AwaitTaken(1)
	filler := filepath.Join(folder, "filler")
	f, err := os.Create(filler) // #nosec G304 -- of this test
	if err != nil {
		r.Fatal(err)
	}
	for b := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(b)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		r.Fatalf("the disk was not filled: %v", err)
	}
	rig.Eventually(r, 10*time.Second, "the reserve to be given back", func() (bool, string) {
		_, err := os.Stat(reserve)
		return errors.Is(err, os.ErrNotExist), "it is there"
	})
	p.InTheMiddle(id, "the disk was full")
	refused := 0
	for range r.pick(20, 200, 1000) {
		if s := p.Ask(r.Context(), node, other, hash); s == http.StatusInsufficientStorage {
			refused++
		} else {
			r.Fatalf("an approval on a full disk was answered with %d after %d refusals: %s", s, refused, node.Ready())
		}
	}
	r.note("refused with 507", refused)
	p.Finish(id, within)
	s := p.Compare(id, 0)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	if err := errors.Join(f.Close(), os.Remove(filler)); err != nil {
		r.Fatal(err)
	}
	rig.Eventually(r, 10*time.Second, "the reserve to be made anew", func() (bool, string) {
		_, err := os.Stat(reserve)
		return err == nil, "it is not there"
	})
	rig.Eventually(r, 10*time.Second, "approvals to be taken again", func() (bool, string) {
		s := p.Ask(r.Context(), node, other, hash)
		return s/100 == 2, fmt.Sprint(s)
	})
}
