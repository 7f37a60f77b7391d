// Package queue is the conveyor belt between the ledger and the workers, and
// the only room that speaks Redis: hints, the epoch, wake-ups between nodes,
// shared rates and live progress. It knows batch ids and nothing of what they
// hold: no address and no text may ever enter a key or a value. Deleting every
// key loses no alert and repeats none.
package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"loa/channels"
	"loa/gateway/delivery"
)

const (
	callTimeout = time.Second // dial, read, write, wait for a connection
	maxBlock    = 2 * time.Second
	group       = "loa"
)

// Options says which Redis to use: Addrs alone is one server, with Master the
// Addrs are its Sentinels.
type Options struct {
	Addrs            []string // host:port
	Master           string   // the name Sentinel knows the master by
	Username         string
	Password         channels.Secret
	SentinelUsername string
	SentinelPassword channels.Secret
	DB               int
	TLS              *tls.Config   // nil: plain TCP
	Prefix           string        // of every key; default "loa"
	Readers          int           // workers that may block in Pop at once; default 64
	Idle             time.Duration // after which an entry of another consumer is taken over; default 60 s
	Log              *slog.Logger
}

// Queue implements delivery.Hints and delivery.Rate. It is safe for concurrent
// use. Every error means only that the ledger must be asked instead.
type Queue struct {
	opt   Options
	cmd   redis.UniversalClient // never retries: a lost reply may hide a write that was done
	read  redis.UniversalClient // blocking reads
	talk  redis.UniversalClient // pub/sub
	extra io.Closer             // the embedded server
	skip  bool                  // which cannot answer the checks

	ahead atomic.Pointer[time.Duration] // the server's clock of this node's; nil: not known yet

	mu      sync.Mutex
	checked bool
	own     map[string]string           // stream and consumer to the last own pending entry read; "" at the start, "done" at the end
	looked  map[channels.Kind]time.Time // when dead consumers' entries were last taken over
}

var (
	_ delivery.Hints = (*Queue)(nil)
	_ delivery.Rate  = (*Queue)(nil)
)

var (
	// ErrPolicy refuses a Redis that evicts keys when its memory is full.
	ErrPolicy = errors.New("queue: maxmemory-policy must be noeviction")
	// ErrCluster refuses Redis Cluster.
	ErrCluster = errors.New("queue: Redis Cluster is not supported; use one server or Sentinel")
)

// Open connects. A server that answers and is unfit is refused; one that does
// not answer is not: the queue heals when it comes, and is checked then.
func Open(ctx context.Context, o Options) (*Queue, error) { return open(ctx, o, false) }

func open(ctx context.Context, o Options, trusted bool) (*Queue, error) {
	if len(o.Addrs) == 0 {
		return nil, errors.New("queue: Addrs must name at least one server")
	}
	if o.Master == "" && len(o.Addrs) > 1 {
		return nil, errors.New("queue: several Addrs need Master, the name Sentinel knows the master by")
	}
	quiet.Do(func() { redis.SetLogger(silence{}) })
	if o.Prefix == "" {
		o.Prefix = "loa"
	}
	if o.Readers <= 0 {
		o.Readers = 64
	}
	if o.Idle <= 0 {
		o.Idle = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	q := &Queue{opt: o, cmd: connect(o, 16), read: connect(o, o.Readers), talk: connect(o, 4), skip: trusted}
	q.own, q.looked = make(map[string]string), make(map[channels.Kind]time.Time)
	if err := q.fit(ctx); err != nil {
		full := hasPrefix(err, "ERR max number of clients reached")
		if errors.Is(err, ErrPolicy) || errors.Is(err, ErrCluster) || isRedis(err) && !full {
			return nil, errors.Join(err, q.Close())
		}
		o.Log.Warn("the queue does not answer; workers will claim from the ledger until it does")
	}
	return q, nil
}

// quiet keeps the client library from writing to standard error.
var quiet sync.Once

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func connect(o Options, pool int) redis.UniversalClient {
	if o.Master != "" {
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: o.Master, SentinelAddrs: o.Addrs, SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword.Reveal(),
			Username: o.Username, Password: o.Password.Reveal(), DB: o.DB, TLSConfig: o.TLS,
			MaxRetries: -1, DialTimeout: callTimeout, DialerRetries: 1, ReadTimeout: callTimeout, WriteTimeout: callTimeout,
			PoolTimeout: callTimeout, PoolSize: pool, ContextTimeoutEnabled: true, DisableIdentity: true,
		})
	}
	return redis.NewClient(&redis.Options{
		Addr: o.Addrs[0], Username: o.Username, Password: o.Password.Reveal(), DB: o.DB, TLSConfig: o.TLS,
		MaxRetries: -1, DialTimeout: callTimeout, DialerRetries: 1, ReadTimeout: callTimeout, WriteTimeout: callTimeout,
		PoolTimeout: callTimeout, PoolSize: pool, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Close ends the connections.
func (q *Queue) Close() error {
	err := errors.Join(q.cmd.Close(), q.read.Close(), q.talk.Close())
	if q.extra != nil {
		err = errors.Join(err, q.extra.Close())
	}
	return err
}

// fit checks the server once it answers, and again when it may be another.
func (q *Queue) fit(ctx context.Context) error {
	q.mu.Lock()
	done := q.checked || q.skip
	q.mu.Unlock()
	if done {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	for _, section := range []struct {
		name, field, want string
		otherwise         error
	}{
		{"cluster", "cluster_enabled", "0", ErrCluster},
		{"memory", "maxmemory_policy", "noeviction", ErrPolicy},
	} {
		text, err := q.cmd.Info(ctx, section.name).Result()
		if err != nil {
			return fmt.Errorf("queue: INFO %s: %w", section.name, err)
		}
		if got, ok := infoField(text, section.field); ok && got != section.want {
			return section.otherwise
		}
	}
	q.mu.Lock()
	q.checked = true
	q.mu.Unlock()
	return nil
}

// unchecked makes the next call check the server again.
func (q *Queue) unchecked() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.checked = false
	clear(q.own)
}

func (q *Queue) key(parts ...string) string {
	return q.opt.Prefix + ":" + strings.Join(parts, ":")
}

// stream is the key of a channel's hints of one priority: "loa:{sms}:p0".
func (q *Queue) stream(k channels.Kind, p delivery.Priority) string {
	return q.key("{"+string(k)+"}", fmt.Sprintf("p%d", min(p, delivery.P3)))
}
