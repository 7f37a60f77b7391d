package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"loa/gateway"
)

func newBackupCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the ledger while it is used",
		Long: `Copies the ledger to FILE, which must not be there yet, and writes FILE.json
beside it: generation, schema, key id and checksum. It may be done while "loa
serve" runs, which then makes the copy. Addresses stay sealed in it: without
keys.master (or data/master.key) nobody in it can be reached, so keep that key
too, elsewhere.

A backup starts on hold wherever it is put: it does not know what was sent after
it was made. A ledger in PostgreSQL is backed up with pg_dump and restored with
pg_restore, and what is restored from a dump starts on hold too.`,
		Example: `  loa backup /backup/loa-$(date +%F).db --config /etc/loa/loa.yaml`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return with(cmd.Context(), path, func(c *client) error {
				var m gateway.Manifest
				in := struct {
					File string `json:"file"`
				}{file}
				if err := c.call(cmd.Context(), request{method: http.MethodPost, path: "/backup", body: jsonBody(in)}, &m); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: generation %d, %d bytes, sealed with key %s\n", file, m.Generation, m.Size, m.Key)
				return err
			})
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func newRestoreCommand() *cobra.Command {
	var path string
	var check bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Check a backup, and put it into a data folder that has no ledger",
		Long: `Checks a backup against its manifest, every page of it, its schema and the
configured key, and says what Redis and the witness file know of its ledger.
Without --check it is then copied into the data folder, which must hold no
ledger and be used by no "loa serve". It starts on hold: see "loa hold".`,
		Example: `  loa restore --check /backup/loa-2026-09-07.db
  mkdir aside && mv data/loa.db* aside/
  loa restore /backup/loa-2026-09-07.db && loa serve`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			if check {
				r, err := gateway.CheckBackup(cmd.Context(), cfg, args[0])
				if err != nil {
					return err
				}
				return tellBackup(cmd.OutOrStdout(), r, "It can be restored; a ledger that is restored from it starts on hold.")
			}
			r, err := gateway.Restore(cmd.Context(), cfg, args[0])
			if err != nil {
				return err
			}
			return tellBackup(cmd.OutOrStdout(), r, "It is restored. It starts on hold: loa serve, then loa hold status.")
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&check, "check", false, "change nothing")
	return cmd
}

func tellBackup(w io.Writer, r gateway.Restorable, last string) error {
	f := r.Facts
	_, _ = fmt.Fprintf(w, "taken %s, generation %d, schema %d, key %s: whole\n", r.Manifest.TakenAt.Local().Format(time.DateTime), f.Generation, f.Schema, f.Key)
	_, _ = fmt.Fprintf(w, "%d alerts, %d of them in force now; %d subscribers; %d people who may act; last act %s\n",
		f.Alerts, len(f.InForce), f.Endpoints, f.People, f.LastAudit.Local().Format(time.DateTime))
	for _, m := range r.Mirrors {
		_, _ = fmt.Fprintln(w, m)
	}
	_, err := fmt.Fprintln(w, last)
	return err
}
