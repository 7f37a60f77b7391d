//go:build history

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"loa/channels"
	"loa/gateway"
	"loa/gateway/config"
	"loa/gateway/delivery"
	"loa/gateway/historytest"
	"loa/gateway/historytest/witness"
)

// What a test says to a gateway that it watches.
const (
	envFolder = "LOA_HISTORY"        // folder of the recorders' files; empty: nothing is recorded
	envNode   = "LOA_HISTORY_NODE"   // the process's name there
	envLease  = "LOA_HISTORY_LEASE"  // duration of a lease
	envLookup = "LOA_HISTORY_LOOKUP" // how long after a doubt a provider is first asked
	envCrash  = "LOA_CRASH_AT"       // "advance start sms before:3": exit there, the third time
	envPanic  = "LOA_PANIC_TO"       // address at which the drivers panic
)

// crashed is the exit code at a crash point.
const crashed = 86

func init() {
	if d, err := time.ParseDuration(os.Getenv(envLease)); err == nil {
		delivery.SetLease(d)
	}
	if d, err := time.ParseDuration(os.Getenv(envLookup)); err == nil {
		delivery.SetLookups(d)
	}
}

// observed wires a witness if the environment asks for one.
func observed() (gateway.Observer, error) {
	folder := os.Getenv(envFolder)
	if folder == "" {
		return gateway.Observer{}, nil
	}
	rec, err := historytest.NewRecorder(folder, os.Getenv(envNode))
	if err != nil {
		return gateway.Observer{}, err
	}
	step, err := crashPoint(os.Getenv(envCrash))
	if err != nil {
		return gateway.Observer{}, err
	}
	w := witness.New(rec, step)
	return gateway.Observer{
		Stores: func(s gateway.Stores) gateway.Stores {
			return gateway.Stores{Delivery: w.Delivery(s.Delivery), Dispatch: w.Dispatch(s.Dispatch), Desk: w.Desk(s.Desk)}
		},
		Sender: func(s channels.Sender) channels.Sender {
			if to := os.Getenv(envPanic); to != "" {
				s = panickingAt(channels.Address(to), s)
			}
			return w.Sender(s)
		},
		Broadcaster: w.Broadcaster,
	}, nil
}

// panickingAt is a driver that panics when it is to send to an address.
func panickingAt(to channels.Address, s channels.Sender) channels.Sender {
	p := panicking{s, to}
	if l, ok := s.(channels.Lookup); ok {
		return panickingList{p, l}
	}
	return p
}

type panicking struct {
	channels.Sender
	at channels.Address
}

// Send panics or sends.
func (p panicking) Send(ctx context.Context, m channels.Message) (channels.Ack, error) {
	if m.To == p.at {
		panic("as told")
	}
	return p.Sender.Send(ctx, m)
}

type panickingList struct {
	panicking
	list channels.Lookup
}

// Lookup asks the driver. An embedded interface of that name would hide it.
func (p panickingList) Lookup(ctx context.Context, m channels.Message, since time.Time) (*channels.Receipt, error) {
	return p.list.Lookup(ctx, m, since)
}

// crashPoint ends the process at the n-th passing of a named step.
func crashPoint(at string) (func(string), error) {
	name, number, named := strings.Cut(at, ":")
	if !named {
		return nil, nil
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envCrash, err)
	}
	var passed atomic.Int64
	return func(step string) {
		if step == name && passed.Add(1) == n {
			os.Exit(crashed)
		}
	}, nil
}

func historyCommands() []*cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Write what the ledger says in the end into the folder of a history",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			cfg.Redis = config.Redis{None: true}
			g, err := gateway.New(cmd.Context(), gatewayOptions(cfg))
			if err != nil {
				return err
			}
			defer func() { _ = g.Close() }()
			rec, err := historytest.NewRecorder(os.Getenv(envFolder), "ledger")
			if err != nil {
				return err
			}
			defer func() { _ = rec.Close() }()
			return witness.Truth(cmd.Context(), rec, g.Truth(), g.Truth().Desk())
		},
	}
	configFlag(cmd, &path)
	return []*cobra.Command{cmd}
}
