package faults

import (
	"os"
	"path/filepath"
	"time"

	"loa/cmd/loa/rig"
	"loa/gateway/ledger/postgrestest"
)

// clockOf makes the file that a gateway built for tests reads the setting of
// its wall clock from.
func (r *run) clockOf(n *rig.Node, offset string) (set func(offset string)) {
	r.Helper()
	path := filepath.Join(n.Dir, "clock")
	set = func(offset string) {
		r.Helper()
		if err := os.WriteFile(path, []byte(offset), 0o600); err != nil {
			r.Fatal(err)
		}
	}
	set(offset)
	n.Env = append(n.Env, "LOA_CLOCK_OFFSET="+path)
	return set
}

// clockSteps sets the clock of a gateway in the middle of its alert.
func clockSteps(r *run) {
	n := r.pick(1000, 3000, 10000)
	pages := rig.NewPages(r)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 25, Extra: pages.Extra})
	node := p.Nodes[0]
	set := r.clockOf(node, "0s")
	node.Serve()
	id := p.Alert()
	p.AwaitTaken(1)
	steps := []string{"1h", "-1h", "8760h", "-90s", "0s"}
	for _, step := range steps {
		before := p.Taken()
		set(step)
		began := time.Now()
		rig.Eventually(r, 30*time.Second, "sending after a step to "+step, func() (bool, string) {
			return p.Taken() > before+5 && time.Since(began) > 3*time.Second, node.Ready()
		})
		p.InTheMiddle(id, step)
	}
	rig.Eventually(r, pagedWithin, "a page", func() (bool, string) { return pages.Of("clock_jump") })
	p.Finish(id, within)
	s := p.Compare(id, 0)
	r.note("steps", len(steps))
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
}

// clocksDiffer runs two nodes on one PostgreSQL, ten minutes apart.
func clocksDiffer(r *run) {
	n := r.pick(1000, 3000, 10000)
	pages := rig.NewPages(r)
	p := rig.New(r, rig.Options{People: n, PerSecond: n * 6 / 10 / 20, Gateways: 2, Postgres: postgrestest.Shared(r.T).Database(r.T), Extra: pages.Extra})
	r.clockOf(p.Nodes[0], "5m")
	late := p.AddNode()
	r.clockOf(late, "-5m")
	p.Nodes[0].Serve()
	late.Serve()
	began := time.Now()
	rig.Eventually(r, 30*time.Second, "the skew to be said", func() (bool, string) { return pages.Of("clock_jump") })
	r.note("said after", time.Since(began).Round(100*time.Millisecond).String())
	id := p.Alert()
	p.Finish(id, within)
	s := p.Compare(id, 0)
	r.note("lost", s.Lost)
	r.note("duplicates", s.Second)
	// The nodes reckon the database's time, as well as they can hear it.
	r.judgeAs(p, rig.Trial{ClockError: 50 * time.Millisecond})
}
