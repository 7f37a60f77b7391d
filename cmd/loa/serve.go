package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"loa/gateway"
)

func newServeCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a gateway until it is told to stop",
		Long: `Runs a gateway until Ctrl-C or SIGTERM; it then stops sending, waits for open
calls, commits what came back and ends within five seconds.

Without --config it runs on embedded defaults, as a drill that reaches nobody:
data in ./data, http://127.0.0.1:8080, the app channel only. With a
configuration it is strict: a key that is unknown, a weak secret or a provider
that reaches people in a drill is an error that names the line.

As long as nobody has a passkey it prints a link, good for 30 minutes and once,
with which the first administrator enrols in a browser ("loa account link" prints
a new one).

While it runs, the other commands of the same data folder speak to it over the
socket data/loa.sock; when it does not, they work on the folder themselves.`,
		Example: `  loa serve
  loa check --config configs/loa.yaml && loa serve --config configs/loa.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			opt := gatewayOptions(cfg)
			opt.Log = gateway.NewLog(cmd.ErrOrStderr(), cfg.Log)
			if opt.Observer, err = observed(); err != nil {
				return err
			}
			g, err := gateway.New(cmd.Context(), opt)
			if err != nil {
				return err
			}
			go func() {
				select {
				case <-g.Started():
					_, _ = fmt.Fprintf(cmd.OutOrStdout(), "Loa serves %s (%s), data in %s; stop with Ctrl-C\n", cfg.Public, cfg.Deployment, cfg.Data)
					welcome(cmd, g)
				case <-cmd.Context().Done():
				}
			}()
			return errors.Join(g.Run(cmd.Context()), g.Close())
		},
	}
	configFlag(cmd, &path)
	return cmd
}

// welcome prints the link of the first administrator while there is none. That
// it cannot be made holds up no alert.
func welcome(cmd *cobra.Command, g *gateway.Gateway) {
	link, err := g.FirstLink(cmd.Context())
	switch {
	case err != nil:
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "loa: the first administrator's link:", err)
	case link != "":
		_, _ = fmt.Fprintf(cmd.OutOrStdout(), "Nobody has a passkey yet. The first administrator enrols here, once, within 30 minutes:\n  %s\n", link)
	}
}
