package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"loa/channels"
	"loa/channels/sms"
	"loa/configs"
	"loa/gateway/bench"
	"loa/gateway/demo"
	"loa/gateway/render"
	"loa/templates"
)

func newBenchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the gateway on this machine",
	}
	cmd.AddCommand(newBenchFanoutCommand())
	return cmd
}

func newBenchFanoutCommand() *cobra.Command {
	var o bench.Options
	var asJSON, verbose bool
	var profile string
	cmd := &cobra.Command{
		Use:   "fanout",
		Short: "Measure one alert from its approval to the last durable outcome",
		Long: `Subscribes the recipients, has one storm warning approved for all of them and
measures until the outcome of each is durable in the ledger. Everything is
real: the ledger (SQLite, every commit synced), Redis, leases, sealed
addresses, signed references; only the provider is a call that answers at
once, so that what is measured is the gateway. Nothing is kept, unless --keep says so.

Needs redis-server, or --redis.`,
		Example: `  loa bench fanout --recipients 100000
  loa bench fanout --recipients 1000000 --window 64 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var nobody nobody
			o.Driver, o.First = nobody.driver(), nobody.firstSend
			o.Parts, o.Sender = sms.Parts, render.Sender{Provider: "nobody", Sender: demoSender}
			o.Provinces, o.Bulletin = demo.Provinces, demo.Bulletin
			o.Templates, o.Facts = templates.FS, configs.Areas
			o.Say = func(format string, args ...any) { _, _ = fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...) }
			if verbose {
				o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			}
			if profile != "" {
				f, err := os.Create(profile) //nolint:gosec // the user names the file
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }()
				o.Measured = func(begins bool) {
					if !begins {
						pprof.StopCPUProfile()
					} else if err := pprof.StartCPUProfile(f); err != nil {
						o.Say("no profile: %v", err)
					}
				}
			}
			result, err := bench.Fanout(cmd.Context(), o)
			if err != nil {
				return err
			}
			return showFan(cmd, result, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Recipients, "recipients", 100_000, "how many `people` to warn")
	flags.IntVar(&o.Window, "window", 256, "calls in flight per worker")
	flags.IntVar(&o.Workers, "workers", 8, "workers of the channel")
	flags.StringVar(&o.Redis, "redis", "", "`address` of a Redis server that may be written to (default: one is started)")
	flags.StringVar(&o.Dir, "dir", "", "`folder` to work in; it decides which disk is measured (default: the system's for temporary files)")
	flags.StringVar(&o.Keep, "keep", "", "keep the subscribers in this `folder` and use them again")
	flags.BoolVar(&asJSON, "json", false, "print the result as one JSON object in the last line")
	flags.BoolVar(&verbose, "verbose", false, "show the gateway's log")
	flags.StringVar(&profile, "cpuprofile", "", "write a CPU profile of the measured part to `FILE`")
	return cmd
}

func showFan(cmd *cobra.Command, f bench.Fan, asJSON bool) error {
	out := cmd.OutOrStdout()
	if asJSON {
		return json.NewEncoder(out).Encode(f)
	}
	_, err := fmt.Fprintf(out, `%d recipients in %.2f s: %.0f a second, the first after %.1f ms
%.2f µs of CPU a recipient, and %.2f µs of Redis
%.2f bytes a recipient in Redis, %.2f in the ledger; %d MiB of memory at most
`, f.Recipients, f.Seconds, f.PerSecond, f.FirstMS, f.CPUMicros, f.RedisMicros, f.RedisBytes, f.LedgerBytes, f.PeakRSS>>20)
	return err
}

// nobody is a provider that takes every message and reaches nobody.
type nobody struct{ first atomic.Int64 }

func (n *nobody) driver() channels.Driver {
	return channels.Driver{Name: "nobody", Kind: channels.SMS, Open: func(func(any) error, channels.Deps) (any, error) { return n, nil }}
}

func (n *nobody) Kind() channels.Kind { return channels.SMS }
func (n *nobody) Provider() string    { return "nobody" }
func (n *nobody) Live() bool          { return false }

func (n *nobody) Send(context.Context, channels.Message) (channels.Ack, error) {
	if n.first.Load() == 0 {
		n.first.CompareAndSwap(0, time.Now().UnixNano())
	}
	return channels.Ack{Outcome: channels.Accepted}, nil
}

func (n *nobody) firstSend() (time.Time, bool) {
	at := n.first.Load()
	return time.Unix(0, at), at != 0
}
