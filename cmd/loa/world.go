package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"loa/channels"
	"loa/channels/app"
	crowd "loa/channels/app/standin"
	"loa/channels/sms"
	"loa/channels/sms/smpp"
	carrier "loa/channels/sms/standin"
	"loa/channels/webpush"
	push "loa/channels/webpush/standin"
	"loa/gateway/area"
	"loa/gateway/config"
	"loa/gateway/demo"
	"loa/gateway/render"
)

// drivers lists every driver of the product.
func drivers() []channels.Driver {
	return []channels.Driver{sms.Driver(), smpp.Driver(), webpush.Driver(), app.Driver()}
}

const (
	demoAccount = "AC00000000000000000000000000000001"
	demoToken   = "demodemodemodemodemodemodemodemo" // of a stand-in that lives as long as the demo
	demoSender  = "PTDSQuocGia"
	demoBad     = 0.04 // share of numbers that are bad on purpose
	demoRate    = 3000 // messages a second the carrier takes before it says 429
)

// stage is the set of stand-ins that the demo plays on.
type stage struct {
	carrier    *carrier.Carrier
	carrierURL string
	push       *push.Service
	pushURL    string
	crowd      *crowd.Crowd
	seed       uint64

	browser map[int]channels.Address // by the push service's number
	install []channels.Address
	homes   []area.Code
	close   []func() error
}

// newWorld makes the demo's world of stand-ins on loopback.
func newWorld(ctx context.Context, seed uint64) (*demo.World, error) {
	s := &stage{seed: seed, browser: map[int]channels.Address{}}
	l, err := s.listen(ctx)
	if err != nil {
		return nil, err
	}
	s.pushURL = "http://" + l.Addr().String()
	if s.push, err = push.New(push.Options{Base: s.pushURL, Shares: push.Shares{Gone: 0.01}}); err != nil {
		return nil, err
	}
	s.serve(l, s.push)
	s.close = append(s.close, s.push.Close)
	return &demo.World{
		Drivers: drivers(), Parts: sms.Parts, Sender: render.Sender{Provider: "twilio", Sender: demoSender},
		Register:  func(patterns []string) error { return s.register(ctx, patterns) },
		Channels:  s.channels,
		Subscribe: s.subscribe,
		Install:   s.installs,
		Connect:   s.connect,
		Settle:    s.settle,
		Books:     s.books,
		First:     s.first,
		Close:     s.shut,
	}, nil
}

func (s *stage) listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", "127.0.0.1:0")
}

func (s *stage) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	s.close = append(s.close, srv.Close)
}

// register opens the carrier with the texts that are registered there.
func (s *stage) register(ctx context.Context, patterns []string) error {
	var err error
	s.carrier, err = carrier.New(carrier.Options{
		AccountSID: demoAccount, AuthToken: demoToken, Seed: s.seed, Bad: demoBad, Templates: patterns,
		Rate: demoRate, Burst: demoRate / 2, RetryAfter: time.Second, Callbacks: carrier.Callbacks{Workers: 16},
	})
	if err != nil {
		return err
	}
	l, err := s.listen(ctx)
	if err != nil {
		return err
	}
	s.carrierURL = "http://" + l.Addr().String()
	s.serve(l, s.carrier)
	s.close = append(s.close, s.carrier.Close)
	return nil
}

func (s *stage) channels() ([]config.Channel, error) {
	key, _, err := webpush.GenerateKey()
	if err != nil {
		return nil, err
	}
	var list []config.Channel
	for _, c := range []struct {
		channel  config.Channel
		settings map[string]any
	}{
		{config.Channel{Driver: "twilio", Origin: s.carrierURL, Workers: 4, Window: 16}, map[string]any{
			"account_sid": demoAccount, "auth_token": demoToken, "from": demoSender, "base_url": s.carrierURL,
		}},
		{config.Channel{Driver: "vapid", Origin: s.pushURL, Workers: 4}, map[string]any{
			"subject": "mailto:demo@loa.invalid", "private_key": key.Reveal(),
		}},
		{config.Channel{Driver: "hub", Workers: 2}, map[string]any{"per_address": 1_000_000}},
	} {
		section, err := config.NewSection(c.settings)
		if err != nil {
			return nil, err
		}
		c.channel.Settings = section
		list = append(list, c.channel)
	}
	return list, nil
}

func (s *stage) subscribe(n int) ([]channels.Address, error) {
	out := make([]channels.Address, n)
	for i, sub := range s.push.Subscribe(n) {
		text, err := json.Marshal(sub)
		if err != nil {
			return nil, err
		}
		out[i] = channels.Address(text)
		s.browser[i] = out[i]
	}
	return out, nil
}

// installs makes an app for each commune given.
func (s *stage) installs(communes []area.Code) ([]channels.Address, error) {
	s.homes = communes
	keys := crowd.New(crowd.Options{Seed: s.crowdSeed()})
	for i := range communes {
		s.install = append(s.install, channels.Address(keys.Key(i)))
	}
	return s.install, nil
}

func (s *stage) crowdSeed() string { return "demo " + strconv.FormatUint(s.seed, 10) }

// connect brings the apps on line and returns when all are.
func (s *stage) connect(ctx context.Context, base string) error {
	s.crowd = crowd.New(crowd.Options{
		URL:      "ws" + strings.TrimPrefix(base, "http") + "/channels/hub/ws",
		Seed:     s.crowdSeed(),
		Language: "vi",
		Communes: func(i int) []string { return []string{string(s.homes[i])} },
	})
	online, stop := context.WithCancel(context.WithoutCancel(ctx))
	gone := make(chan struct{})
	go func() {
		s.crowd.Run(online, len(s.homes))
		close(gone)
	}()
	s.close = append(s.close, func() error { stop(); <-gone; return nil })
	return poll(ctx, func() bool { return s.crowd.Connected() == len(s.homes) })
}

// settle waits until the carrier has made its callbacks and the hub has taken
// every acknowledgement of the apps.
func (s *stage) settle(ctx context.Context) error {
	if err := s.carrier.Settled(ctx); err != nil {
		return err
	}
	return poll(ctx, func() bool {
		for e := range s.crowd.Books() {
			if !e.Stored {
				return false
			}
		}
		return true
	})
}

// poll looks every few milliseconds until done says yes.
func poll(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

func (s *stage) books(kind channels.Kind) (map[channels.Address]demo.Tally, error) {
	out := map[channels.Address]demo.Tally{}
	switch kind {
	case channels.SMS:
		for e := range s.carrier.Books().All() {
			t := out[channels.Address(e.To)]
			t.Taken++
			if e.Status == "delivered" {
				t.Kept++
			}
			out[channels.Address(e.To)] = t
		}
	case channels.WebPush:
		for e := range s.push.Books() {
			a := s.browser[e.Subscription]
			t := out[a]
			t.Taken++
			t.Kept++
			out[a] = t
		}
	case channels.App:
		for e := range s.crowd.Books() {
			out[s.install[e.Install]] = demo.Tally{Taken: e.Copies, Kept: e.Copies}
		}
	default:
	}
	return out, nil
}

// first is when the first message was taken by any stand-in.
func (s *stage) first() (time.Time, bool) {
	var first time.Time
	note := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	for e := range s.carrier.Books().All() {
		note(e.At)
	}
	for e := range s.push.Books() {
		note(e.At)
	}
	return first, !first.IsZero()
}

func (s *stage) shut() error {
	var errs []error
	for _, shut := range slices.Backward(s.close) {
		errs = append(errs, shut())
	}
	return errors.Join(errs...)
}
