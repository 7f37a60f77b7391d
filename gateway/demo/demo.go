// Package demo plays a storm warning over a province in one process: real
// communes, drawn subscribers, two people who sign, and stand-ins that speak
// the providers' own protocols. Afterwards it compares the ledger with the
// stand-ins' books. It is handed its drivers and stand-ins and must never name
// one.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"loa/channels"
	"loa/gateway"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/config"
	"loa/gateway/render"
)

// Tally is what a stand-in's books say of one address: messages it took and
// did not report as undeliverable, and messages it took at all.
type Tally struct{ Kept, Taken int }

// World is what the demo plays on. Its functions are called in the order in
// which they stand here.
type World struct {
	Drivers []channels.Driver
	Parts   func(text string) (parts int, encoding string)
	Sender  render.Sender // under which SMS go out
	// Register tells the carrier which texts are registered, as regular
	// expressions for whole bodies.
	Register func(patterns []string) error
	// Channels says how the drivers are configured to reach the stand-ins.
	Channels func() ([]config.Channel, error)
	// Subscribe and Install make addresses of browsers and of apps.
	Subscribe func(n int) ([]channels.Address, error)
	Install   func(communes []area.Code) ([]channels.Address, error)
	// Connect brings the apps on line at the gateway's base URL.
	Connect func(ctx context.Context, base string) error
	// Settle waits until the stand-ins have reported everything.
	Settle func(ctx context.Context) error
	// Books says what each address got.
	Books func(kind channels.Kind) (map[channels.Address]Tally, error)
	// First is when the first message was taken.
	First func() (time.Time, bool)
	Close func() error
}

// Options is how the demo is played.
type Options struct {
	Recipients int
	Seed       uint64
	Once       bool // end after the alert instead of serving the live page
	JSON       bool // the last line is one JSON object
	Listen     string
	Out        io.Writer
	Terminal   bool // Out is a terminal: draw bars instead of lines
	Templates  fs.FS
	Facts      fs.FS
	Log        *slog.Logger
	World      *World
}

// MaxRecipients bounds Options.Recipients: stand-ins keep everybody in memory.
const MaxRecipients = 200_000

// Provinces of the pilot: Quảng Ninh and Hải Phòng.
var Provinces = []area.Code{"22", "31"}

// ErrBooks says that the ledger and the stand-ins' books do not agree.
var ErrBooks = errors.New("the ledger and the stand-ins' books do not agree")

// play is one performance.
type play struct {
	Options
	g        *gateway.Gateway
	base     string
	people   []resident
	ids      []int64
	alert    alert.ID
	approved time.Time
	finished time.Time
	communes []area.Unit
}

// Run plays the demo until it is over (Once) or ctx ends.
func Run(ctx context.Context, o Options) error {
	if o.Recipients < 100 || o.Recipients > MaxRecipients {
		return fmt.Errorf("recipients: 100 to %d", MaxRecipients)
	}
	dir, err := os.MkdirTemp("", "loa-demo-")
	if err != nil {
		return err
	}
	p := &play{Options: o}
	err = p.run(ctx, dir)
	return errors.Join(err, o.World.Close(), os.RemoveAll(dir))
}

func (p *play) run(ctx context.Context, dir string) error {
	listener, err := p.open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	served, stop := context.WithCancel(ctx)
	defer stop()
	end := make(chan error, 1)
	go func() { end <- p.g.Run(served) }()
	select {
	case <-p.g.Started():
	case err := <-end:
		return errors.Join(err, p.g.Close())
	}
	err = p.perform(ctx)
	if err == nil && !p.Once {
		p.say("Trang theo dõi: %s (Ctrl-C để dừng)", p.base)
		if err := p.invite(ctx); err != nil {
			return errors.Join(fmt.Errorf("invitations: %w", err), p.end(stop, end))
		}
		select {
		case <-ctx.Done():
		case err = <-end:
			return errors.Join(err, p.g.Close())
		}
	}
	if stopped := p.end(stop, end); stopped != nil {
		return errors.Join(err, stopped)
	}
	if ctx.Err() != nil && p.finished.IsZero() {
		return errors.New("stopped before the alert was finished")
	}
	return err
}

// end stops the gateway and closes it.
func (p *play) end(stop context.CancelFunc, end <-chan error) error {
	stop()
	return errors.Join(<-end, p.g.Close())
}

// open makes the gateway on the stand-ins.
func (p *play) open(ctx context.Context, dir string) (net.Listener, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", p.Listen)
	if err != nil && p.Once {
		listener, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("the live page: %w; choose another address with --listen", err)
	}
	p.base = "http://" + listener.Addr().String()
	cfg, err := p.config(dir)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.g, err = gateway.New(ctx, gateway.Options{
		Config: cfg, Drivers: p.World.Drivers, Parts: p.World.Parts, Templates: p.Templates, Facts: p.Facts,
		Listener: listener, Log: p.Log,
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func (p *play) config(dir string) (*config.Config, error) {
	cfg := config.Default()
	cfg.Deployment, cfg.Data, cfg.Public = config.Demo, dir, p.base
	// The storm strikes two provinces; only the national committee speaks to both.
	cfg.Agency = config.Agency{
		Sender: "demo.loa.invalid", Name: "Ban Chỉ đạo Phòng thủ dân sự quốc gia (diễn tập)", NameEN: "National Civil Defence (exercise)",
		Short: "BCĐ PTDS quốc gia", ShortEN: "National Civil Defence",
	}
	cfg.Delivery = config.Delivery{ResendAfter: 5 * time.Second, RetryAfter: 2 * time.Second}
	if err := p.register(cfg); err != nil {
		return nil, err
	}
	var err error
	cfg.Channels, err = p.World.Channels()
	return cfg, err
}

func (p *play) rng() *rand.Rand { return rand.New(rand.NewPCG(p.Seed, 0x10a)) } //nolint:gosec // drawn people, not secrets
