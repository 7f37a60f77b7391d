package faults

import (
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"loa/cmd/loa/rig"
)

// ledgerLocked holds SQLite's lock of writers for ten seconds, as another
// program that writes does.
func ledgerLocked(r *run) {
	const held, most = 10 * time.Second, 11 * time.Second
	n := r.pick(500, 1000, 10000)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 25})
	node := p.Nodes[0]
	node.Serve()
	other, hash := p.Submit()
	id := p.Alert()
	p.AwaitTaken(1)

	f, err := os.OpenFile(filepath.Join(node.Data(), "loa.db-shm"), os.O_RDWR, 0) // #nosec G304 -- of this test
	if err != nil {
		r.Fatal(err)
	}
	const writers = 120 // the byte that whoever writes locks (https://sqlite.org/walformat.html)
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: writers, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &lock); err != nil {
		r.Fatal(err)
	}
	locked := time.Now()
	var mu sync.Mutex
	var took []time.Duration
	answers := map[int]int{}
	var asking sync.WaitGroup
	for range r.pick(20, 100, 200) {
		asking.Go(func() {
			began := time.Now()
			s := approve(r, p, node, other, hash)
			mu.Lock()
			defer mu.Unlock()
			took, answers[s] = append(took, time.Since(began)), answers[s]+1
		})
	}
	before := p.Taken()
	release := time.NewTimer(time.Until(locked.Add(held)))
	<-release.C
	sent := p.Taken() - before
	if err := f.Close(); err != nil {
		r.Fatal(err)
	}
	asking.Wait()
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	r.note("answers", answers)
	r.note("p99", p99.Round(time.Millisecond).String())
	if p99 > most || answers[503] == 0 {
		r.Errorf("p99 %s, %d refusals", p99, answers[503])
	}
	if sent > p.OpenCalls() {
		r.Errorf("%d were sent to while nothing could be marked", sent)
	}
	for s := range answers {
		if s != 503 && s/100 != 2 && s != 409 {
			r.Errorf("an approval was answered with %d", s)
		}
	}
	node.AwaitReady(20 * time.Second)
	if answers[200] == 0 {
		p.Finish(id, within)
		s := p.Compare(id, p.OpenCalls())
		r.note("lost", s.Lost)
		r.note("duplicates", s.Second)
	}
}

// approve is as rig's Ask, for many at once: nothing is recorded.
func approve(r *run, p *rig.Rig, n *rig.Node, id, hash string) (status int) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+n.Listen+"/api/v1/alerts/"+id+"/approve", strings.NewReader(`{"hash": "`+hash+`"}`))
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+p.Token(1))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "approve-"+id)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// pagesDamaged changes one byte in each of many pages, one after the other.
func pagesDamaged(r *run) {
	p := rig.New(r, rig.Options{People: 3000})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.Finish(id, within)
	node.Signal(syscall.SIGTERM)
	<-node.Ended()
	path := filepath.Join(node.Data(), "loa.db")
	src, err := os.ReadFile(path) // #nosec G304 -- of this test
	if err != nil {
		r.Fatal(err)
	}
	const size = 4096
	pages := len(src) / size
	random := rand.New(rand.NewPCG(31, 0)) // #nosec G404 -- repeatable
	undetected, tried := 0, 0
	for _, page := range random.Perm(pages)[:min(100, pages)] {
		tried++
		at := page*size + random.IntN(size)
		put := func(b byte) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0) // #nosec G304 -- of this test
			if err == nil {
				_, err = f.WriteAt([]byte{b}, int64(at))
				_ = f.Close()
			}
			if err != nil {
				r.Fatal(err)
			}
		}
		put(src[at] ^ byte(1<<random.IntN(8)))
		node.Begin()
		select {
		case <-node.Ended():
			if said := node.Said(); !strings.Contains(said, "1 of ") || !strings.Contains(said, "loa restore") {
				r.Errorf("page %d: %s", page+1, said)
			}
		case <-time.After(20 * time.Second):
			undetected++
			r.Errorf("page %d: it serves", page+1)
			node.Kill()
		}
		put(src[at])
	}
	r.note("pages damaged", tried)
	r.note("undetected", undetected)
	if tried < 100 {
		r.Errorf("only %d pages", tried)
	}
	node.Serve()
	p.Compare(id, 0)
}
