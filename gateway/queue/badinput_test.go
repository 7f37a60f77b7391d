package queue

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"loa/channels"
	"loa/gateway/delivery"
)

// log is what the queue wrote.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Entries that are no hints, or none of ours: each is taken off the belt once
// and told in the log, without its contents; hints beside it get through.
func TestBadEntries(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, port := startRedis(t)
	a := admin(t, port)
	written := &logged{}
	q := opened(t, func() (*Queue, error) {
		return Open(ctx, Options{Addrs: []string{loopback(port)}, Log: slog.New(slog.NewTextHandler(written, nil))})
	})
	const secret = "+84912345678"
	for _, c := range []struct {
		name   string
		values []string
	}{
		{"G01 a version of the future", []string{"v", "2", "batch", "4"}},
		{"G01 our field and a version", []string{"b", "4", "v", "2"}},
		{"G02 a seal", []string{"b", "4", "hmac", "00ff"}},
		{"G02 a number and a text", []string{"to", secret, "text", "Bão"}},
		{"G06 a great field", []string{"b", strings.Repeat("9", 8<<20)}},
		{"G06 a great field of another name", []string{"x", strings.Repeat("x", 8<<20)}},
		{"G08 a reversed range", []string{"b", "900-100"}},
		{"G08 a negative batch", []string{"b", "-4"}},
		{"G08 batch 0", []string{"b", "0"}},
		{"G08 a batch beyond 63 bits", []string{"b", "9223372036854775808"}},
		{"G08 a batch in hex", []string{"b", "0x10"}},
		{"G08 a batch with a space", []string{"b", " 4"}},
		{"G08 a fraction", []string{"b", "4.5"}},
		{"G08 nothing", []string{"b", ""}},
		{"G08 bytes that are no text", []string{"b", "\xff\x00\r\n"}},
	} {
		before := strings.Count(written.String(), "no hints were dropped")
		must(t, a.XAdd(ctx, &redis.XAddArgs{Stream: "loa:{sms}:p0", Values: c.values}).Err())
		must(t, q.Push(ctx, hint(812, 0)))
		es := pop(t, q, 3, "w", 10)
		same(t, c.name+": popped", numbers(es), []int{812})
		must(t, q.Done(ctx, es...))
		same(t, c.name+": left", waiting(t, q), [4]int64{})
		if n := strings.Count(written.String(), "no hints were dropped"); n != before+1 {
			t.Errorf("%s: told %d times", c.name, n-before)
		}
		if p, err := a.XPending(ctx, "loa:{sms}:p0", group).Result(); err != nil || p.Count != 0 {
			t.Errorf("%s: %+v pending, %v", c.name, p, err)
		}
	}
	if strings.Contains(written.String(), secret) || written.text.Len() > 64<<10 {
		t.Error("the log holds what the entries held")
	}
}

// A Redis whose keys are not what they should be is healed, what is foreign is
// kept aside, and hints get through.
func TestBadKeys(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const stream = "loa:{sms}:p0"
	for _, c := range []struct {
		name  string
		wound func(a *redis.Client) error
		after func(t *testing.T, a *redis.Client)
	}{
		{"G03 a string", func(a *redis.Client) error { return a.Set(ctx, stream, "theirs", 0).Err() }, aside("string")},
		{"G03 a hash", func(a *redis.Client) error { return a.HSet(ctx, stream, "k", "v").Err() }, aside("hash")},
		{"G03 a list on another priority", func(a *redis.Client) error { return a.RPush(ctx, "loa:{sms}:p1", "x").Err() }, nil},
		{"G04 no group", func(a *redis.Client) error {
			return a.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []string{"b", "7"}}).Err()
		}, nil},
		{"G04 a group destroyed", func(a *redis.Client) error {
			must(t, a.XGroupCreateMkStream(ctx, stream, group, "0").Err())
			must(t, a.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []string{"b", "7"}}).Err())
			return a.XGroupDestroy(ctx, stream, group).Err()
		}, nil},
		{"G04 a group that begins at the end", func(a *redis.Client) error { return a.XGroupCreateMkStream(ctx, stream, group, "$").Err() }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, port := startRedis(t)
			a := admin(t, port)
			must(t, c.wound(a))
			q := opened(t, func() (*Queue, error) { return Open(ctx, Options{Addrs: []string{loopback(port)}}) })
			eventually(t, 5*time.Second, "a hint to get through", func() bool {
				if q.Push(ctx, hint(2, 0)) != nil {
					return false
				}
				es, err := q.Pop(ctx, channels.SMS, delivery.P3, "w", 10, 0)
				if err != nil {
					return false // a wound of another stream may take a second look
				}
				must(t, q.Done(ctx, es...))
				return slices.Contains(numbers(es), 2)
			})
			if c.after != nil {
				c.after(t, a)
			}
		})
	}
}

func aside(kind string) func(*testing.T, *redis.Client) {
	return func(t *testing.T, a *redis.Client) {
		t.Helper()
		got, err := a.Type(context.Background(), "loa:{sms}:p0:foreign").Result()
		must(t, err)
		same(t, "what was found is kept aside", got, kind)
	}
}

// G04: a group made anew begins with the first entry, so that none is skipped.
func TestGroupBeginsAtTheStart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, port := startRedis(t)
	a := admin(t, port)
	q := opened(t, func() (*Queue, error) { return Open(ctx, Options{Addrs: []string{loopback(port)}}) })
	must(t, q.Push(ctx, hint(1, 0), hint(2, 0)))
	pop(t, q, 3, "w", 1)
	must(t, a.XGroupDestroy(ctx, "loa:{sms}:p0", group).Err())
	var got []int
	eventually(t, 5*time.Second, "both hints", func() bool {
		got = append(got, numbers(pop(t, q, 3, "w", 10))...)
		return slices.Contains(got, 1) && slices.Contains(got, 2)
	})
}

// G05: an epoch that is deleted, empty or no string is told as lost, once.
func TestBadEpoch(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, port := startRedis(t)
	a := admin(t, port)
	q := opened(t, func() (*Queue, error) { return Open(ctx, Options{Addrs: []string{loopback(port)}}) })
	last, _, err := q.Epoch(ctx)
	must(t, err)
	must(t, a.Del(ctx, "loa:epoch").Err())
	fresh, ok, err := q.Epoch(ctx)
	must(t, err)
	if ok || fresh == last {
		t.Errorf("deleted: epoch %q after %q, ok %v", fresh, last, ok)
	}
	if again, ok, err := q.Epoch(ctx); err != nil || !ok || again != fresh {
		t.Errorf("the second look: %q, %v, %v", again, ok, err)
	}
	must(t, a.Set(ctx, "loa:epoch", "somebody else's", 0).Err())
	if got, ok, err := q.Epoch(ctx); err != nil || !ok || got == fresh {
		t.Errorf("changed: %q, %v, %v", got, ok, err) // another value: the caller sees that it is not its own
	}
	must(t, a.Del(ctx, "loa:epoch").Err())
	must(t, a.RPush(ctx, "loa:epoch", "x").Err())
	if _, ok, err := q.Epoch(ctx); err == nil && ok {
		t.Error("a list was taken for an epoch")
	}
}

// G09: an entry that was given out a thousand times is a hint like any other:
// what is done with its batch is not the queue's to judge.
func TestEntryDeliveredAThousandTimes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, port := startRedis(t)
	a := admin(t, port)
	dead := opened(t, func() (*Queue, error) { return Open(ctx, Options{Addrs: []string{loopback(port)}}) })
	must(t, dead.Push(ctx, hint(812, 0)))
	es := pop(t, dead, 3, "dead", 1)
	must(t, a.Do(ctx, "XCLAIM", "loa:{sms}:p0", group, "dead", 0, es[0].Ref, "RETRYCOUNT", 1000, "IDLE", 100_000).Err())
	p, err := a.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: "loa:{sms}:p0", Group: group, Start: "-", End: "+", Count: 10}).Result()
	must(t, err)
	if len(p) != 1 || p[0].RetryCount < 1000 {
		t.Fatalf("the fault did not happen: %+v", p)
	}
	q := opened(t, func() (*Queue, error) {
		return Open(ctx, Options{Addrs: []string{loopback(port)}, Idle: 500 * time.Millisecond})
	})
	got := pop(t, q, 3, "w", 10)
	same(t, "taken over", numbers(got), []int{812})
	must(t, q.Done(ctx, got...))
	same(t, "left", waiting(t, q), [4]int64{})
}
