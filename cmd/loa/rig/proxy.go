package rig

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy passes TCP connections on to the first of its targets that answers,
// and fails in the ways that real networks do.
type Proxy struct {
	l net.Listener

	mu      sync.Mutex
	targets []string
	conns   map[net.Conn]bool
	shut    bool
	lose    float64 // share of answers lost after they were given
	random  *rand.Rand

	Lost atomic.Int64 // answers lost
	Cuts atomic.Int64 // connections cut or refused
}

// NewProxy starts a proxy on loopback that lives as long as the test.
func NewProxy(t testing.TB, targets ...string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at the test's end
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{l: l, targets: targets, conns: map[net.Conn]bool{}, random: rand.New(rand.NewPCG(1, 2))} // #nosec G404 -- a fault's dice
	t.Cleanup(func() { _ = l.Close(); p.Cut() })
	go p.run()
	return p
}

// Addr is where the proxy listens, host:port.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// To changes where new connections lead.
func (p *Proxy) To(targets ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets = targets
}

// Lose has a share of exchanges lose their answer: the target has got the
// request and has answered, and the client sees its connection end instead.
func (p *Proxy) Lose(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = share
}

// Shut cuts all connections and refuses new ones until Open.
func (p *Proxy) Shut() {
	p.mu.Lock()
	p.shut = true
	p.mu.Unlock()
	p.Cut()
}

// Open ends Shut.
func (p *Proxy) Open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = false
}

// Cut ends all connections that are open now.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
		p.Cuts.Add(1)
	}
}

func (p *Proxy) run() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		go p.pass(in)
	}
}

func (p *Proxy) pass(in net.Conn) {
	defer func() { _ = in.Close() }()
	if !p.enter(in) {
		return
	}
	defer p.leave(in)
	p.mu.Lock()
	targets := p.targets
	p.mu.Unlock()
	for _, addr := range targets {
		out, err := net.Dial("tcp", addr) //nolint:noctx // ends with the client's connection
		if err != nil {
			continue
		}
		defer func() { _ = out.Close() }()
		if !p.enter(out) {
			return
		}
		defer p.leave(out)
		p.join(in, out)
		return
	}
}

func (p *Proxy) enter(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		p.Cuts.Add(1)
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) leave(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// join copies both ways. An exchange begins with bytes of the client; its
// answer is lost or passed on as a whole connection would lose it.
func (p *Proxy) join(in, out net.Conn) {
	var asked atomic.Bool
	go func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := in.Read(buf)
			if n > 0 {
				asked.Store(true)
				if _, err := out.Write(buf[:n]); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		if c, ok := out.(*net.TCPConn); ok {
			_ = c.CloseWrite()
		}
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := out.Read(buf)
		if n > 0 {
			if asked.Swap(false) && p.loses() {
				p.Lost.Add(1)
				return
			}
			if _, err := in.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) loses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lose > 0 && p.random.Float64() < p.lose
}
