package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"loa/channels"
	"loa/gateway/delivery"
)

// peer is one kind of server the suite runs against.
type peer struct {
	open  func(t *testing.T) *Queue // all on one server
	admin redis.Cmdable             // beside the queue
	many  int                       // hints for a big push; the embedded server deletes slowly
}

func embeddedPeer(t *testing.T) peer {
	t.Helper()
	q, end, err := Embedded(context.Background(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	return peer{many: 5_000, admin: q.cmd, open: func(t *testing.T) *Queue {
		t.Helper()
		o := q.opt
		o.Idle = 500 * time.Millisecond
		return opened(t, func() (*Queue, error) { return open(context.Background(), o, true) })
	}}
}

func serverPeer(t *testing.T) peer {
	t.Helper()
	_, port := startRedis(t)
	return peer{many: 100_000, admin: admin(t, port), open: func(t *testing.T) *Queue {
		t.Helper()
		return opened(t, func() (*Queue, error) {
			return Open(context.Background(), Options{Addrs: []string{loopback(port)}, Idle: 500 * time.Millisecond})
		})
	}}
}

func sentinelPeer(t *testing.T) peer {
	t.Helper()
	_, sentinels := startSentinels(t)
	o := Options{Addrs: sentinels, Master: "loa", Idle: 500 * time.Millisecond}
	q := opened(t, func() (*Queue, error) { return Open(context.Background(), o) })
	return peer{many: 100_000, admin: q.cmd, open: func(t *testing.T) *Queue {
		t.Helper()
		return opened(t, func() (*Queue, error) { return Open(context.Background(), o) })
	}}
}

func opened(t *testing.T, open func() (*Queue, error)) *Queue {
	t.Helper()
	q, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func TestSuite(t *testing.T) {
	for name, start := range map[string]func(*testing.T) peer{"embedded": embeddedPeer, "server": serverPeer, "sentinel": sentinelPeer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			for _, c := range []struct {
				name string
				f    func(*testing.T, peer)
			}{
				{"order", testOrder}, {"blocks", testBlocks}, {"restart", testRestart}, {"take over", testTakeOver},
				{"heal", testHeal}, {"foreign", testForeign}, {"epoch", testEpoch}, {"rate", testRate}, {"wake", testWake},
				{"many", testMany}, {"contents", testContents},
			} {
				t.Run(c.name, func(t *testing.T) {
					must(t, p.admin.FlushAll(context.Background()).Err())
					c.f(t, p)
				})
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hint(b int, p delivery.Priority) delivery.Hint {
	return delivery.Hint{Batch: delivery.BatchID(b), Kind: channels.SMS, Priority: p}
}

func pop(t *testing.T, q *Queue, lowest delivery.Priority, consumer string, limit int) []delivery.Entry {
	t.Helper()
	es, err := q.Pop(context.Background(), channels.SMS, lowest, consumer, limit, 0)
	must(t, err)
	return es
}

func numbers(es []delivery.Entry) []int {
	var out []int
	for _, en := range es {
		out = append(out, int(en.Batch))
	}
	return out
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func waiting(t *testing.T, q *Queue) [4]int64 {
	t.Helper()
	n, err := q.Waiting(context.Background(), channels.SMS)
	must(t, err)
	return n
}

func testOrder(t *testing.T, p peer) {
	ctx := context.Background()
	q := p.open(t)
	must(t, q.Push(ctx, hint(1, delivery.P3), hint(2, delivery.P1), hint(3, delivery.P0), hint(4, delivery.P0),
		delivery.Hint{Batch: 9, Kind: channels.WebPush, Priority: delivery.P0}))
	same(t, "waiting", waiting(t, q), [4]int64{2, 1, 0, 1})
	first := pop(t, q, delivery.P3, "w1", 10)
	same(t, "highest", numbers(first), []int{3, 4})
	same(t, "its priority", first[0].Priority, delivery.P0)
	same(t, "none below the lowest", numbers(pop(t, q, delivery.P0, "w1", 10)), nil)
	second := pop(t, q, delivery.P3, "w2", 10)
	same(t, "next", numbers(second), []int{2})
	third := pop(t, q, delivery.P3, "w2", 10)
	same(t, "last", numbers(third), []int{1})
	same(t, "popped entries still wait", waiting(t, q), [4]int64{2, 1, 0, 1})
	must(t, q.Done(ctx, slices.Concat(first, second, third)...))
	same(t, "none is left", waiting(t, q), [4]int64{})
	must(t, q.Done(ctx, first...))
	es, err := q.Pop(ctx, channels.WebPush, delivery.P3, "w", 1, 0)
	must(t, err)
	same(t, "the other channel", numbers(es), []int{9})
}

func testBlocks(t *testing.T, p peer) {
	ctx := context.Background()
	q := p.open(t)
	es, err := q.Pop(ctx, channels.SMS, delivery.P3, "w", 5, 50*time.Millisecond)
	must(t, err)
	same(t, "an empty belt", numbers(es), nil)
	got := make(chan []delivery.Entry, 1)
	go func() {
		for {
			es, err := q.Pop(ctx, channels.SMS, delivery.P3, "w", 5, time.Second)
			if err != nil || len(es) > 0 {
				got <- es
				return
			}
		}
	}()
	must(t, q.Push(ctx, hint(7, delivery.P2)))
	same(t, "the reader was woken", numbers(<-got), []int{7})
}

func testRestart(t *testing.T, p peer) {
	before := p.open(t)
	must(t, before.Push(context.Background(), hint(1, 0), hint(2, 0), hint(3, 0), hint(4, 0)))
	pop(t, before, 3, "w", 3)
	after := p.open(t)
	var got []int
	for range 4 {
		got = append(got, numbers(pop(t, after, 3, "w", 2))...)
	}
	same(t, "own first, then new ones, each once", got, []int{1, 2, 3, 4})
	same(t, "another consumer", numbers(pop(t, after, 3, "w2", 2)), nil)
}

func testTakeOver(t *testing.T, p peer) {
	dead := p.open(t)
	must(t, dead.Push(context.Background(), hint(1, 1)))
	same(t, "the first has it", numbers(pop(t, dead, 3, "gone", 5)), []int{1})
	q := p.open(t)
	var got []int
	eventually(t, 10*time.Second, "the entry to be taken over", func() bool {
		got = numbers(pop(t, q, 3, "w", 5))
		return len(got) > 0
	})
	same(t, "taken over", got, []int{1})
}

func testHeal(t *testing.T, p peer) {
	ctx := context.Background()
	q := p.open(t)
	stream := q.stream(channels.SMS, 0)
	for name, wound := range map[string]func() error{
		"FLUSHALL":      func() error { return p.admin.FlushAll(ctx).Err() },
		"DEL":           func() error { return p.admin.Del(ctx, stream).Err() },
		"XGROUP":        func() error { return p.admin.XGroupDestroy(ctx, stream, group).Err() },
		"XTRIM":         func() error { return p.admin.XTrimMaxLen(ctx, stream, 0).Err() },
		"a string":      func() error { p.admin.Del(ctx, stream); return p.admin.Set(ctx, stream, "x", 0).Err() },
		"DELCONSUMER":   func() error { return p.admin.XGroupDelConsumer(ctx, stream, group, "w").Err() },
		"no longer own": func() error { return nil },
	} {
		must(t, q.Push(ctx, hint(1, 0)))
		pop(t, q, 3, "w", 1)
		must(t, wound())
		eventually(t, 5*time.Second, "a hint to get through after "+name, func() bool {
			if q.Push(ctx, hint(2, 0)) != nil {
				return false
			}
			es := pop(t, q, 3, "w", 10)
			must(t, q.Done(ctx, es...))
			return slices.Contains(numbers(es), 2)
		})
	}
}

func testForeign(t *testing.T, p peer) {
	ctx := context.Background()
	q := p.open(t)
	for _, v := range [][]string{{"b", "x"}, {"b", "-4"}, {"b", "0"}, {"c", "4"}, {"b", "4", "to", "5"}, {"b", strings.Repeat("9", 40)}} {
		must(t, p.admin.XAdd(ctx, &redis.XAddArgs{Stream: q.stream(channels.SMS, 0), Values: v}).Err())
	}
	must(t, q.Push(ctx, hint(5, 0)))
	same(t, "only the hint", numbers(pop(t, q, 3, "w", 10)), []int{5})
	same(t, "the others are gone", waiting(t, q), [4]int64{1})
}

func testEpoch(t *testing.T, p peer) {
	ctx := context.Background()
	q, other := p.open(t), p.open(t)
	first, ok, err := q.Epoch(ctx)
	must(t, err)
	if ok || first == "" {
		t.Errorf("an empty server: epoch %q, ok %v", first, ok)
	}
	again, ok, err := other.Epoch(ctx)
	must(t, err)
	if !ok || again != first {
		t.Errorf("the other node: epoch %q, ok %v, want %q", again, ok, first)
	}
	must(t, p.admin.FlushAll(ctx).Err())
	last, ok, err := other.Epoch(ctx)
	must(t, err)
	if ok || last == first {
		t.Errorf("after FLUSHALL: epoch %q as before, ok %v", last, ok)
	}
}

func testRate(t *testing.T, p peer) {
	ctx := context.Background()
	a, b := p.open(t), p.open(t)
	start := time.Date(2026, 9, 7, 13, 0, 0, 0, time.UTC)
	var granted []time.Duration
	for at := time.Duration(0); at < 2*time.Second; at += 10 * time.Millisecond {
		for _, q := range []*Queue{a, b} {
			n, wait, _, err := q.take(ctx, "twilio", 130, 8, start.Add(at))
			must(t, err)
			if n == 0 && (wait <= 0 || wait > slotTime) {
				t.Fatalf("at %v: wait %v", at, wait)
			}
			for range n {
				granted = append(granted, at)
			}
		}
	}
	if len(granted) != 260 {
		t.Errorf("%d calls in two seconds, want 260", len(granted))
	}
	for i, from := range granted {
		n := 0
		for _, at := range granted[i:] {
			if at < from+time.Second {
				n++
			}
		}
		if n > 137 {
			t.Fatalf("%d calls in the second after %v, want at most 1.05 × 130", n, from)
		}
	}
	n, _, err := a.Take(ctx, "other", 0, 8, start)
	must(t, err)
	same(t, "no limit", n, 8)
}

// TestRateOfClocksThatDiffer takes at nodes of which one is five minutes ahead
// and one behind: they share the slots of the server's clock.
func TestRateOfClocksThatDiffer(t *testing.T) {
	t.Parallel()
	ctx, p := context.Background(), serverPeer(t)
	a, b := p.open(t), p.open(t)
	clock := func() time.Time {
		at, err := p.admin.Time(ctx).Result()
		must(t, err)
		return at
	}
	first, granted := slot(clock()), [2]int{}
	for range 400 {
		for i, q := range []*Queue{a, b} {
			now := time.Now().Add(time.Duration(10*i-5) * time.Minute)
			n, _, err := q.Take(ctx, "twilio", 100, 1, now)
			must(t, err)
			granted[i] += n
		}
	}
	last := slot(clock())
	if all, most := granted[0]+granted[1], int(last-first+1)*5; granted[0] == 0 || granted[1] == 0 || all > most {
		t.Errorf("granted %v in %d slots of 5", granted, last-first+1)
	}
	// The clock of a node is set: what it takes next is of another slot at most once.
	_, _, err := a.Take(ctx, "twilio", 100, 1, time.Now().Add(time.Hour))
	must(t, err)
	if d := *a.ahead.Load(); d > -59*time.Minute || d < -61*time.Minute {
		t.Errorf("the server is %v ahead of a clock that is an hour ahead of it", d)
	}
}

func testWake(t *testing.T, p peer) {
	ctx, cancel := context.WithCancel(context.Background())
	q, other := p.open(t), p.open(t)
	heard, ended := make(chan Wake, 100), make(chan struct{})
	go func() {
		defer close(ended)
		other.Listen(ctx, func(w Wake) { heard <- w })
	}()
	want := Wake{Topic: TopicEnded, ID: "VN-1"}
	eventually(t, 5*time.Second, "a wake-up", func() bool {
		must(t, q.Wake(ctx, want))
		select {
		case got := <-heard:
			same(t, "wake", got, want)
			return true
		default:
			return false
		}
	})
	cancel()
	<-ended
}

func testMany(t *testing.T, p peer) {
	ctx := context.Background()
	q := p.open(t)
	n := int64(p.many)
	hs := make([]delivery.Hint, n)
	for i := range hs {
		hs[i] = hint(i+1, 0)
	}
	began := time.Now()
	must(t, q.Push(ctx, hs...))
	t.Logf("%d hints pushed in %v", n, time.Since(began))
	same(t, "waiting", waiting(t, q), [4]int64{n})
	es := pop(t, q, 3, "w", 1000)
	same(t, "popped", len(es), 1000)
	must(t, q.Done(ctx, es...))
	same(t, "waiting", waiting(t, q), [4]int64{n - 1000})
}

// testContents looks at every key and value there is after everything was used.
func testContents(t *testing.T, p peer) {
	ctx := context.Background()
	q := p.open(t)
	must(t, q.Push(ctx, hint(812, 0)))
	_, _, err := q.Epoch(ctx)
	must(t, err)
	waiting(t, q)
	_, _, err = q.Take(ctx, "twilio", 20, 1, time.Unix(100, 0))
	must(t, err)
	pop(t, q, 3, "w", 1)
	keys, err := p.admin.Keys(ctx, "*").Result()
	must(t, err)
	for i, key := range keys {
		if n, ok := strings.CutPrefix(key, "loa:rate:twilio:"); ok && strings.Trim(n, "0123456789") == "" {
			keys[i] = "loa:rate:twilio:N"
		}
	}
	want := []string{"loa:alive", "loa:epoch", "loa:rate:twilio:N"}
	for i := range 4 {
		want = append(want, fmt.Sprintf("loa:{sms}:p%d", i))
	}
	slices.Sort(keys)
	slices.Sort(want)
	same(t, "keys", keys, want)
	msgs, err := p.admin.XRange(ctx, "loa:{sms}:p0", "-", "+").Result()
	must(t, err)
	same(t, "an entry", msgs[0].Values, map[string]any{"b": "812"})
}
