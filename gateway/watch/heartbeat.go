package watch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"loa/channels"
)

// Heartbeat is the sign of life that a dead man's switch outside this machine
// waits for. It is given while the gateway does its work, and only then.
type Heartbeat struct {
	URL    channels.Secret // empty: none
	Method string          // GET or POST; empty: POST
	Every  time.Duration   // 0: 30 s
}

const defaultBeat = 30 * time.Second

// stale is how old the last look may be for a heartbeat to vouch for it.
const stale = 20 * time.Second

type pulse struct {
	Heartbeat
	client *http.Client
	log    *slog.Logger
	m      *metrics
	// well says that the gateway does its work now.
	well func(now time.Time) bool

	mu      sync.Mutex
	failing time.Time
	why     string
}

func (p *pulse) run(ctx context.Context, now func() time.Time) {
	every := p.Every
	if every <= 0 {
		every = defaultBeat
	}
	for {
		t := time.NewTimer(jitter(every))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		p.beat(ctx, now)
	}
}

// beat gives one sign of life, or none if the gateway is not well.
func (p *pulse) beat(ctx context.Context, now func() time.Time) {
	if !p.well(now()) {
		p.m.beats.WithLabelValues("withheld").Inc()
		return
	}
	err := p.call(ctx)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.m.beats.WithLabelValues("sent").Inc()
		p.m.beat.Set(float64(now().Unix()))
		p.failing, p.why = time.Time{}, ""
		return
	}
	p.m.beats.WithLabelValues("failed").Inc()
	p.log.WarnContext(ctx, "the heartbeat is not taken", "err", err)
	p.why = err.Error()
	if p.failing.IsZero() {
		p.failing = now()
	}
}

func (p *pulse) call(ctx context.Context) error {
	method := p.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, p.URL.Reveal(), http.NoBody)
	if err != nil {
		return errors.New("the URL cannot be called")
	}
	return do(p.client, req)
}

func (p *pulse) part() Part {
	const name = "heartbeat"
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.URL == "":
		return Part{
			Part: name, State: Warn, Text: "No heartbeat is configured: if this machine dies, nobody is told.",
			Remedy: "Set watch.heartbeat.url to a dead man's switch outside this machine.",
		}
	case !p.failing.IsZero():
		return Part{
			Part: name, State: Bad, Since: p.failing, Text: "The heartbeat is not taken: " + p.why + ".",
			Remedy: "Check the URL of watch.heartbeat and the way out of this machine.",
		}
	default:
		return Fine(name)
	}
}

// jitter is the duration less up to a tenth, so that several gateways do not
// call at once.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1)) //nolint:gosec // jitter
}
