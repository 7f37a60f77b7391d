package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"loa/gateway"
)

func newKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Change the master key",
	}
	var path string
	configFlag(cmd, &path)
	cmd.AddCommand(newKeysRotateCommand(&path))
	return cmd
}

func newKeysRotateCommand(path *string) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "rotate --new FILE",
		Short: "Seal every address anew with another master key",
		Long: `Seals every address anew with the key in FILE, which is made if it is not there.
No gateway may run on the ledger meanwhile, on no node: while one does, or another
command, it is refused. It can be interrupted at any moment and is then run again
in the same way; until it has ended no gateway starts. The configured key must be
the old one until then.

Afterwards put the new key in the place of the old one (keys.master_file), on
every node. A key that was made in the data folder is replaced by itself, and the
old one stays beside it as master.key.ID. Reports of providers about messages sent
before are understood for 30 days. Backups from before still need the old key:
keep it as long as them.`,
		Example: `  loa keys rotate --new /etc/loa/master.new --config /etc/loa/loa.yaml
  mv /etc/loa/master.key /etc/loa/master.key.old
  mv /etc/loa/master.new /etc/loa/master.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(*path)
			if err != nil {
				return err
			}
			if file, err = filepath.Abs(file); err != nil {
				return err
			}
			key, err := gateway.NewKey(file)
			if err != nil {
				return err
			}
			r, err := gateway.RotateKeys(cmd.Context(), cfg, key)
			if errors.Is(err, gateway.ErrRunning) {
				return fmt.Errorf("%w: stop it first", err)
			}
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			_, _ = fmt.Fprintf(w, "%d addresses were sealed anew.\n", r.Resealed)
			if r.Unreadable > 0 {
				_, _ = fmt.Fprintf(w, "%d addresses cannot be opened with either key and stay as they are.\n", r.Unreadable)
			}
			if r.FileDone {
				_, _ = fmt.Fprintln(w, "The data folder has the new key.")
			} else {
				_, _ = fmt.Fprintf(w, "Now put the key in %s in the place of keys.master, on every node; no gateway starts with the old one.\n", file)
			}
			switch {
			case r.Kept != "":
				_, err = fmt.Fprintf(w, "The old key (%s) is kept in %s: backups from before open with it alone.\n", r.Old, r.Kept)
			case r.Old != "":
				_, err = fmt.Fprintf(w, "Keep the old key (%s) elsewhere: backups from before open with it alone.\n", r.Old)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&file, "new", "", "`file` with the new key: 32 random bytes in base64")
	_ = cmd.MarkFlagRequired("new")
	return cmd
}
