package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"loa/channels"
	"loa/gateway"
	"loa/gateway/delivery"
	"loa/gateway/web/api"
)

func newHoldCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hold",
		Short: "See and end the hold of a ledger that is an older copy",
		Long: `A ledger that was restored from a backup does not know what was sent since. So
that nobody is sent to again, such a ledger starts on hold: alerts can be
written, approved and stopped, and nothing is sent. A database of PostgreSQL that
was moved to another server (pg_dump, pg_upgrade) is taken for a restored one.

What to do: "hold status" shows what would be sent. "alert stop" what must not
go out any more. "hold reconcile" asks the providers that have a list of what
they took, and records whom it names. Then two people, each with authority over
all that would be sent, release it with their tokens.`,
	}
	var path string
	configFlag(cmd, &path)
	cmd.AddCommand(newHoldStatusCommand(&path), newHoldReconcileCommand(&path), newHoldReleaseCommand(&path))
	return cmd
}

// errOnHold ends what waits for a send that will not come.
var errOnHold = errors.New("ON HOLD: nothing is sent until two people release it (loa hold status); what is pending stays stored")

// showHold says loudly that an alert is not sent.
func showHold(out io.Writer, a *api.Alert) {
	if a.OnHold.IsZero() {
		return
	}
	_, _ = fmt.Fprintf(out, "\nON HOLD since %s: nothing is sent until two people release it (loa hold status)\n", a.OnHold.Format(time.DateTime))
	_, _ = fmt.Fprintln(out, "ĐANG TẠM DỪNG GỬI: không gửi gì cho đến khi hai người cho phép (loa hold status)")
}

func newHoldStatusCommand(path *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether the ledger is on hold and what a release would send",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				s, err := holdStatus(cmd.Context(), c)
				if err != nil {
					return err
				}
				if asJSON {
					enc := json.NewEncoder(cmd.OutOrStdout())
					enc.SetIndent("", "  ")
					return enc.Encode(s)
				}
				return tellHold(cmd.OutOrStdout(), s)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func holdStatus(ctx context.Context, c *client) (s gateway.HoldStatus, err error) {
	return s, c.call(ctx, request{method: http.MethodGet, path: "/hold"}, &s)
}

func tellHold(w io.Writer, s gateway.HoldStatus) error {
	if !s.Held {
		_, err := fmt.Fprintf(w, "Not on hold (generation %d).\n", s.Generation)
		return err
	}
	_, _ = fmt.Fprintf(w, "ON HOLD since %s. %s\n", s.Since.Local().Format(time.DateTime), s.Text)
	if s.First != "" {
		_, _ = fmt.Fprintf(w, "Released by %s; a second person is needed.\n", s.First)
	}
	if len(s.Waiting) == 0 {
		_, err := fmt.Fprintln(w, "A release would send nothing.")
		return err
	}
	_, _ = fmt.Fprintln(w, "A release would send:")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "alert\tcode\tapproved\tchannel\tpending\tin doubt\tthe provider's list")
	for _, x := range s.Waiting {
		channel, list := string(x.Channel), "there is none: not reconciled"
		switch {
		case x.Channel == "":
			channel, list = "-", "-"
		case x.CanAsk:
			list = "can be asked: loa hold reconcile"
		}
		if x.Cutting {
			channel += " (more to come)"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", x.Alert, x.Code, x.Approved.Local().Format(time.DateTime), channel, x.Pending, x.Doubt, list)
	}
	if err := t.Flush(); err != nil || s.ReconcileFor == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "Asking the providers' lists about all of them takes at least %s.\n", time.Duration(s.ReconcileFor)*time.Second)
	return err
}

func newHoldReconcileCommand(path *string) *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Ask the providers' lists whom they have sent to already, and record them",
		Long: `Asks the providers that have a list of what they took about everybody whom the
ledger believes pending or in doubt, several at once and at the pace that lookups
may have ("hold status" tells how long that takes), and records those whom a list names as accepted, so that they are not sent
to again. Channels whose providers have no list (web push, SMPP) stay as they
are. It can be interrupted and begun again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				sum, whole, err := reconcile(cmd.Context(), c, most, cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "asked about %d: %d were sent to already and are recorded, %d were not, %d could not be told\n", sum.Asked, sum.Found, sum.Missing, sum.Failed)
				if !whole {
					_, _ = fmt.Fprintln(cmd.OutOrStdout(), "there are more: run it again")
				}
				s, err := holdStatus(cmd.Context(), c)
				if err != nil {
					return err
				}
				return tellHold(cmd.OutOrStdout(), s)
			})
		},
	}
	cmd.Flags().IntVar(&most, "most", 1_000_000, "stop after so many recipients")
	return cmd
}

// reconcile makes steps until nobody is left, or most were asked about.
func reconcile(ctx context.Context, c *client, most int, progress io.Writer) (sum delivery.Recalled, whole bool, err error) {
	for from := ""; sum.Asked < most; {
		var a gateway.ReconcileAnswer
		if err := c.call(ctx, request{method: http.MethodPost, path: "/hold/reconcile", query: url.Values{"from": {from}}}, &a); err != nil {
			return sum, false, err
		}
		sum.Add(a.Recalled)
		if from = a.Next; from == "" {
			return sum, true, nil
		}
		_, _ = fmt.Fprintf(progress, "asked about %d, %d found\n", sum.Asked, sum.Found)
	}
	return sum, false, nil
}

func newHoldReleaseCommand(path *string) *cobra.Command {
	var tokenFile string
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Release the hold as one of two people",
		Long: `Shows what would be sent and releases the hold as the person whose token stands in
LOA_TOKEN or in --token-file. The second person's release, within an hour of the
first, ends the hold. Both are recorded.`,
		Example: `  LOA_TOKEN=$(cat soan.token) loa hold release
  LOA_TOKEN=$(cat duyet.token) loa hold release`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := secretFrom(tokenFile, "LOA_TOKEN")
			if err != nil {
				return err
			}
			return with(cmd.Context(), *path, func(c *client) error {
				s, err := holdStatus(cmd.Context(), c)
				if err != nil {
					return err
				}
				if err := tellHold(cmd.OutOrStdout(), s); err != nil {
					return err
				}
				var a gateway.ReleaseAnswer
				if err := c.call(cmd.Context(), request{method: http.MethodPost, path: "/hold/release", token: channels.Secret(token)}, &a); err != nil {
					return err
				}
				said := "Your release is recorded; a second person must release it too, within an hour."
				if a.Lifted {
					said = "The hold is over: sending begins."
					if !c.running {
						said = "The hold is over: sending begins with the next \"loa serve\"."
					}
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`file` with the token of the person who acts (else the environment's LOA_TOKEN)")
	return cmd
}
