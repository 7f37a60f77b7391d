package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/audit"
	"loa/gateway/config"
	"loa/gateway/coverage"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/ledger"
	"loa/gateway/queue"
	"loa/gateway/render"
	"loa/gateway/watch"
)

// Options is what New needs. Config, Templates and Facts must be set.
type Options struct {
	Config    *config.Config
	Drivers   []channels.Driver
	Parts     func(text string) (parts int, encoding string) // of an SMS
	Templates fs.FS
	Facts     fs.FS        // administrative units
	Listener  net.Listener // already open; nil: Config.Listen is opened by Run
	Now       func() time.Time
	Log       *slog.Logger
	Observer  Observer
}

// Gateway is one process. The rooms are open from New until Close; they work
// between Run's start and its end.
type Gateway struct {
	Desk     *desk.Desk
	Account  *account.Account
	Audience *audience.Book
	Areas    *area.Directory
	Shapes   *area.Boundaries // nil until boundaries were imported
	Renderer *render.Renderer
	Coverage coverage.Source
	Notices  coverage.Notices // what of an alert is not sent
	Engine   *delivery.Engine
	Metrics  *prometheus.Registry

	cfg          *config.Config
	opt          Options
	log          *slog.Logger
	clock        *clock
	now          func() time.Time // the clock's
	ledger       *ledger.Ledger
	stores       Stores
	queue        *queue.Queue // nil: none by choice
	dispatcher   *dispatch.Dispatcher
	drivers      []opened
	kinds        []channels.Kind // that are configured
	senders      []render.Sender // under which SMS go out
	live         liveList
	page         http.Handler
	console      http.Handler // at consolePaths
	consolePaths []string
	collide      map[area.Code]bool // communes whose unmarked name is ambiguous
	closers      []closer
	started      chan struct{}
	words        chan queue.Wake // for the other nodes
	fresh        chan struct{}   // something may have come into force
	kept         keptNotices
	deaf         unheard
	watcher      *watch.Watch
	probes       []watch.Probe // of parts that watch.go does not know
	probe        ledgerProbe
	guard        *guard
	recordKey    audit.Key // signs checkpoints
	sealKey      []byte    // seals passkeys
	stopBegan    time.Time // of Run; zero before
}

// opened is a driver with what it opened.
type opened struct {
	name  string
	kind  channels.Kind
	value any
}

// New opens every room and starts nothing. After an error nothing is left open.
func New(ctx context.Context, opt Options) (*Gateway, error) {
	g := &Gateway{cfg: opt.Config, opt: opt, log: opt.Log, now: opt.Now, Metrics: prometheus.NewRegistry(), started: make(chan struct{}), words: make(chan queue.Wake, 64), fresh: make(chan struct{}, 1)}
	g.Metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if g.now == nil {
		g.now = time.Now
	}
	g.clock = newClock(g.now)
	g.now = g.clock.now
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	g.live.g = g
	steps := []struct {
		name, key string // key of the configuration that a fault is about; empty: the step names it
		open      func(context.Context) error
	}{
		{"data folder", "data", g.openData},
		{"administrative units", "boundaries", g.openAreas},
		{"templates", "sms", g.openRenderer},
		{"guard", "witness", g.openWitness},
		{"ledger", "ledger.postgres", g.openLedger},
		{"queue", "redis", g.openQueue},
		{"guard", "witness", g.openGuard},
		{"delivery", "keys.master", g.openDelivery},
		{"channels", "", g.openChannels},
		{"desk", "agency", g.openDesk},
		{"live page", "deployment", g.openPage},
		{"console", "deployment", g.openConsole},
		{"self-watch", "watch", g.openWatch},
	}
	for _, s := range steps {
		if err := s.open(ctx); err != nil {
			err = fmt.Errorf("%s: %w", s.name, err)
			if s.key != "" {
				err = fmt.Errorf("%s%w", g.cfg.WhereNamed(s.key, err), err)
			}
			return nil, errors.Join(err, g.Close())
		}
	}
	return g, nil
}

func (g *Gateway) openData(context.Context) error {
	if err := os.MkdirAll(g.cfg.Data, 0o700); err != nil {
		return err
	}
	lock, err := lockFolder(g.cfg.Data)
	if err != nil {
		return err
	}
	g.onClose(lastly, "lock", lock.Close)
	return nil
}

// close closes a driver that can be closed.
func (o opened) close() error {
	if c, ok := o.value.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
