package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	smpp "loa/channels/sms/smpp/standin"
	sms "loa/channels/sms/standin"
	push "loa/channels/webpush/standin"
)

func newStandinCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "standin",
		Short: "Run a stand-in provider that reaches nobody, for drills and tests",
		Long: `A stand-in speaks a provider's real protocol on a loopback address, reaches
nobody, and writes what it took to a file of books, durable before it answers.
Point a channel's origin at it in a drill or demo deployment.`,
	}
	cmd.AddCommand(newStandinSMSCommand(), newStandinSMPPCommand(), newStandinPushCommand())
	return cmd
}

func newStandinSMSCommand() *cobra.Command {
	var (
		listen, books, fault, tokenFile string
		opt                             sms.Options
	)
	cmd := &cobra.Command{
		Use:   "sms",
		Short: "A carrier that speaks Twilio's Messages API",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := secretFrom(tokenFile, "LOA_STANDIN_TOKEN")
			if err != nil {
				return err
			}
			f, err := sms.ParseFault(fault)
			if err != nil {
				return fmt.Errorf("--fault: %w", err)
			}
			opt.AuthToken, opt.BooksFile, opt.Fault = token, books, f
			carrier, err := sms.New(opt)
			if err != nil {
				return err
			}
			return serveStandin(cmd.Context(), cmd.OutOrStdout(), listen, func(string) (http.Handler, io.Closer, error) { return carrier, carrier, nil })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:0", "loopback `address` to listen on")
	flags.StringVar(&books, "books", "", "JSON lines `file` of everything taken")
	flags.StringVar(&opt.AccountSID, "account-sid", "AC00000000000000000000000000000001", "account `id`")
	flags.StringVar(&tokenFile, "token-file", "", "`file` with the auth token (else the environment's LOA_STANDIN_TOKEN)")
	flags.Float64Var(&opt.Rate, "rate", 0, "messages per second before 429, 0 for no limit")
	flags.IntVar(&opt.Burst, "burst", 0, "messages above the rate taken at once")
	flags.DurationVar(&opt.RetryAfter, "retry-after", 0, "sent with a 429")
	flags.Float64Var(&opt.Bad, "bad", 0, "`share` of numbers that are bad on purpose, 0 to 1")
	flags.Uint64Var(&opt.Seed, "seed", 1, "decides which numbers are bad")
	flags.StringVar(&fault, "fault", "", "accept-then-timeout, error-after-accept, cut-json, slow, html, nameless, endless, odd, outage, revoked or throttle; POST /faults changes it")
	flags.Float64Var(&opt.Share, "share", 1, "`share` of requests that meet the fault")
	flags.Float64Var(&opt.Drain, "drain", 0, "messages per second that leave the carrier's queue, 0 for at once")
	flags.IntVar(&opt.Queue, "queue", 0, "messages in the carrier's queue before 21611, 0 for no limit")
	flags.BoolVar(&opt.Callbacks.Chaos, "callback-chaos", false, "callbacks come in reverse, and some several times")
	flags.DurationVar(&opt.Callbacks.Delay, "callback-delay", 0, "between taking a message and reporting its end")
	flags.IntVar(&opt.Callbacks.Retries, "callback-retries", 0, "further callbacks after one that is not answered, the last ones 5 s apart; 0 for 8")
	return cmd
}

func newStandinSMPPCommand() *cobra.Command {
	var (
		listen, fault, passwordFile string
		opt                         smpp.Options
	)
	cmd := &cobra.Command{
		Use:   "smpp",
		Short: "A message centre that speaks SMPP 3.4",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if opt.Password, err = secretFrom(passwordFile, "LOA_STANDIN_PASSWORD"); err != nil {
				return err
			}
			if opt.Fault, err = smpp.ParseFault(fault); err != nil {
				return fmt.Errorf("--fault: %w", err)
			}
			return serveCentre(cmd.Context(), cmd.OutOrStdout(), listen, opt)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:0", "loopback `address` to listen on")
	flags.StringVar(&opt.BooksFile, "books", "", "JSON lines `file` of everything taken")
	flags.StringVar(&opt.SystemID, "system-id", "loa", "`id` that may bind")
	flags.StringVar(&passwordFile, "password-file", "", "`file` with the password (else the environment's LOA_STANDIN_PASSWORD)")
	flags.Float64Var(&opt.Rate, "rate", 0, "parts per second before 0x58, 0 for no limit")
	flags.IntVar(&opt.Burst, "burst", 0, "parts above the rate taken at once")
	flags.Float64Var(&opt.Bad, "bad", 0, "`share` of numbers that are bad on purpose, 0 to 1")
	flags.Uint64Var(&opt.Seed, "seed", 1, "decides which numbers are bad")
	flags.StringVar(&fault, "fault", "", "accept-then-timeout, accept-then-drop, garbage-after-accept, slow, outage, full, drop, later-parts or revoked")
	flags.Float64Var(&opt.Share, "share", 1, "`share` of parts that meet the fault")
	flags.DurationVar(&opt.ReceiptDelay, "receipt-delay", 0, "between taking a part and its receipt")
	flags.BoolVar(&opt.NoReceipts, "no-receipts", false, "send no delivery receipts")
	return cmd
}

// serveCentre serves SMPP on a loopback address until the context ends, and
// prints the address first.
func serveCentre(ctx context.Context, out io.Writer, listen string, opt smpp.Options) error {
	l, err := listenLoopback(ctx, listen)
	if err != nil {
		return err
	}
	centre, err := smpp.New(opt)
	if err != nil {
		_ = l.Close()
		return err
	}
	if _, err := fmt.Fprintf(out, "listening on smpp://%s\n", l.Addr()); err != nil {
		return err
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- centre.Close()
	}()
	if err := centre.Serve(l); err != nil {
		return err
	}
	return <-stopped
}

func newStandinPushCommand() *cobra.Command {
	var (
		listen, books, seed string
		shares              push.Shares
	)
	cmd := &cobra.Command{
		Use:   "push",
		Short: "A web push service that checks and decrypts what it gets",
		Long: `A web push service that checks what it gets (VAPID, headers, encryption) and
decrypts it into its books.

  POST /subscribe {"count": 10}   hands out subscriptions, as a browser would: each
                                  is the "address" of a webpush row of an import
  GET  /books                     everything taken, one JSON line each
  GET  /counts                    how many requests were answered with each status
  POST /faults                    has it answer with a status for a while`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveStandin(cmd.Context(), cmd.OutOrStdout(), listen, func(base string) (http.Handler, io.Closer, error) {
				s, err := push.New(push.Options{Seed: seed, Base: base, BooksFile: books, Shares: shares})
				return s, s, err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:0", "loopback `address` to listen on")
	flags.StringVar(&books, "books", "", "JSON lines `file` of everything taken")
	flags.StringVar(&seed, "seed", "loa", "all subscriptions follow from it")
	flags.Float64Var(&shares.Gone, "gone", 0, "`share` of subscriptions that answer 410, 0 to 1")
	flags.Float64Var(&shares.Missing, "missing", 0, "`share` that answer 404")
	flags.Float64Var(&shares.TooLarge, "too-large", 0, "`share` that answer 413")
	flags.Float64Var(&shares.Forbidden, "forbidden", 0, "`share` that answer 403")
	flags.Float64Var(&shares.Throttled, "throttled", 0, "`share` that answer 429 the first time")
	flags.Float64Var(&shares.Unavailable, "unavailable", 0, "`share` that answer 503 the first time")
	return cmd
}

func listenLoopback(ctx context.Context, listen string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("--listen %q: a loopback address and port is required", listen)
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", listen)
}

// serveStandin serves on a loopback address until the context ends, and prints
// the address first.
func serveStandin(ctx context.Context, out io.Writer, listen string, open func(base string) (http.Handler, io.Closer, error)) error {
	l, err := listenLoopback(ctx, listen)
	if err != nil {
		return err
	}
	base := "http://" + l.Addr().String()
	handler, closer, err := open(base)
	if err != nil {
		_ = l.Close()
		return err
	}
	if _, err := fmt.Fprintln(out, "listening on", base); err != nil {
		return err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		err := srv.Shutdown(bound)
		stopped <- errors.Join(err, closer.Close())
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// secretFrom reads a secret from a file, or else from the environment: never
// from the command line, which others can see.
func secretFrom(file, variable string) (string, error) {
	if file != "" {
		src, err := os.ReadFile(file) //nolint:gosec // the caller names the file
		if err != nil {
			return "", err
		}
		return strings.TrimSpace(string(src)), nil
	}
	if s := os.Getenv(variable); s != "" {
		return s, nil
	}
	return "", fmt.Errorf("a secret is required: a file, or the environment's %s", variable)
}
