package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"loa/configs"
	"loa/gateway/demo"
	"loa/templates"
)

func newDemoCommand() *cobra.Command {
	var o demo.Options
	var verbose bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play a storm warning over two provinces in one process",
		Long: `The demo makes subscribers over the communes of Quảng Ninh and Hải Phòng, has
two people sign the warning of storm Yagi of 7 September 2024, and sends it
through stand-ins that speak the providers' real protocols and reach nobody.
Afterwards it compares the ledger with what the stand-ins took. Nothing is kept.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			world, err := newWorld(cmd.Context(), o.Seed)
			if err != nil {
				return err
			}
			o.Out, o.Terminal = cmd.OutOrStdout(), isTerminal(cmd.OutOrStdout())
			o.Templates, o.Facts, o.World = templates.FS, configs.Areas, world
			if verbose {
				o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			}
			return demo.Run(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Once, "once", false, "end after the alert, with exit code 1 if the books do not agree")
	flags.BoolVar(&o.JSON, "json", false, "print the result as one JSON object in the last line")
	flags.IntVar(&o.Recipients, "recipients", 5000, "how many `people` to warn")
	flags.Uint64Var(&o.Seed, "seed", 7, "the same seed draws the same people")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "`address` of the live page")
	flags.BoolVar(&verbose, "verbose", false, "show the gateway's log")
	return cmd
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
