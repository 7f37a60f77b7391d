package simulation_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// dice make every choice of a run from its seed. What the driver chooses comes
// from one generator, in order. What is chosen where several goroutines run is
// drawn by name, so that it does not depend on which of them was quicker.
type dice struct {
	*rand.Rand // the driver's
	seed       uint64

	mu    sync.Mutex
	times map[string]int
}

func newDice(seed uint64) *dice {
	return &dice{Rand: rand.New(rand.NewPCG(seed, 0)), seed: seed, times: map[string]int{}}
}

// of is the generator of a name: another one each time the name is used.
func (d *dice) of(name ...any) *rand.Rand {
	key := fmt.Sprint(name...)
	d.mu.Lock()
	n := d.times[key]
	d.times[key]++
	d.mu.Unlock()
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, key, "#", n)
	return rand.New(rand.NewPCG(d.seed, h.Sum64()))
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)+1))
}

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// source reads as the driver's random bytes.
type source struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range p {
		p[i] = byte(s.r.Uint32())
	}
	return len(p), nil
}
