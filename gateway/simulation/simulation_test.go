package simulation_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// settling is how long a run goes on in good weather after the last act: a
	// doubt is asked about for a minute and a half, and who is shown then to have
	// been reached is corrected a minute later.
	settling = 170 * time.Second
	terminal = 150 * time.Second // from approval to the last recipient's final state
)

// live is one life of the world, from its seed.
func (w *world) live() {
	r := w.dice.Rand
	p := w.open(2, false)
	for acts := 5 + r.IntN(9); acts > 0 && p != nil; acts-- {
		for gap := between(r, 0, 2500*time.Millisecond); gap > 0; gap -= 250 * time.Millisecond {
			time.Sleep(min(gap, 250*time.Millisecond))
			if p.dead.Load() {
				if p = w.again(p, between(r, 0, 3*time.Second), 1+r.IntN(2), false); p == nil {
					return
				}
			}
		}
		w.act(p, r)
	}
	if p != nil {
		w.settle(p)
	}
}

func (w *world) act(p *process, r *rand.Rand) {
	id := w.target(r)
	roll := r.IntN(100)
	switch {
	case roll < 30 || id == "":
		w.issue(r)
	case roll < 40:
		w.bulletin(r)
	case roll < 48:
		w.stop(r, id)
	case roll < 56:
		w.correct(r, id)
	case roll < 62:
		w.update(r, id)
	case roll < 75:
		w.set(r)
	default:
		w.trouble(p, r)
	}
}

// again opens the ledger anew after its process has ended.
func (w *world) again(p *process, down time.Duration, nodes int, calm bool) *process {
	p.close()
	time.Sleep(down)
	return w.open(nodes, calm)
}

// settle lets everything come to its end.
func (w *world) settle(p *process) {
	time.Sleep(2 * time.Second)
	w.mu.Lock()
	w.trap = nil
	w.mu.Unlock()
	if w.belt != nil {
		w.belt.setDown(false)
	}
	for _, c := range w.carriers {
		c.set(fair)
	}
	if p = w.again(p, 0, 1, true); p == nil {
		return
	}
	time.Sleep(settling)
	w.over.Store(true)
	w.truth(p)
	p.end()
	p.close()
	w.work.Wait()
}

// seeds is how many lives are lived, from which seed on.
func seeds(t *testing.T, short, full int) (from, n uint64) {
	t.Helper()
	n = uint64(full)
	if testing.Short() {
		n = uint64(short)
	}
	number := func(name string, v *uint64) {
		if s := os.Getenv(name); s != "" {
			x, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			*v = x
		}
	}
	number("LOA_SIM_SEEDS", &n)
	number("LOA_SIM_SEED", &from)
	return from, n
}

// each lives the lives of some seeds, a few at a time.
func each(t *testing.T, from, n uint64, f fault, judge func(w *world) (goOn bool)) {
	t.Helper()
	var next atomic.Uint64
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for {
				k := next.Add(1) - 1
				if k >= n {
					return
				}
				w := run(t, from+k, f)
				mu.Lock()
				if !judge(w) {
					next.Store(n)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
}

// TestSimulation lives many lives. LOA_SIM_SEEDS says how many, LOA_SIM_SEED
// from which seed on: a failure prints the seed that shows it.
func TestSimulation(t *testing.T) {
	t.Parallel()
	from, n := seeds(t, 2, 1000)
	counts := map[string]int{}
	bad := 0
	began := time.Now()
	each(t, from, n, sound, func(w *world) bool {
		for k, v := range w.counts {
			counts[k] += v
		}
		counts["events"] += len(w.events)
		if wrong := w.judge(); len(wrong) > 0 {
			bad++
			t.Errorf("LOA_SIM_SEEDS=1 LOA_SIM_SEED=%d go test ./gateway/simulation -run TestSimulation\n%s", w.dice.seed, strings.Join(wrong, "\n"))
			if os.Getenv("LOA_SIM_SEED") != "" {
				t.Logf("%s\n%s", w.print(), strings.Join(w.notes, "\n"))
			}
		}
		return bad < 10
	})
	t.Logf("%d seeds in %v, %d bad: %v", n, time.Since(began), bad, counts)
}
