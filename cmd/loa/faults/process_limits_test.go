package faults

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"loa/cmd/loa/rig"
	"loa/gateway/historytest"
)

const mib = 1 << 20

// memoryCapped lets the gateway reserve 64 MiB more than it has, sends it great
// requests, and starts it again if it does not survive them.
func memoryCapped(r *run) {
	n := r.pick(2000, 10000, 100000)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 15})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(n / 10)
	p.InTheMiddle(id, "the cap")
	_, reserved := node.Memory()
	node.Limit(unix.RLIMIT_AS, reserved+64*mib)
	r.note("great requests by answer", fmt.Sprint(greatRequests(r, p, 64)))
	restarts, marked := 0, 0
	most := uint64(0)
	rig.Eventually(r, within, "all to be taken", func() (bool, string) {
		if hasEnded(node) { // it may take its time to say what it died of
			marked += p.Open(node, historytest.Monotonic())
			restarts++
			node.Serve()
		}
		resident, _ := node.Memory()
		most = max(most, resident)
		taken := p.Taken()
		return taken >= n*9/10, fmt.Sprint(taken)
	})
	p.Finish(id, within)
	s := p.Compare(id, marked)
	r.note("restarts", restarts)
	r.note("most resident, MiB", most/mib)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	if most > 300*mib {
		r.Errorf("%d MiB were resident", most/mib)
	}
	r.judge(p)
}

// greatRequests sends requests of a MiB each, all at once, and fails unless the
// gateway gets some.
func greatRequests(r *run, p *rig.Rig, times int) (answered map[int]int) {
	body := append([]byte(`{"source":"`), bytes.Repeat([]byte("a"), mib-64)...)
	var all sync.WaitGroup
	var mu sync.Mutex
	answered = map[int]int{}
	for range times {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.Nodes[0].Listen+"/api/v1/alerts", bytes.NewReader(body))
			if err != nil {
				r.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+p.Token(0))
			req.Header.Set("Idempotency-Key", "great")
			resp, err := http.DefaultClient.Do(req)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				answered[0]++
				return
			}
			answered[resp.StatusCode]++
			_ = resp.Body.Close()
		})
	}
	all.Wait()
	if answered[http.StatusOK]+answered[http.StatusCreated] > 0 || len(answered) == 0 {
		r.Errorf("great requests were taken: %v", answered)
	}
	return answered
}

// noFiles lets the gateway open nothing more for ten seconds.
func noFiles(r *run) {
	const most = 64
	n := r.pick(2000, 10000, 100000)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 25})
	node := p.Nodes[0]
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(n / 10)
	p.InTheMiddle(id, "the limit")
	before := node.Limit(unix.RLIMIT_NOFILE, most)
	if open := node.Files(); open <= most {
		r.Fatalf("%d files are open: the limit does not bite", open)
	}
	refused := 0
	for range 10 {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		if !answers(ctx, node) {
			refused++
		}
		cancel()
	}
	if refused == 0 {
		r.Error("new connections were taken: the limit does not bite")
	}
	p.InTheMiddle(id, "the end of the limit")
	taken := p.Taken()
	node.Limit(unix.RLIMIT_NOFILE, before)
	lifted := time.Now()
	rig.Eventually(r, 5*time.Second, "the gateway to answer and to send", func() (bool, string) {
		return answers(r.Context(), node) && p.Taken() > taken, fmt.Sprint(p.Taken(), " taken")
	})
	r.note("connections refused of 10", refused)
	r.note("recovered after", time.Since(lifted).Round(time.Millisecond).String())
	if hasEnded(node) {
		r.Errorf("the gateway ended: %v", node.Err())
	}
	p.Finish(id, within)
	s := p.Compare(id, 0)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	r.judge(p)
}

// answers reports whether a node takes a new connection and answers on it.
func answers(ctx context.Context, node *rig.Node) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+node.Listen+"/readyz", nil)
	if err != nil {
		return false
	}
	fresh := &http.Transport{DisableKeepAlives: true}
	defer fresh.CloseIdleConnections()
	resp, err := (&http.Client{Transport: fresh}).Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}

// starved has four programs more than two processors' worth turn in circles.
func starved(r *run) {
	n, span := r.pick(2000, 6000, 50000), time.Duration(r.pick(5, 20, 120))*time.Second
	p := several(r, 2, rig.Options{People: n, PerSecond: n * 6 / 10 / int(span.Seconds()+5)})
	id := p.Alert()
	p.AwaitTaken(10)
	ctx, cancel := context.WithTimeout(r.Context(), span)
	defer cancel()
	for range 4 {
		cmd := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			r.Fatal(err)
		}
		defer func() { _ = cmd.Wait() }()
	}
	p.InTheMiddle(id, "the programs")
	var took []time.Duration
	for ctx.Err() == nil {
		other, hash := p.Submit()
		began := time.Now()
		if status := p.Ask(r.Context(), p.Nodes[0], other, hash); status/100 != 2 {
			r.Errorf("an approval was answered %d", status)
		}
		took = append(took, time.Since(began))
		p.AskStop(r.Context(), p.Nodes[0], other)
	}
	slices.Sort(took)
	lost := 0.0
	for _, node := range p.Nodes {
		lost += node.Metric("loa_delivery_leases_lost_total", "kind=")
	}
	r.note("approvals", len(took))
	r.note("slowest approval", took[len(took)-1].Round(time.Millisecond).String())
	r.note("leases lost", lost)
	if took[len(took)*99/100] > 2*time.Second {
		r.Errorf("approvals took %v", took)
	}
	if lost > 0 {
		r.Errorf("%v leases were taken from a gateway that lives", lost)
	}
	p.Finish(id, within)
	r.judge(p)
}
