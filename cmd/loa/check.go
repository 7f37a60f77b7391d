package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"loa/gateway"
)

func newCheckCommand() *cobra.Command {
	var path string
	var online bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration without starting anything",
		Long: `Reads a configuration as "loa serve" does, tries its data folder, key and address,
opens every channel without calling its provider, and names every fault by file,
line, column and rule. It keeps nothing and may be run beside a gateway. The exit
code is 1 when there is a fault; a note (a gateway that runs, an address in use, a
key that others may read in a drill) is for you to judge.

With --online it also asks Redis, PostgreSQL and those providers that can prove
their credentials without sending. Nothing is ever sent to anybody.`,
		Example: `  loa check --config configs/loa.yaml
  loa check --config /etc/loa/loa.yaml --online`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(path)
			found := gateway.Findings{Faults: []error{err}}
			if err == nil {
				found = gateway.Examine(cmd.Context(), gatewayOptions(cfg), online)
			}
			for _, n := range found.Notes {
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "note:", n)
			}
			for _, f := range found.Faults {
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), f)
			}
			if len(found.Faults) > 0 {
				return errSilent
			}
			if path == "" {
				path = "embedded defaults"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%s, %d channels)\n", path, cfg.Deployment, len(cfg.Channels))
			return err
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&online, "online", false, "ask Redis, PostgreSQL and the providers too")
	return cmd
}
