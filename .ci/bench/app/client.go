package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"loabench/measure"
)

func implFlag(name string, args []string) (string, error) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	impl := fs.String("impl", "loa", "loa or centrifuge")
	err := fs.Parse(args)
	return *impl, err
}

type result struct {
	Bench         string  `json:"bench"`
	Impl          string  `json:"impl"`
	Listeners     int     `json:"listeners"`
	Rounds        int     `json:"rounds"`
	CPUus         float64 `json:"cpu_us_per_message"`
	RSSPerConn    float64 `json:"rss_bytes_per_connection"`
	HeapPerConn   float64 `json:"heap_bytes_per_connection"`
	StackPerConn  float64 `json:"stack_bytes_per_connection"`
	RSSAfter      float64 `json:"rss_after_bytes_per_connection"` // when all is done
	P50ms         float64 `json:"p50_ms"`
	P99ms         float64 `json:"p99_ms"`
	LastMs        float64 `json:"last_ms"` // median over the rounds
	ClientCPUus   float64 `json:"client_cpu_us_per_message"`
	OthersInCores float64 `json:"other_cores"`
}

func client(args []string) error {
	fs := flag.NewFlagSet("client", flag.ExitOnError)
	impl := fs.String("impl", "loa", "what the server runs")
	n := fs.Int("n", 10000, "listeners")
	rounds := fs.Int("rounds", 20, "broadcasts, after two to warm up")
	gap := fs.Duration("gap", 150*time.Millisecond, "pause after each")
	_ = fs.Parse(args)

	if err := control("POST", "/gc", nil); err != nil {
		return err
	}
	var s0, s1 stats
	if err := control("GET", "/stats", &s0); err != nil {
		return err
	}
	fds, err := connect(*impl, *n)
	if err != nil {
		return err
	}
	for range 100 { // until all have been taken in
		if err := control("GET", "/stats", &s1); err != nil {
			return err
		}
		if s1.Conns == *n {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond)
	if err := control("POST", "/gc", nil); err != nil {
		return err
	}
	if err := control("GET", "/stats", &s1); err != nil {
		return err
	}
	if s1.Conns != *n {
		return fmt.Errorf("the server has %d listeners of %d", s1.Conns, *n)
	}
	per := 1 / float64(*n)
	res := result{Bench: "app", Impl: *impl, Listeners: *n, Rounds: *rounds,
		RSSPerConn: float64(s1.RSS-s0.RSS) * per, HeapPerConn: (float64(s1.Heap) - float64(s0.Heap)) * per,
		StackPerConn: (float64(s1.Stack) - float64(s0.Stack)) * per}
	if err := res.broadcasts(fds, *gap); err != nil {
		return err
	}
	if err := control("POST", "/gc", nil); err != nil {
		return err
	}
	if err := control("GET", "/stats", &s1); err != nil {
		return err
	}
	res.RSSAfter = float64(s1.RSS-s0.RSS) * per
	measure.Emit(res)
	return nil
}

func (res *result) broadcasts(fds []int, gap time.Duration) error {
	arrivals := make(chan []int64)
	failed := make(chan error, 1)
	go func() { failed <- receive(fds, arrivals) }()
	var s0, s1 stats
	var machine measure.Machine
	var cpu float64
	var began time.Time
	var all, last []float64
	for r := range res.Rounds + 2 {
		if r == 2 {
			if err := control("GET", "/stats", &s0); err != nil {
				return err
			}
			machine, cpu, began = measure.Start(), measure.CPU(), time.Now()
		}
		var at int64
		posted := make(chan error, 1)
		go func() { posted <- control("POST", fmt.Sprintf("/broadcast?i=%d", r), &at) }()
		var times []int64
		select {
		case times = <-arrivals:
		case err := <-failed:
			return err
		case <-time.After(60 * time.Second):
			return errors.New("a round did not complete")
		}
		if err := <-posted; err != nil {
			return err
		}
		time.Sleep(gap)
		if r < 2 {
			continue
		}
		for _, t := range times {
			all = append(all, float64(t-at)/1e6)
		}
		last = append(last, float64(times[len(times)-1]-at)/1e6)
	}
	if err := control("GET", "/stats", &s1); err != nil {
		return err
	}
	used, took := measure.CPU()-cpu, time.Since(began).Seconds()
	per := 1e6 / float64(res.Rounds*res.Listeners)
	res.CPUus, res.ClientCPUus = (s1.CPU-s0.CPU)*per, used*per
	res.OthersInCores = machine.Cores() - (used+s1.CPU-s0.CPU)/took
	res.P50ms, res.P99ms, res.LastMs = quantile(all, .5), quantile(all, .99), quantile(last, .5)
	return nil
}

func quantile(xs []float64, q float64) float64 {
	slices.Sort(xs)
	return xs[int(q*float64(len(xs)-1)+.5)]
}

func control(method, path string, out any) error {
	req, err := http.NewRequest(method, "http://"+controlAddr+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s %w", path, resp.StatusCode, b, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

const upgrade = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// connect opens n sockets as each side's own client would, and reads its
// first answer.
func connect(impl string, n int) ([]int, error) {
	first, answer := `{"type":"hello","communes":["`+commune+`"]}`, `"welcome"`
	if impl == "centrifuge" {
		first, answer = `{"id":1,"connect":{}}`, `"connect"`
	}
	hello := append([]byte{0x81, 0x80 | byte(len(first)), 0, 0, 0, 0}, first...) // masked with zeros
	fds := make([]int, n)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				fd, err := dial(hello, answer)
				if err != nil {
					err = fmt.Errorf("listener %d: %w", i, err)
					failed.Store(&err)
					return
				}
				fds[i] = fd
			}
		})
	}
	all.Wait()
	if e := failed.Load(); e != nil {
		return nil, *e
	}
	return fds, nil
}

func dial(hello []byte, answer string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 22001, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return 0, err
	}
	for _, step := range []struct {
		say  []byte
		want string
	}{{[]byte(upgrade), "\r\n\r\n"}, {hello, answer}} {
		if _, err := unix.Write(fd, step.say); err != nil {
			return 0, err
		}
		buf, got := make([]byte, 4096), 0
		for !bytes.Contains(buf[:got], []byte(step.want)) {
			k, err := unix.Read(fd, buf[got:])
			if err != nil || k <= 0 {
				return 0, fmt.Errorf("answer %q: %w", buf[:got], err)
			}
			got += k
		}
	}
	return fd, unix.SetNonblock(fd, true)
}

// receive reads all sockets on one thread and reports the arrival times of
// each round, when every listener has its frame.
func receive(fds []int, arrivals chan<- []int64) error {
	runtime.LockOSThread()
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	most := slices.Max(fds)
	left := make([]int, most+1) // bytes of the current frame still to come
	for _, fd := range fds {
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return err
		}
	}
	events, buf := make([]unix.EpollEvent, 512), make([]byte, 16384)
	times := make([]int64, 0, len(fds))
	for {
		k, err := unix.EpollWait(ep, events, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range events[:max(k, 0)] {
			m, err := unix.Read(int(e.Fd), buf)
			if errors.Is(err, unix.EAGAIN) {
				continue
			}
			if err != nil || m <= 0 {
				return fmt.Errorf("closed by the server: %w", err)
			}
			for b := buf[:m]; len(b) > 0; {
				if left[e.Fd] == 0 && len(b) >= 2 && b[0] == 0x89 && b[1] == 0 { // a ping
					if _, err := unix.Write(int(e.Fd), []byte{0x8a, 0x80, 0, 0, 0, 0}); err != nil {
						return err
					}
					b = b[2:]
					continue
				}
				if left[e.Fd] == 0 { // a frame over 125 bytes; its header never comes apart on loopback
					if len(b) < 4 || b[1] != 126 {
						return fmt.Errorf("unexpected frame % x", b[:min(len(b), 4)])
					}
					left[e.Fd] = 4 + int(b[2])<<8 + int(b[3])
				}
				part := min(left[e.Fd], len(b))
				b = b[part:]
				if left[e.Fd] -= part; left[e.Fd] == 0 {
					times = append(times, time.Now().UnixNano())
				}
			}
		}
		if len(times) == len(fds) {
			arrivals <- times
			times = make([]int64, 0, len(fds))
		}
	}
}
