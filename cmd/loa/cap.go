package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"loa/gateway/cap"
)

// errCapRefused makes the program end with 1; what was refused has been said.
var errCapRefused = errors.New("at least one file was refused")

func newCapCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cap",
		Short: "Work with CAP messages",
		Long: `CAP, the Common Alerting Protocol, is the XML format in which warning
authorities exchange alerts. These commands read such files; they send nothing.`,
	}
	c.AddCommand(newCapValidateCommand())
	return c
}

func newCapValidateCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "validate [--json] FILE…",
		Short: "Check whether files are CAP 1.2 messages that Loa would read",
		Long: `Reads each file as Loa reads an alert that comes in from outside, and says:

  ok       the message is as CAP 1.2 asks
  notes    it can be read, but something is untidy or is left to a person
  refused  it is broken, dangerous or can be understood in two ways;
           Loa would use nothing of it

Every remark names file, line, column and rule. Rules beginning with C are
CAP's own and those of Loa's profile; A and B are about unsafe messages.
The age of a message is not judged. "-" stands for the standard input.

With --json each file gives one line with one JSON object:
  {"file":"…","verdict":"notes","notes":[{"rule":"…","text":"…","line":7,"column":3}]}
Line and column are left out of a remark on the whole file.

The exit code is 0 when every file can be read and 1 when one is refused.`,
		Example: `  loa cap validate warning.xml
  loa cap validate --json inbox/*.xml
  curl -s https://example.org/warning.xml | loa cap validate -`,
		Args: func(_ *cobra.Command, files []string) error {
			if len(files) == 0 {
				return errors.New(`name a file to check, or "-" for the standard input`)
			}
			return nil
		},
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, files []string) error {
			show := showCapText
			if asJSON {
				show = showCapJSON
			}
			refused := false
			for _, file := range files {
				v := validateCap(cmd.Context(), file, cmd.InOrStdin())
				refused = refused || v.verdict == "refused"
				if err := show(cmd.OutOrStdout(), v); err != nil {
					return fmt.Errorf("write the verdict: %w", err)
				}
			}
			if refused {
				return errCapRefused
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object per file and line")
	return c
}

type capVerdict struct {
	file, verdict string
	notes         []cap.Note
}

func validateCap(ctx context.Context, file string, stdin io.Reader) capVerdict {
	v := capVerdict{file: file, verdict: "ok"}
	var err error
	v.notes, err = readCapFile(ctx, file, stdin)
	var refusal *cap.Refusal
	switch {
	case errors.As(err, &refusal):
		v.verdict, v.notes = "refused", []cap.Note{cap.Note(*refusal)}
	case err != nil:
		v.verdict, v.notes = "refused", []cap.Note{{Rule: "file", Text: err.Error()}}
	case len(v.notes) > 0:
		v.verdict = "notes"
	}
	return v
}

func readCapFile(ctx context.Context, file string, stdin io.Reader) ([]cap.Note, error) {
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // the user names the file to be read
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		stdin = f
	}
	_, notes, err := cap.Read(ctx, stdin, cap.Options{})
	return notes, err
}

func showCapJSON(w io.Writer, v capVerdict) error {
	type note struct {
		Rule   string `json:"rule"`
		Text   string `json:"text"`
		Line   int    `json:"line,omitempty"`
		Column int    `json:"column,omitempty"`
	}
	line := struct {
		File    string `json:"file"`
		Verdict string `json:"verdict"`
		Notes   []note `json:"notes"`
	}{v.file, v.verdict, make([]note, len(v.notes))}
	for i, n := range v.notes {
		line.Notes[i] = note{n.Rule, n.Text, n.Line, n.Column}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(line)
}

func showCapText(w io.Writer, v capVerdict) error {
	for _, n := range v.notes {
		at := v.file
		if n.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", v.file, n.Line, n.Column)
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s\n", at, n.Rule, n.Text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", v.file, v.verdict)
	return err
}
