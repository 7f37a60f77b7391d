package webpush

import (
	"net"
	"runtime"
	"sync"
)

// gathered is a connection whose small writes leave together: what is written
// while one system call runs, or before the goroutine that makes it gets its
// turn, goes out in the next. HTTP/2 writes the headers and the body of each
// push apart and flushes both, and the system calls are the dearest thing
// after the encryption.
//
// A write returns before its bytes are out. That is nothing new to the caller,
// who has no promise before the answer comes; a failure closes the connection,
// which ends every call on it.
type gathered struct {
	net.Conn
	mu      sync.Mutex
	room    sync.Cond
	waiting []byte
	spare   []byte
	writing bool
	err     error
}

const gatherMax = 256 << 10 // bytes waiting before a writer waits too

func gather(c net.Conn) net.Conn {
	g := &gathered{Conn: c}
	g.room.L = &g.mu
	return g
}

// Write takes all of p or fails.
func (g *gathered) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.err == nil && len(g.waiting) > gatherMax {
		g.room.Wait()
	}
	if g.err != nil {
		return 0, g.err
	}
	g.waiting = append(g.waiting, p...)
	if !g.writing {
		g.writing = true
		go g.flush()
	}
	return len(p), nil
}

func (g *gathered) flush() {
	runtime.Gosched() // those who are about to write go first
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.err == nil && len(g.waiting) > 0 {
		out := g.waiting
		g.waiting = g.spare[:0]
		g.mu.Unlock()
		_, err := g.Conn.Write(out)
		if err != nil {
			_ = g.Close() // readers learn of it so
		}
		g.mu.Lock()
		g.spare, g.err = out, err
		g.room.Broadcast()
	}
	g.writing = false
}
