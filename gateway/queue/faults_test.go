package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"loa/channels"
	"loa/gateway/delivery"
)

func TestLostReply(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, port := startRedis(t)
	proxy := startLossy(t, port)
	q := opened(t, func() (*Queue, error) { return Open(ctx, Options{Addrs: []string{proxy.addr}}) })
	must(t, q.Push(ctx, hint(1, 0)))
	close(proxy.lose)
	if err := q.Push(ctx, hint(2, 0)); err == nil {
		t.Error("the push seemed to succeed")
	}
	if len(proxy.lost) == 0 {
		t.Fatal("no answer was lost")
	}
	n, err := admin(t, port).XLen(ctx, "loa:{sms}:p0").Result()
	must(t, err)
	same(t, "entries", n, 2)
}

func TestRefusedServers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, policy := range []string{"allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl"} {
		_, port := startRedis(t, "--maxmemory", "64mb", "--maxmemory-policy", policy)
		if _, err := Open(ctx, Options{Addrs: []string{loopback(port)}}); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v", policy, err)
		}
	}
	_, port := startRedis(t, "--cluster-enabled", "yes")
	if _, err := Open(ctx, Options{Addrs: []string{loopback(port)}}); !errors.Is(err, ErrCluster) {
		t.Errorf("cluster: %v", err)
	}
	_, port = startRedis(t, "--requirepass", "right")
	_, err := Open(ctx, Options{Addrs: []string{loopback(port)}, Password: "wrong-one"})
	if err == nil || strings.Contains(err.Error(), "wrong-one") {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := Open(ctx, Options{}); err == nil {
		t.Error("no address")
	}
	if _, err := Open(ctx, Options{Addrs: []string{"a:1", "b:1"}}); err == nil {
		t.Error("two addresses without a master")
	}
}

func TestServerComesLate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	port := freePort(t)
	q := opened(t, func() (*Queue, error) { return Open(ctx, Options{Addrs: []string{loopback(port)}}) })
	if err := q.Push(ctx, hint(1, 0)); err == nil {
		t.Fatal("pushed to nobody")
	}
	spawn(t, "redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "")
	eventually(t, 10*time.Second, "a push", func() bool { return q.Push(ctx, hint(1, 0)) == nil })
	same(t, "popped", numbers(pop(t, q, 3, "w", 5)), []int{1})
}

func TestLateServerIsChecked(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	port := freePort(t)
	q := opened(t, func() (*Queue, error) { return Open(ctx, Options{Addrs: []string{loopback(port)}}) })
	spawn(t, "redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	eventually(t, 10*time.Second, "the refusal", func() bool { return errors.Is(q.Push(ctx, hint(1, 0)), ErrPolicy) })
}

func TestNoErrorsOnConnect(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, port := startRedis(t)
	q := opened(t, func() (*Queue, error) { return Open(ctx, Options{Addrs: []string{loopback(port)}}) })
	must(t, q.Push(ctx, hint(1, 0)))
	pop(t, q, 3, "w", 1)
	text, err := admin(t, port).Info(ctx, "errorstats").Result()
	must(t, err)
	if strings.Contains(text, "errorstat_ERR") {
		t.Error("the client asks for what Redis 7.0 lacks:", text)
	}
}

func TestFailover(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	master, sentinels := startSentinels(t)
	q := opened(t, func() (*Queue, error) { return Open(ctx, Options{Addrs: sentinels, Master: "loa"}) })
	must(t, q.Push(ctx, hint(1, 0)))
	same(t, "before", numbers(pop(t, q, 3, "w", 5)), []int{1})
	must(t, master.Process.Kill())
	if err := q.Push(ctx, hint(2, 0)); err == nil {
		t.Log("the push after the kill went through")
	}
	began := time.Now()
	eventually(t, 30*time.Second, "the belt to move again", func() bool {
		if q.Push(ctx, hint(3, 0)) != nil {
			return false
		}
		es, err := q.Pop(ctx, channels.SMS, delivery.P3, "w", 10, 0)
		for _, en := range es {
			if en.Batch == 3 {
				return true
			}
		}
		_ = err
		return false
	})
	t.Logf("back after %v", time.Since(began))
}

func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 100_000).Draw(t, "limit")
		from := rapid.Int64Range(0, 1<<40).Draw(t, "from")
		sum := 0
		for i := range int64(slots) {
			n := share(limit, from+i)
			if n < 0 || n > limit/slots+1 {
				t.Fatalf("slot %d has %d of %d", i, n, limit)
			}
			sum += n
		}
		if sum != limit {
			t.Fatalf("%d in a second, want %d", sum, limit)
		}
	})
}
