package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/config"
	"loa/gateway/delivery"
	"loa/gateway/desk"
	"loa/gateway/dispatch"
	"loa/gateway/ledger"
	"loa/gateway/queue"
	"loa/gateway/render"
	"loa/gateway/watch"
)

func (g *Gateway) openAreas(context.Context) error {
	dir, err := area.Load(g.opt.Facts)
	if err != nil {
		return err
	}
	g.Areas, g.collide = dir, dir.Collisions()
	path := g.cfg.Boundaries
	if path == "" {
		path = BoundariesPath(g.cfg.Data)
		if _, err := os.Stat(path); err != nil {
			return nil //nolint:nilerr // no boundaries were imported: shapes are refused, codes work
		}
	}
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	g.Shapes, err = dir.ImportBoundaries(f)
	return err
}

// BoundariesPath is where "loa areas import" keeps the boundaries.
func BoundariesPath(data string) string { return filepath.Join(data, "boundaries.geojson") }

// smsConfig is the section "sms" of the configuration.
type smsConfig struct {
	Twin       render.Twin         `yaml:"twin"`
	MaxParts   int                 `yaml:"max_parts"`
	Senders    []render.Sender     `yaml:"senders"`
	Registered []render.Registered `yaml:"registered"`
	// RegisteredIn names a JSON file of more registered texts, as "loa templates
	// export" writes it, relative to the configuration.
	RegisteredIn string `yaml:"registered_in"`
}

// maxRegistered bounds the file of registered texts, in bytes.
const maxRegistered = 16 << 20

// registered lists the texts of the section and those of its file.
func (c *smsConfig) registered(dir string) ([]render.Registered, error) {
	if c.RegisteredIn == "" {
		return c.Registered, nil
	}
	path := c.RegisteredIn
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("sms.registered_in: %w", err)
	}
	defer func() { _ = f.Close() }()
	var more []render.Registered
	dec := json.NewDecoder(io.LimitReader(f, maxRegistered))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&more); err != nil {
		return nil, fmt.Errorf("sms.registered_in: %s: %w", path, err)
	}
	return slices.Concat(c.Registered, more), nil
}

func (g *Gateway) openRenderer(context.Context) error {
	var c smsConfig
	if err := g.cfg.SMS.Decode(&c); err != nil {
		return err
	}
	texts, err := c.registered(g.cfg.SMS.Dir())
	if err != nil {
		return err
	}
	g.senders = c.Senders
	a := g.cfg.Agency
	opt := render.Options{
		Parts:      g.opt.Parts,
		Now:        g.now,
		Agency:     render.Agency{Short: a.Short, ShortUnmarked: a.Plain, ShortEN: a.ShortEN, Long: a.Name, LongEN: a.NameEN},
		Twin:       c.Twin,
		MaxParts:   c.MaxParts,
		Senders:    c.Senders,
		Registered: texts,
	}
	if g.Renderer, err = render.New(g.opt.Templates, opt); err != nil {
		return err
	}
	// What is in force is shown as it was signed, deadlines that have passed
	// meanwhile included.
	opt.Now = func() time.Time { return time.Time{} }
	g.live.renderer, err = render.New(g.opt.Templates, opt)
	return err
}

func (g *Gateway) openLedger(ctx context.Context) error {
	opt := ledger.Options{Now: g.now, Log: g.log, Metrics: g.Metrics, Ballast: true}
	var err error
	if dsn := g.cfg.Ledger.Postgres; dsn != "" {
		g.ledger, err = ledger.OpenPostgres(ctx, dsn.Reveal(), opt)
	} else if err = ownersAlone(ledgerFile(g.cfg.Data)); err == nil {
		g.ledger, err = ledger.OpenSQLite(ctx, ledgerFile(g.cfg.Data), opt)
	}
	if err != nil {
		return err
	}
	g.onClose(lastly, "ledger", g.ledger.Close)
	g.probes = append(g.probes, g.probeStorage, g.probeClocks)
	if _, err := g.agree(ctx); err != nil {
		return err
	}
	g.stores = g.opt.Observer.stores(Stores{Delivery: g.ledger.Delivery(), Dispatch: g.ledger.Dispatch(), Desk: g.ledger.Desk()})
	g.Coverage, g.Notices = g.ledger.Coverage(), g.ledger.Notices()
	return nil
}

func (g *Gateway) openQueue(ctx context.Context) error {
	r := g.cfg.Redis
	switch {
	case r.None:
		return nil
	case r.Embedded:
		q, server, err := queue.Embedded(ctx, g.now)
		if err != nil {
			return err
		}
		g.queue = q
		g.onClose(lastly, "embedded queue", server.Close)
	default:
		q, err := queue.Open(ctx, queueOptions(r, g.log))
		if err != nil {
			return err
		}
		g.queue = q
		g.onClose(lastly, "queue", q.Close)
	}
	return nil
}

func queueOptions(r config.Redis, log *slog.Logger) queue.Options {
	o := queue.Options{
		Addrs: r.Sentinel.Addrs, Master: r.Sentinel.Master, SentinelPassword: r.Sentinel.Password,
		Username: r.Username, Password: r.Password, DB: r.DB, Log: log,
	}
	if r.Addr != "" {
		o.Addrs = []string{r.Addr}
	}
	if r.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o
}

func (g *Gateway) openDelivery(ctx context.Context) error {
	master := g.cfg.Keys.Master
	if master == "" {
		var err error
		if master, err = masterIn(g.cfg.Data); err != nil {
			return err
		}
	}
	k, err := deriveKeys(master)
	if err != nil {
		return err
	}
	if err := g.owned(ctx, k); err != nil {
		return err
	}
	if err := g.openRecord(ctx, k); err != nil {
		return err
	}
	g.sealKey = k.passkey
	vault, err := audience.NewVault(k.vault)
	if err != nil {
		return err
	}
	former, err := g.oldRefKeys(ctx, vault)
	if err != nil {
		return err
	}
	g.Audience = &audience.Book{Store: g.ledger.Audience(), Vault: vault, Log: g.log}
	opt := delivery.Options{
		Store: g.stores.Delivery, Addresses: g.Audience, RefKey: k.ref, OldRefKeys: former, Node: nodeName(), Nodes: g.cfg.Delivery.Nodes, OnContent: g.contentRefused, OnRefused: g.batchRefused, OnPoison: g.notePoison, OnProvider: g.noteProvider,
		Now: g.now, StopWithin: callsBound, Log: g.log, Registerer: g.Metrics, ResendAfter: g.cfg.Delivery.ResendAfter, RetryAfter: g.cfg.Delivery.RetryAfter,
	}
	if g.queue != nil {
		opt.Hints, opt.Rate = g.queue, g.queue
	}
	g.Engine, err = delivery.New(opt)
	return err
}

func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "loa"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

func (g *Gateway) openChannels(context.Context) error {
	lanes := map[channels.Kind]*delivery.Lane{}
	for i, c := range g.cfg.Channels {
		o, err := g.openDriver(c)
		if err != nil {
			return g.channelFault(i, err)
		}
		lane, err := addTo(g.opt.Observer, lanes[o.kind], o, c)
		if err != nil {
			return g.channelFault(i, err)
		}
		lanes[o.kind] = lane
		if o.kind == channels.WebPush {
			g.Audience.Origin = c.Origin
		}
	}
	for _, k := range channels.AllKinds() {
		if lanes[k] == nil {
			continue
		}
		if err := g.Engine.Add(*lanes[k]); err != nil {
			return err
		}
	}
	return nil
}

// channelFault places what is wrong with a channel: at the key of its settings
// that the fault begins with, if there is one.
func (g *Gateway) channelFault(i int, err error) error {
	key := fmt.Sprintf("channels[%d]", i)
	return fmt.Errorf("%s%s: driver %q: %w", g.cfg.WhereNamed(key+".settings", err), key, g.cfg.Channels[i].Driver, err)
}

func (g *Gateway) openDriver(c config.Channel) (opened, error) {
	i := slices.IndexFunc(g.opt.Drivers, func(d channels.Driver) bool { return d.Name == c.Driver })
	if i < 0 {
		names := make([]string, len(g.opt.Drivers))
		for j, d := range g.opt.Drivers {
			names[j] = d.Name
		}
		return opened{}, fmt.Errorf("no such driver; there are %v", names)
	}
	d := g.opt.Drivers[i]
	origin := c.Origin
	if d.Kind == channels.App && origin == "" && g.cfg.Deployment != config.Live {
		origin = g.cfg.Public // the app has no provider: who listens to a drill is at this gateway itself
	}
	value, err := d.Open(c.Settings.Decode, channels.Deps{
		Sink: g.Engine.Sink(), Snapshot: g.live.snapshot, Public: g.cfg.Public, Origin: origin, Now: g.now,
		Log: g.log.With("driver", d.Name),
	})
	if err != nil {
		return opened{}, err
	}
	o := opened{name: d.Name, kind: d.Kind, value: value}
	g.onClose(first, d.Name, o.close)
	g.drivers = append(g.drivers, o)
	if c, ok := value.(prometheus.Collector); ok {
		if err := g.Metrics.Register(c); err != nil {
			return opened{}, fmt.Errorf("its metrics: %w", err)
		}
	}
	return o, g.admit(o)
}

// admit refuses a driver that reaches people from a drill or a demo.
func (g *Gateway) admit(o opened) error {
	l, ok := o.value.(interface{ Live() bool })
	if ok && l.Live() && g.cfg.Deployment != config.Live {
		return fmt.Errorf("it reaches real people, which a %s deployment must not: set origin to a stand-in", g.cfg.Deployment)
	}
	return errors.Join(g.registered(o), g.registeredName(o))
}

func addTo(seen Observer, lane *delivery.Lane, o opened, c config.Channel) (*delivery.Lane, error) {
	if lane == nil {
		lane = &delivery.Lane{Kind: o.kind}
	}
	if err := joins(lane, o, c); err != nil {
		return nil, err
	}
	switch v := o.value.(type) {
	case channels.Sender:
		lane.Providers = append(lane.Providers, delivery.Provider{Sender: seen.sender(v), PerSecond: c.PerSecond, Prefixes: c.Prefixes, Cost: c.Cost})
	case channels.Broadcaster:
		lane.Broadcaster = seen.broadcaster(v)
	default:
		return nil, fmt.Errorf("neither a sender nor a broadcaster")
	}
	return lane, nil
}

func (g *Gateway) openDesk(context.Context) error {
	for _, o := range g.drivers {
		if !slices.Contains(g.kinds, o.kind) {
			g.kinds = append(g.kinds, o.kind)
		}
	}
	g.openAccount()
	g.dispatcher = dispatch.New(dispatch.Options{
		Store: g.stores.Dispatch, Audience: g.Audience, Kinds: g.kinds, Now: g.now, Log: g.log, Metrics: g.Metrics,
		Render: func(rev *alert.Revision, commune area.Code, kind channels.Kind, language string) ([]byte, error) {
			if text, ok := watch.SMS(rev); ok && kind == channels.SMS {
				return []byte(text), nil
			}
			r, err := g.Renderer.Render(rev, g.place(commune), kind, language)
			return r.Body, err
		},
		Announce: g.Engine.Hint, Refused: g.requestRefused,
	})
	g.Desk = desk.New(desk.Options{
		Store: entitledDesk{loggedDesk{roomyDesk{g.stores.Desk, g.ledger.Room}, g.log}, g.Areas.Expand}, Authority: authority{g.Account}, Expand: g.Areas.Expand,
		HeadCount: g.Audience.HeadCount, Snapshot: g.Audience.Snapshot,
		Kinds: g.kinds, Sender: g.cfg.Agency.Sender, Texts: g.Renderer.Rules(),
		Agency:   []string{g.cfg.Agency.Name, g.cfg.Agency.NameEN, g.cfg.Agency.Contact},
		Complete: g.complete, Check: g.checkTexts,
		Wake: g.stored, Ended: g.ended,
		Now: g.now, Rand: rand.Reader,
	})
	return nil
}
