package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/historytest"
	"loa/gateway/ledger"
)

var errGone = errors.New("the process has ended")

// process is one life of the gateway: an open ledger, a desk, and the nodes
// that share them. It ends when its handles are dropped.
type process struct {
	w      *world
	boot   int
	dead   atomic.Bool
	ledger *ledger.Ledger
	desk   *desk.Desk
	ctx    context.Context
	end    context.CancelFunc
	mu     sync.Mutex
	nodes  []*node
	made   int
}

// node is one delivery engine and one dispatcher on the ledger.
type node struct {
	*process
	name       string
	cut        atomic.Bool  // it alone has ended
	frozen     atomic.Int64 // until then nothing comes back from the ledger, as mono says
	engine     *delivery.Engine
	dispatcher *dispatch.Dispatcher
	ctx        context.Context
	stop       context.CancelFunc
	ended      chan struct{}
}

func (n *node) gone() bool { return n.dead.Load() || n.cut.Load() }

// open begins a life on the ledger's file.
func (w *world) open(nodes int, calm bool) *process {
	// Differences of the ledger's clock do not see steps of the wall's.
	step := time.Duration(w.offset.Load())
	l, err := ledger.OpenSQLite(context.Background(), filepath.Join(w.folder, "loa.db"), ledger.Options{Now: func() time.Time { return time.Now().Add(step) }, Readers: 1})
	if err != nil {
		w.fail("the ledger does not open: %v", err)
		return nil
	}
	w.boots++
	p := &process{w: w, boot: w.boots, ledger: l}
	p.ctx, p.end = context.WithCancel(context.Background())
	audience := l.Audience()
	p.desk = desk.New(desk.Options{
		Store: w.fault.desk(deskStore{Store: l.Desk(), p: p}), Authority: tokens{}, Expand: expand,
		HeadCount: func(ctx context.Context, communes []area.Code, roster bool) (map[channels.Kind]int, error) {
			counts, err := audience.Counts(ctx, communes, roster)
			heads := map[channels.Kind]int{}
			for _, c := range counts {
				heads[c.Kind] += c.Total
			}
			return heads, err
		},
		Snapshot: audience.Snapshot, Kinds: kinds, Sender: "loa@example",
		Texts: map[string]alert.TextRule{"": {Acts: alert.TextActs, Means: alert.MeansDanger, Corrects: alert.MeansDanger}}, Wake: p.wake, Ended: p.stopAlerts, Now: w.wall, Rand: w.random,
	})
	w.reopened()
	for range nodes {
		p.add(calm)
	}
	if !w.byHand {
		w.work.Go(func() { p.expire() })
	}
	w.current.Store(p)
	return p
}

// add starts a node.
func (p *process) add(calm bool) *node {
	p.mu.Lock()
	p.made++
	n := &node{process: p, name: fmt.Sprintf("%d.%d ", p.boot, p.made), ended: make(chan struct{})}
	p.mu.Unlock()
	n.ctx, n.stop = context.WithCancel(p.ctx)
	store := deliveryStore{Store: p.ledger.Delivery(), n: n}
	o := delivery.Options{
		Store: p.w.fault.delivery(p.w, store), Addresses: addresses{p.ledger.Audience(), n}, RefKey: []byte("0123456789abcdef"), Node: n.name, Nodes: 2,
		Now: p.w.wall, Registerer: prometheus.NewRegistry(), Lanes: n.lanes(),
		Jitter: func(most int64) int64 { return p.w.dice.of("jitter", n.name).Int64N(most) },
	}
	if calm {
		o.PollEvery, o.SweepEvery = 5*time.Second, 3*time.Second
	}
	if p.w.belt != nil {
		o.Hints, o.Rate = line{p.w.belt, n}, line{p.w.belt, n}
	}
	var err error
	if n.engine, err = delivery.New(o); err != nil {
		panic(err)
	}
	n.dispatcher = dispatch.New(dispatch.Options{
		Store: p.w.fault.dispatch(cutStore{Store: p.ledger.Dispatch(), n: n}), Audience: p.ledger.Audience(), Render: render, Kinds: kinds,
		Announce: n.engine.Hint, Now: p.w.wall, Metrics: prometheus.NewRegistry(), Log: quiet,
	})
	p.mu.Lock()
	p.nodes = append(p.nodes, n)
	p.mu.Unlock()
	p.w.work.Go(func() {
		defer close(n.ended)
		var both sync.WaitGroup
		both.Go(func() { _ = n.engine.Run(n.ctx) })
		both.Go(func() { _ = n.dispatcher.Run(n.ctx) })
		both.Wait()
	})
	return n
}

func (n *node) lanes() []delivery.Lane {
	w := n.w
	sms := []delivery.Provider{
		{Sender: asked{wire{w.carriers[0], n}}, PerSecond: smsRate},
		{Sender: wire{w.carriers[1], n}, PerSecond: smsRate, Cost: 2},
	}
	return []delivery.Lane{
		{Kind: channels.SMS, Providers: sms, Workers: 2, Window: 2},
		{Kind: channels.WebPush, Providers: []delivery.Provider{{Sender: wire{w.carriers[2], n}}}, Workers: 1, Window: 8},
	}
}

// living are the nodes that run.
func (p *process) living() []*node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.nodes), (*node).gone)
}

func (p *process) wake() {
	for _, n := range p.living() {
		n.dispatcher.Wake()
	}
}

// stopAlerts tells the nodes at once; a word to another node may be lost.
func (p *process) stopAlerts(ids ...alert.ID) {
	if p.w.fault == ignoresDead {
		return
	}
	for i, n := range p.living() {
		for _, id := range ids {
			if i == 0 || chance(p.w.dice.of("word", n.name, id), 70) {
				n.engine.StopAlert(id)
			}
		}
	}
}

// expire ends alerts whose time is over.
func (p *process) expire() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(3 * time.Second):
			_, _ = p.desk.Expire(p.ctx)
		}
	}
}

// crash drops every handle of the process: nothing it does is seen any more.
func (p *process) crash() {
	if p.dead.Swap(true) {
		return
	}
	p.w.count("crashes")
	p.end()
}

// close waits for what is being committed.
func (p *process) close() {
	p.dead.Store(true)
	p.end()
	if err := p.ledger.Close(); err != nil {
		p.w.fail("the ledger does not close: %v", err)
	}
}

// kill drops the handles of one node: its leases stay as they are.
func (n *node) kill() {
	if n.cut.Swap(true) {
		return
	}
	n.w.count("nodes killed")
	n.w.abandon(n.name)
	n.stop()
}

// freeze holds the node up as a machine does that stands still: what it asked
// of the ledger is answered late.
func (n *node) freeze(d time.Duration) {
	n.frozen.Store(n.w.mono() + int64(d))
	n.w.abandon(n.name)
	n.w.count("nodes frozen")
}

// thaw waits until the node is not frozen.
func (n *node) thaw() { time.Sleep(time.Duration(n.frozen.Load() - n.w.mono())) }

// drain stops a node as SIGTERM does.
func (n *node) drain() {
	n.stop()
	<-n.ended
	n.cut.Store(true)
}

// addresses opens what the audience has.
type addresses struct {
	ciphers interface {
		Ciphers(ctx context.Context, kind channels.Kind, commune area.Code, language string, ids []int64) ([][]byte, error)
	}
	n *node
}

func (a addresses) Open(ctx context.Context, kind channels.Kind, commune area.Code, language string, ids []int64) ([]channels.Address, error) {
	if a.n.gone() {
		return nil, errGone
	}
	found, err := a.ciphers.Ciphers(ctx, kind, commune, language, ids)
	if err != nil {
		return nil, err
	}
	out := make([]channels.Address, len(ids))
	for i, c := range found {
		if c != nil {
			out[i] = addressOf(ids[i])
		}
	}
	return out, nil
}

func (a addresses) Find(_ context.Context, _ channels.Kind, to channels.Address) (int64, error) {
	return idOf(to), nil
}

// request is the beginning of a call.
func (n *node) request(m channels.Message, kind channels.Kind, provider string) historytest.Event {
	e := historytest.Event{Kind: historytest.KindRequest, Node: n.name, Channel: kind, Provider: provider, Live: true, Status: alert.Status(m.Status.String())}
	ref, err := historytest.ReadRef(m.Ref)
	if err != nil {
		n.w.fail("a message without a reference: %v", err)
		return e
	}
	e.Batch, e.Index, e.Attempt = ref.Batch, ref.Index, ref.Attempt
	n.w.begun(&e)
	return e
}

// ramFolder is a folder in memory, if the machine has one.
func ramFolder() (string, error) {
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	return os.MkdirTemp(base, "loa-simulation-")
}
