package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"loa/gateway/audience"
	"loa/gateway/web/api"
)

func newSubscribersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "subscribers",
		Short: "Work with the people who are to be warned",
	}
	var path string
	configFlag(cmd, &path)
	cmd.AddCommand(newSubscribersImportCommand(&path))
	return cmd
}

func newSubscribersImportCommand(path *string) *cobra.Command {
	var skipBad bool
	var list string
	cmd := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Import subscribers from a CSV file",
		Long: `Imports subscribers, a million and more, while the gateway works. All rows become
visible at once at the end, or none: one bad row refuses the whole file, after
all have been read. The first 50 bad rows are named by line, column and rule;
--errors writes all of them to a file. "-" is the standard input.

The file is CSV in UTF-8 with a header line; commas, semicolons or tabs separate
its columns, which may stand in any order:
  ` + strings.Join(audience.Columns(), ", ") + `
  kind          sms, webpush or app
  address       sms: a Vietnamese mobile number in any usual spelling
                webpush: the browser's subscription in JSON
                app: the install's public key in base64url
  commune       code of five digits ("loa areas find" tells it)
  language      vi (also when empty) or en
  basis         consent, duty or emergency_order
  consent_text, consent_at   version and time of what was agreed to, for consent
  roster        true for people with a role, whom tests and exercises may address

An address that is known already takes the row's commune and language. Addresses
are sealed before they are stored and are shown nowhere.`,
		Example: `  loa subscribers import households.csv
  loa subscribers import --skip-bad --errors bad-rows.txt households.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				return importFile(cmd.Context(), c, args[0], skipBad, list, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	cmd.Flags().StringVar(&list, "errors", "", "write every bad row to this file: its line, column and rule, no address")
	cmd.Flags().BoolVar(&skipBad, "skip-bad", false, "import the good rows of a file that has bad ones")
	return cmd
}

func importFile(ctx context.Context, c *client, file string, skipBad bool, list string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	in, size := stdin, int64(0)
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // the user names the file
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		in = f
	}
	bad := &badRows{file: file, list: list, stderr: stderr}
	if list != "" {
		out, err := os.Create(list) //nolint:gosec // the user names the file
		if err != nil {
			return fmt.Errorf("--errors: %w", err)
		}
		bad.all = out
		defer func() { err = errors.Join(err, out.Close()) }()
	}
	q := url.Values{"source": {filepath.Base(file)}, "skip_bad": {fmt.Sprint(skipBad)}}
	answer, err := c.start(ctx, request{
		method: http.MethodPost, path: "/subscribers/import", query: q, media: "text/csv", body: io.NopCloser(in),
	})
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	bar := &importBar{out: stderr, size: size, terminal: isTerminal(stderr)}
	defer bad.end()
	for dec := json.NewDecoder(answer); ; {
		var line api.ImportLine
		if err := dec.Decode(&line); err != nil {
			bar.clear()
			return fmt.Errorf("the import was cut off and nothing of it is visible: %w", errors.Join(err, ctx.Err()))
		}
		switch {
		case line.Progress != nil:
			bar.show(line.Progress)
		case line.Bad != nil:
			bar.clear()
			if err := bad.name(line.Bad); err != nil {
				return fmt.Errorf("--errors: %w; nothing was imported", err)
			}
		case line.Problem != nil:
			bar.clear()
			return fileProblem(file, *line.Problem)
		case line.Report != nil:
			bar.clear()
			r := line.Report
			_, err := fmt.Fprintf(stdout, "%s: %d rows, %d new, %d known, %d repeated, %d bad\n", file, r.Rows, r.Added, r.Known, r.Duplicates, r.Bad)
			return err
		}
	}
}

// fileProblem says why a file was refused as a whole. What is wrong with its
// first line has its place.
func fileProblem(file string, p api.Problem) error {
	if p.Type != api.ProblemPrefix+"bad-rows" {
		return &problem{p}
	}
	if len(p.Errors) == 0 {
		return fmt.Errorf("%s: %s", file, p.Detail)
	}
	return errors.New(badRow(file, &api.BadRow{Line: 1, Faults: p.Errors}))
}

// shownBad is how many bad rows are named on the terminal.
const shownBad = 50

// badRows names the bad rows of a file: the first on the terminal, and all in
// a list, if there is one.
type badRows struct {
	file, list string
	stderr     io.Writer
	all        io.Writer // nil: none
	n          int
}

func (b *badRows) name(row *api.BadRow) error {
	if b.n++; b.n <= shownBad {
		_, _ = fmt.Fprintln(b.stderr, badRow(b.file, row))
	}
	if b.all == nil {
		return nil
	}
	_, err := fmt.Fprintln(b.all, badRow(b.file, row))
	return err
}

// end counts those that were not shown.
func (b *badRows) end() {
	if b.n <= shownBad {
		return
	}
	where := "--errors FILE lists all"
	if b.all != nil {
		where = "all are in " + b.list
	}
	_, _ = fmt.Fprintf(b.stderr, "… and %d more; %s\n", b.n-shownBad, where)
}

// badRow has a line for each fault of a row.
func badRow(file string, b *api.BadRow) string {
	var lines []string
	for _, f := range b.Faults {
		line := fmt.Sprintf("%s:%d: ", file, b.Line)
		if f.Field != "" {
			line += f.Field + ": "
		}
		if line += f.Rule; b.Duplicate {
			line += "; the earlier line stands"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// importBar draws how far a file has been read, on a terminal only.
type importBar struct {
	out      io.Writer
	size     int64 // 0: unknown
	terminal bool
	drawn    bool
}

func (b *importBar) show(p *api.ImportProgress) {
	if !b.terminal {
		return
	}
	b.drawn = true
	if b.size <= 0 {
		_, _ = fmt.Fprintf(b.out, "\r\x1b[K%d rows", p.Rows)
		return
	}
	const width = 30
	share := min(float64(p.Bytes)/float64(b.size), 1)
	full := int(share * width)
	_, _ = fmt.Fprintf(b.out, "\r\x1b[K[%s%s] %3.0f %%  %d rows", strings.Repeat("#", full), strings.Repeat(".", width-full), share*100, p.Rows)
}

func (b *importBar) clear() {
	if b.drawn {
		_, _ = fmt.Fprint(b.out, "\r\x1b[K")
		b.drawn = false
	}
}
