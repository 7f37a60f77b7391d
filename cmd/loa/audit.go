package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"loa/gateway"
	"loa/gateway/audit"
)

// maxNote bounds a file with a checkpoint or a key, in bytes.
const maxNote = 64 << 10

func newAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List the record of who did what, and find what was changed in it",
		Long: `Every act is recorded in the transaction that does it, and every record holds the
hash of the one before it. "verify" finds what was edited, deleted or reordered.

Somebody who owns the machine could rewrite the whole record and seal it anew. To
find that too, keep elsewhere, once, what "audit key" prints, and regularly what
"audit checkpoint" prints, and give them to "audit verify".`,
	}
	var path string
	configFlag(cmd, &path)
	cmd.AddCommand(newAuditListCommand(&path), newAuditCheckpointCommand(&path), newAuditKeyCommand(&path), newAuditVerifyCommand(&path))
	return cmd
}

func newAuditListCommand(path *string) *cobra.Command {
	var asJSON bool
	var after int64
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the record; that it was read is recorded",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			show := func(r gateway.RecordLine) error {
				_, err := fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", r.Seq, r.At.Format(time.DateTime), r.Actor, r.Act, r.Object, r.Detail)
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				show = func(r gateway.RecordLine) error { return enc.Encode(r) }
			}
			err := with(cmd.Context(), *path, func(c *client) error {
				last := int64(-1)
				for last < 0 || after < last {
					var p gateway.RecordPage
					q := url.Values{"after": {strconv.FormatInt(after, 10)}}
					if err := c.call(cmd.Context(), request{method: http.MethodGet, path: "/audit", query: q}, &p); err != nil {
						return err
					}
					if last < 0 {
						last = p.Last // this list's own reading is recorded after it
					}
					for _, r := range p.Records {
						if after = r.Seq; after > last {
							break
						}
						if err := show(r); err != nil {
							return err
						}
					}
					if len(p.Records) == 0 {
						break
					}
				}
				return nil
			})
			return errors.Join(err, t.Flush())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON, one record a line")
	cmd.Flags().Int64Var(&after, "after", 0, "only records after this `number`")
	return cmd
}

func newAuditCheckpointCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "checkpoint",
		Short: "Print how far the record has come, signed",
		Long: `Prints how many records there are, the hash of the last and the time, signed with
a key that is derived from the master key (a signed note, as transparency logs
have them). Keep it where who owns this machine cannot change it.`,
		Example: `  loa audit checkpoint | mail -s "Loa checkpoint" thanh-tra@example.vn`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				var s gateway.SignedCheckpoint
				if err := c.call(cmd.Context(), request{method: http.MethodGet, path: "/audit/checkpoint"}, &s); err != nil {
					return err
				}
				_, err := io.WriteString(cmd.OutOrStdout(), s.Checkpoint)
				return err
			})
		},
	}
}

func newAuditKeyCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Print the public key that checkpoints are verified with",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				var k gateway.RecordKey
				if err := c.call(cmd.Context(), request{method: http.MethodGet, path: "/audit/key"}, &k); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), k.Verifier)
				return err
			})
		},
	}
}

func newAuditVerifyCommand(path *string) *cobra.Command {
	var asJSON bool
	var checkpoints, keys []string
	var file string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Find the first record that was edited, deleted, reordered or added",
		Long: `Walks the whole record, and says which is the first that does not fit and what was
done to it as far as can be told. With checkpoints that were kept elsewhere it
also finds a record that was rewritten or cut off and sealed anew as a whole. It
fails if anything does not fit.`,
		Example: `  loa audit verify --checkpoint /media/usb/2026-09-07.note --key /media/usb/loa.key
  loa audit verify --file /backup/loa-2026-09-07.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var in gateway.VerifyRecord
			var err error
			if in.Checkpoints, err = readNotes(checkpoints); err != nil {
				return err
			}
			if in.Keys, err = readNotes(keys); err != nil {
				return err
			}
			var report audit.Report
			if file != "" {
				cfg, err := loadConfig(*path)
				if err != nil {
					return err
				}
				report, err = gateway.VerifyFile(cmd.Context(), cfg, file, in)
				if err != nil {
					return err
				}
			} else if err := with(cmd.Context(), *path, func(c *client) error {
				return c.call(cmd.Context(), request{method: http.MethodPost, path: "/audit/verify", body: jsonBody(in)}, &report)
			}); err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				err = enc.Encode(report)
			} else {
				err = tellRecord(cmd.OutOrStdout(), report)
			}
			if err == nil && !report.Good() {
				err = fmt.Errorf("the record is not what it was: %s", worst(report))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cmd.Flags().StringArrayVar(&checkpoints, "checkpoint", nil, "`file` with a checkpoint that was kept elsewhere; may be given several times")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "`file` with a key that was kept elsewhere; may be given several times")
	cmd.Flags().StringVar(&file, "file", "", "verify this backup, or ledger that no process has open, instead")
	return cmd
}

// worst is the first thing that does not fit.
func worst(r audit.Report) string {
	if r.Fault != nil {
		return r.Fault.Text
	}
	i := slices.IndexFunc(r.Checkpoints, func(k audit.Kept) bool { return !k.Good })
	return r.Checkpoints[i].Text
}

func readNotes(files []string) ([]string, error) {
	var texts []string
	for _, name := range files {
		f, err := os.Open(name) // #nosec G304 -- the user names it
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(io.LimitReader(f, maxNote+1))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		if len(b) > maxNote {
			return nil, fmt.Errorf("%s: it is too long for a checkpoint or a key", name)
		}
		texts = append(texts, string(b))
	}
	return texts, nil
}

func tellRecord(w io.Writer, r audit.Report) error {
	switch {
	case r.Records == 0 && r.Fault == nil:
		_, _ = fmt.Fprintf(w, "%s: the record is empty.\n", r.Origin)
	case r.Fault == nil:
		_, _ = fmt.Fprintf(w, "%s: records 1 to %d, the last of %s; each follows the one before it.\n", r.Origin, r.Last, r.LastAt.Local().Format(time.DateTime))
	default:
		_, _ = fmt.Fprintf(w, "%s: %s\n", r.Origin, r.Fault.Text)
		if r.Fault.Act != "" {
			_, _ = fmt.Fprintf(w, "What stands there now: %s\n", r.Fault.Act)
		}
	}
	if r.More > 0 {
		_, _ = fmt.Fprintf(w, "%d more after it do not fit either.\n", r.More)
	}
	for _, k := range r.Checkpoints {
		_, _ = fmt.Fprintln(w, k.Text)
	}
	var err error
	if len(r.Checkpoints) == 0 {
		_, err = fmt.Fprintln(w, "No checkpoint was given: a record that was rewritten, or cut off at its end, and sealed anew as a whole cannot be told from one that was not.")
	}
	return err
}
