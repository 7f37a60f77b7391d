package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"loa/gateway/alert"
	"loa/gateway/web/api"
)

func newAlertCorrectCommand(f *alertFlags) *cobra.Command {
	var wait, dry bool
	cmd := &cobra.Command{
		Use:   "correct ID FILE",
		Short: "Stop a mistaken alert and tell exactly those who may have got it (Đính chính)",
		Long: `Stops the alert and sends its correction at once to everybody who may have got
it, and to nobody else; any one person with authority over its area may. Only
any.correction_detail has its author's words, and waits until another person
signs it; the alert stands until then. The
file has a reason and infos without areas. Which message the text is about (its
code, hazard and when it was issued) Loa writes itself, and what an info leaves
out (categories, event, urgency, severity, certainty) is as in the alert:

  ` + strings.ReplaceAll(strings.TrimSpace(correctionFile("phát nhầm trong buổi diễn tập", "any.correction_false", []string{"vi-VN"}, nil)), "\n", "\n  ") + `

The texts are any.correction_false, for a warning that should not have been sent,
any.correction_detail, for one with a wrong detail, and
any.correction_all_clear, for an all-clear or a correction by which people were
told too early that there is no danger. A correction says nothing graver than
what it corrects: that is an update, which two people sign.
"loa alert example --act correct" prints a file; --dry-run shows what would be
sent and sends nothing.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := alertPath(args[0], "correct")
			if dry {
				return f.preview(cmd, args[0], args[1], path)
			}
			sent := f.sent(cmd, "the correction, approved", wait)
			return f.send(cmd, args[1], http.MethodPost, path, func(c *client, a *api.Alert) error {
				switch {
				case a.State == alert.Submitted:
					showUnsigned(cmd.OutOrStdout(), a)
					return nil
				case !a.State.Issued():
					return fmt.Errorf("%s is %s: NOT SENT; correct %s again", a.ID, a.State, args[0])
				}
				if a.Draft == nil || wait {
					return sent(c, a)
				}
				if err := sent(c, a); err != nil {
					return err
				}
				showCorrection(cmd.OutOrStdout(), a)
				return nil
			})
		},
	}
	waitFlag(cmd, &wait)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be sent, and to how many; send nothing")
	return cmd
}

// showUnsigned says that a correction is not sent yet, and what is faster.
func showUnsigned(out io.Writer, a *api.Alert) {
	_, _ = fmt.Fprintf(out, `%[1]s is NOT SENT: it has its author's words, and another person signs it with:
  loa alert approve %[1]s --hash %[2]s
%[3]s stands until then. One person takes it back at once with any.correction_false, or stops it:
  loa alert stop %[3]s --reason TEXT
`, a.ID, a.Hash, a.Replaces)
	showTexts(out, a)
}

func (f *alertFlags) preview(cmd *cobra.Command, id, file, path string) error {
	doc, err := f.read(cmd, file)
	if err != nil {
		return err
	}
	r := request{method: http.MethodPost, path: path, query: map[string][]string{"preview": {"true"}}, body: strings.NewReader(string(doc.json))}
	return doc.explain(f.call(cmd, r, func(_ *client, a *api.Alert) error {
		out := cmd.OutOrStdout()
		_, _ = fmt.Fprintf(out, "NOT SENT: this is what a correction of %s would say\n", id)
		showCorrection(out, a)
		return nil
	}))
}

// followHelp is of the acts that draft what takes the place of an alert.
const followHelp = `The file is as for "loa alert draft"; "loa alert example --act %s ID" prints
one to start from. Its text is %s, and its areas
hold every commune of the old alert. Which message it is about (its code, hazard
and when it was issued) Loa writes itself. The old alert stands until the new one
is submitted and approved like any other.`

func newAlertFollowCommand(f *alertFlags, act, short, text string) *cobra.Command {
	return &cobra.Command{
		Use:   act + " ID FILE",
		Short: short,
		Long:  short + ".\n\n" + fmt.Sprintf(followHelp, act, text),
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.send(cmd, args[1], http.MethodPost, alertPath(args[0], act), shown(cmd.OutOrStdout()))
		},
	}
}
