package webpush

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Whatever is written arrives whole and in order, in fewer writes.
func TestGatheredKeepsOrder(t *testing.T) {
	t.Parallel()
	far, near := net.Pipe() // no buffer: a write waits for its reader
	g := gather(near)
	const writers, each = 4, 2000
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if _, err := g.Write([]byte{byte(w), byte(i >> 8), byte(i), 0}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	reads, next := 0, [writers]int{}
	var rest []byte
	for total := 0; total < writers*each*4; reads++ {
		buf := make([]byte, 64<<10)
		n, err := far.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		total += n
		for rest = append(rest, buf[:n]...); len(rest) >= 4; rest = rest[4:] {
			w := rest[0]
			if got := int(rest[1])<<8 | int(rest[2]); got != next[w] {
				t.Fatalf("writer %d: %d after %d", w, got, next[w]-1)
			}
			next[w]++
		}
	}
	all.Wait()
	if reads > writers*each/2 {
		t.Errorf("%d writes left in %d", writers*each, reads)
	}
	_ = g.Close()
	_ = far.Close()
}

// A broken connection fails writers, also those that wait for room, and
// readers.
func TestGatheredFails(t *testing.T) {
	t.Parallel()
	far, near := net.Pipe()
	g := gather(near)
	_ = far.Close()
	block := bytes.Repeat([]byte("x"), gatherMax/2)
	var err error
	for range 100 {
		if _, err = g.Write(block); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("nobody is told that the connection is gone")
	}
	if _, err := g.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("reader gets %v", err)
	}
	if _, err := g.Write(block); err == nil {
		t.Error("a write after the failure is taken")
	}
}

// Nobody reads: the memory waiting stays bounded, and closing frees the writer.
func TestGatheredIsBounded(t *testing.T) {
	t.Parallel()
	far, near := net.Pipe()
	defer func() { _ = far.Close() }()
	g := gather(near)
	done := make(chan int)
	go func() {
		taken := 0
		for {
			n, err := g.Write(make([]byte, 64<<10))
			if taken += n; err != nil {
				done <- taken
				return
			}
		}
	}()
	inner := g.(*gathered)
	eventuallyFull(t, inner)
	_ = g.Close()
	if taken := <-done; taken > 3*gatherMax {
		t.Errorf("%d bytes were taken of which none left", taken)
	}
}

func eventuallyFull(t *testing.T, g *gathered) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		g.mu.Lock()
		full := len(g.waiting) > gatherMax
		g.mu.Unlock()
		if full {
			return
		}
	}
	t.Fatal("never full")
}
