package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"loa/channels"
	"loa/gateway/web/api"
)

// alertFlags are what every command on alerts takes.
type alertFlags struct {
	config, tokenFile, key string
}

func newAlertCommand() *cobra.Command {
	f := &alertFlags{}
	cmd := &cobra.Command{
		Use:   "alert",
		Short: "Write, sign, stop and follow warnings",
		Long: `A warning is drafted and submitted by one person and approved by another, who
signs the hash of exactly this text, area and head-count. Four acts end or
replace one that is live: stop, correct, update and all-clear; each has its own
texts, and "loa alert example --act" prints a file for it.

Who acts is told by their token ("loa person add" gives it), from --token-file
or the environment's LOA_TOKEN; never from an argument, which others can see.`,
		Example: `  export LOA_TOKEN=$(cat soan.token)
  loa alert example > storm.yaml
  loa alert draft storm.yaml
  loa alert submit ID
  LOA_TOKEN=$(cat duyet.token) loa alert approve ID --hash HASH --wait`,
	}
	configFlag(cmd, &f.config)
	cmd.PersistentFlags().StringVar(&f.tokenFile, "token-file", "", "`file` with the token of the person who acts (else the environment's LOA_TOKEN)")
	cmd.PersistentFlags().StringVar(&f.key, "key", "", "a `word` that makes a repeated command one act (default: a new one each time)")
	cmd.AddCommand(
		newAlertExampleCommand(f), newAlertDraftCommand(f), newAlertEditCommand(f), newAlertSubmitCommand(f), newAlertApproveCommand(f),
		newAlertReasonCommand(f, "return", "Give a submission back to its author"),
		newAlertReasonCommand(f, "reject", "End a submission for good"),
		newAlertReasonCommand(f, "stop", "Stop sending (Dừng); says nothing about the danger"),
		newAlertCorrectCommand(f),
		newAlertFollowCommand(f, "update", "Draft what takes the place of a live alert (Cập nhật)", "any.update"),
		newAlertFollowCommand(f, "all-clear", "Draft the end of the danger (Hết nguy hiểm)", "any.all_clear (of a tsunami, tsunami.cancel)"),
		newAlertStatusCommand(f), newAlertListCommand(f),
	)
	return cmd
}

// call does one request as the person of the token.
func (f *alertFlags) call(cmd *cobra.Command, r request, each func(*client, *api.Alert) error) error {
	token, err := secretFrom(f.tokenFile, "LOA_TOKEN")
	if err != nil {
		return fmt.Errorf("who acts? %w", err)
	}
	r.token, r.key = channels.Secret(token), f.key
	return with(cmd.Context(), f.config, func(c *client) error {
		var a api.Alert
		if err := c.call(cmd.Context(), r, &a); err != nil {
			return err
		}
		return each(c, &a)
	})
}

func alertPath(id string, act ...string) string {
	return "/alerts/" + strings.Join(append([]string{url.PathEscape(id)}, act...), "/")
}

// post is a request with a JSON document.
func post(path string, doc any) request {
	return request{method: http.MethodPost, path: path, body: jsonBody(doc)}
}

func newAlertDraftCommand(f *alertFlags) *cobra.Command {
	var capFile string
	cmd := &cobra.Command{
		Use:   "draft FILE | draft --cap FILE",
		Short: "Store a draft from a YAML, JSON or CAP file",
		Long: `Stores a draft; nothing is sent. The file is YAML or JSON ("loa alert example"
prints one), or with --cap a CAP 1.2 message of another authority, which becomes
a draft for a person to judge and complete, never more. "-" is the standard input.

An area of an info has codes, shapes or both, and each shape is taken as the
communes that it covers by a hundredth or more; what it only brushes is listed
for the approver. Shapes need boundaries ("loa areas import"):

  areas:
    - desc: Ven vịnh Hạ Long          # as people name it; without it the communes are named
      codes: ["06673"]                # communes or provinces
      polygons: [[[20.90, 106.95], [20.90, 107.20], [21.00, 107.20], [20.90, 106.95]]]
                                      # rings of [latitude, longitude], the first point again at the end
      circles: [{center: [20.95, 107.05], radius: 12}]   # kilometres`,
		Example: "  loa alert draft storm.yaml\n  loa alert draft --cap bulletin.xml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (capFile != "") {
				return errors.New("give one file, either as the argument or with --cap")
			}
			if capFile != "" {
				src, err := readInput(capFile, cmd.InOrStdin())
				if err != nil {
					return err
				}
				r := request{method: http.MethodPost, path: "/alerts", media: "application/cap+xml", body: bytes.NewReader(src)}
				return f.call(cmd, r, shown(cmd.OutOrStdout()))
			}
			return f.send(cmd, args[0], http.MethodPost, "/alerts", shown(cmd.OutOrStdout()))
		},
	}
	cmd.Flags().StringVar(&capFile, "cap", "", "CAP 1.2 `file` to draft from")
	return cmd
}

// send does a request whose document is in a file.
func (f *alertFlags) send(cmd *cobra.Command, file, method, path string, each func(*client, *api.Alert) error) error {
	doc, err := f.read(cmd, file)
	if err != nil {
		return err
	}
	return doc.explain(f.call(cmd, request{method: method, path: path, body: bytes.NewReader(doc.json)}, each))
}

// read reads a document that says something.
func (f *alertFlags) read(cmd *cobra.Command, file string) (*document, error) {
	doc, err := readDocument(file, cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	if text := bytes.TrimSpace(doc.json); len(text) == 0 || string(text) == "null" {
		return nil, fmt.Errorf("%s: the file is empty; \"loa alert example\" prints one to start from", doc.name)
	}
	return doc, nil
}

func newAlertEditCommand(f *alertFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "edit ID FILE",
		Short: "Replace the text of a draft or a returned alert",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.send(cmd, args[1], http.MethodPut, alertPath(args[0]), shown(cmd.OutOrStdout()))
		},
	}
}

func newAlertSubmitCommand(f *alertFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "submit ID",
		Short: "Freeze a draft and show what is to be signed",
		Long: `Freezes text and area and shows what the approver must check: the hash, the
communes, how many people would be addressed on each channel and how many cannot
be, and the SMS texts with their parts. Every fault of the text is named, and then nothing is frozen.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(cmd, post(alertPath(args[0], "submit"), struct{}{}), func(_ *client, a *api.Alert) error {
				if err := showAlert(cmd.OutOrStdout(), a); err != nil {
					return err
				}
				who := "You, or another person with authority there, may sign it"
				if a.TwoPeople {
					who = "Another person signs it"
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "\n%s with:\n  loa alert approve %s --hash %s\n", who, a.ID, a.Hash)
				return err
			})
		},
	}
}

func newAlertApproveCommand(f *alertFlags) *cobra.Command {
	var hash string
	var wait bool
	cmd := &cobra.Command{
		Use:   "approve ID --hash HASH",
		Short: "Sign a submission and send it",
		Long: `Signs exactly the text, area and head-count whose hash is given, and sends them.
An Actual alert needs another person than its author if it is Severe or Extreme,
states a risk level of 3 or higher, or sends people from their homes; if
templates/acts.csv has two people sign its text, or it is in its author's own
words; if it names a grave danger in its event, area or notes; or if it takes the
place of such an alert. Repeating the command has no second effect.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			doc := map[string]string{"hash": hash}
			return f.call(cmd, post(alertPath(args[0], "approve"), doc), f.sent(cmd, "approved", wait))
		},
	}
	cmd.Flags().StringVar(&hash, "hash", "", "the `hash` that the submission shows")
	_ = cmd.MarkFlagRequired("hash")
	waitFlag(cmd, &wait)
	return cmd
}

func waitFlag(cmd *cobra.Command, wait *bool) {
	cmd.Flags().BoolVar(wait, "wait", false, "wait until nothing is pending and show the counts")
}

// sent says what an act has set in motion, and follows it if wanted.
func (f *alertFlags) sent(cmd *cobra.Command, verb string, wait bool) func(*client, *api.Alert) error {
	return func(c *client, a *api.Alert) error {
		out := cmd.OutOrStdout()
		_, _ = fmt.Fprintf(out, "%s is %s\n", a.ID, verb)
		showHold(out, a)
		showUnheard(out, a.Unheard)
		if !c.running {
			_, err := fmt.Fprintln(out, "Stored. No gateway runs on this data folder now: loa serve will send it.")
			return err
		}
		if !wait {
			return nil
		}
		return f.follow(cmd.Context(), c, out, string(a.ID))
	}
}

func newAlertReasonCommand(f *alertFlags, act, short string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   act + " ID --reason TEXT",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(cmd, post(alertPath(args[0], act), api.Reason{Reason: reason}), func(_ *client, a *api.Alert) error {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is %s\n", a.ID, a.State)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the audit and the other people")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func newAlertStatusCommand(f *alertFlags) *cobra.Command {
	var wait, communes, asJSON bool
	cmd := &cobra.Command{
		Use:   "status ID",
		Short: "Show an alert, its text and what came of it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			return f.call(cmd, request{method: http.MethodGet, path: alertPath(args[0])}, func(c *client, a *api.Alert) error {
				if wait && a.Coverage != nil {
					if err := f.wait(cmd.Context(), c, out, a); err != nil {
						return err
					}
				}
				if asJSON {
					return showJSON(out, a)
				}
				if err := showAlert(out, a); err != nil || !communes {
					return err
				}
				return showCommunes(out, a.Coverage)
			})
		},
	}
	waitFlag(cmd, &wait)
	cmd.Flags().BoolVar(&communes, "communes", false, "show every commune too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's document")
	return cmd
}

// wait follows an alert and reads it again afterwards.
func (f *alertFlags) wait(ctx context.Context, c *client, out io.Writer, a *api.Alert) error {
	if !c.running {
		return errors.New("no gateway runs on this data folder, so nothing will change; start loa serve")
	}
	id := string(a.ID)
	if err := f.follow(ctx, c, out, id); err != nil {
		return err
	}
	token, err := secretFrom(f.tokenFile, "LOA_TOKEN")
	if err != nil {
		return err
	}
	*a = api.Alert{}
	return c.call(ctx, request{method: http.MethodGet, path: alertPath(id), token: channels.Secret(token)}, a)
}

func newAlertListCommand(f *alertFlags) *cobra.Command {
	var states []string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List alerts, the newest first",
		Example: "  loa alert list\n  loa alert list --state submitted --state approved",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := secretFrom(f.tokenFile, "LOA_TOKEN")
			if err != nil {
				return fmt.Errorf("who asks? %w", err)
			}
			return with(cmd.Context(), f.config, func(c *client) error {
				var out struct{ Alerts []api.Alert }
				q := url.Values{"state": states, "limit": {fmt.Sprint(limit)}}
				if err := c.call(cmd.Context(), request{method: http.MethodGet, path: "/alerts", query: q, token: channels.Secret(token)}, &out); err != nil {
					return err
				}
				return showList(cmd.OutOrStdout(), out.Alerts)
			})
		},
	}
	cmd.Flags().StringArrayVar(&states, "state", nil, "only this `state`: draft, submitted, returned, rejected, approved, stopped, superseded, ended; may be repeated")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so `many`")
	return cmd
}
