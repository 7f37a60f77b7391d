// Command asynq measures the same fan-out as "loa bench fanout" with the asynq
// library: one task per recipient, a handler that does nothing. It tries one
// server of 64 workers and four of 32, each with the tasks put first and
// worked off then, and with both at once, and prints the quickest of the four
// as one JSON line.
//
//	asynq -redis 127.0.0.1:6390 -n 50000
//
// It deletes everything that is in the Redis server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"loabench/measure"
)

const putters = 32

// variant is one way to use the library.
type variant struct {
	servers, workers int
	together         bool // tasks are put and worked off at the same time
}

type result struct {
	Bench       string  `json:"bench"`
	Impl        string  `json:"impl"`
	Variant     string  `json:"variant"`
	Recipients  int     `json:"recipients"`
	Seconds     float64 `json:"seconds"`
	PerSecond   float64 `json:"recipients_per_s"`
	CPUMicros   float64 `json:"cpu_us_per_recipient"`
	RedisMicros float64 `json:"redis_cpu_us_per_recipient"`
	RedisBytes  float64 `json:"redis_bytes_per_recipient"`
	RSS         int64   `json:"rss_bytes"`
	Cores       float64 `json:"machine_cores"` // in use by everything meanwhile
}

func main() {
	addr := flag.String("redis", "", "address of a Redis server that may be emptied")
	n := flag.Int("n", 50_000, "recipients")
	flag.Parse()
	if *addr == "" {
		log.Fatal("-redis must be set")
	}
	var best result
	for _, v := range []variant{{1, 64, false}, {1, 64, true}, {4, 32, false}, {4, 32, true}} {
		r, err := v.run(*addr, *n)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "asynq %s: %.0f a second\n", r.Variant, r.PerSecond)
		if r.PerSecond > best.PerSecond {
			best = r
		}
	}
	measure.Emit(best)
}

func (v variant) String() string {
	s := fmt.Sprintf("%dx%d", v.servers, v.workers)
	if v.together {
		return s + " together"
	}
	return s + " one after the other"
}

func (v variant) run(addr string, n int) (result, error) {
	ctx := context.Background()
	admin := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = admin.Close() }()
	if err := admin.FlushAll(ctx).Err(); err != nil {
		return result{}, err
	}
	base, before, err := usage(ctx, admin)
	if err != nil {
		return result{}, err
	}
	machine, cpu, began := measure.Start(), measure.CPU(), time.Now()
	var done atomic.Int64
	var servers []*asynq.Server
	if v.together {
		if servers, err = v.start(addr, &done); err != nil {
			return result{}, err
		}
	}
	if err := put(addr, n); err != nil {
		return result{}, err
	}
	peak, _, err := usage(ctx, admin)
	if err != nil {
		return result{}, err
	}
	if !v.together {
		if servers, err = v.start(addr, &done); err != nil {
			return result{}, err
		}
	}
	for limit := time.Now().Add(5 * time.Minute); done.Load() < int64(n); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			return result{}, errors.New("asynq: not done after five minutes")
		}
	}
	// Handlers return before the completion is stored: count that in.
	var stopped sync.WaitGroup
	for _, s := range servers {
		stopped.Go(s.Shutdown)
	}
	stopped.Wait()
	took := time.Since(began).Seconds()
	_, after, err := usage(ctx, admin)
	if err != nil {
		return result{}, err
	}
	perRecipient := func(seconds float64) float64 { return seconds * 1e6 / float64(n) }
	return result{
		Bench: "fanout", Impl: "asynq", Variant: v.String(), Recipients: n, Seconds: took, PerSecond: float64(n) / took,
		CPUMicros: perRecipient(measure.CPU() - cpu), RedisMicros: perRecipient(after - before),
		RedisBytes: float64(peak-base) / float64(n), RSS: measure.RSS(), Cores: machine.Cores(),
	}, admin.FlushAll(ctx).Err()
}

// put lays one task per recipient into the queue: alert, recipient, number.
func put(addr string, n int) error {
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: addr, PoolSize: putters + 2})
	defer func() { _ = client.Close() }()
	var next atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, putters)
	for range putters {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				body := `{"a":"01JABCDEFGHJKMNPQRSTVWXYZ0","r":` + strconv.FormatInt(10_000_000+i, 10) + `,"to":"+84` + strconv.FormatInt(900_000_000+i, 10) + `"}`
				if _, err := client.Enqueue(asynq.NewTask("sms", []byte(body)), asynq.MaxRetry(5)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed
}

func (v variant) start(addr string, done *atomic.Int64) ([]*asynq.Server, error) {
	var servers []*asynq.Server
	for range v.servers {
		s := asynq.NewServer(asynq.RedisClientOpt{Addr: addr, PoolSize: v.workers + 4}, asynq.Config{
			Concurrency: v.workers, LogLevel: asynq.ErrorLevel, TaskCheckInterval: 50 * time.Millisecond,
		})
		servers = append(servers, s)
		if err := s.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { done.Add(1); return nil })); err != nil {
			return nil, err
		}
	}
	return servers, nil
}

// usage is Redis' memory in bytes and its CPU time in seconds.
func usage(ctx context.Context, admin *redis.Client) (memory int64, cpu float64, err error) {
	text, err := admin.Info(ctx).Result()
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "used_memory":
			memory, err = strconv.ParseInt(value, 10, 64)
		case "used_cpu_sys", "used_cpu_user":
			var s float64
			s, err = strconv.ParseFloat(value, 64)
			cpu += s
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return memory, cpu, nil
}
