package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"loa/gateway"
	"loa/gateway/watch"
)

// maxHealth bounds what a gateway says of itself, in bytes.
const maxHealth = 1 << 20

func newDoctorCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with a gateway and what to do about it",
		Long: `Asks the gateway of the data folder how its parts are, over its socket; when none
is running, reads the configuration as "loa check --online" does and looks at the
folder and the ledger itself. For every part that is not well it says in one
sentence what is wrong and in one what to do.

The exit code is 1 when something is wrong; advice alone leaves it 0.`,
		Example: `  loa doctor
  loa doctor --config /etc/loa/loa.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parts, running := examine(cmd.Context(), path)
			if err := tellParts(cmd.OutOrStdout(), parts, running, asJSON); err != nil {
				return err
			}
			if slices.ContainsFunc(parts, func(x watch.Part) bool { return x.State == watch.Bad }) {
				return errSilent
			}
			return nil
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON: {\"running\", \"parts\": [{part, state, since, cause, text, remedy, vital}]}")
	return cmd
}

// examine asks the running gateway, or looks itself.
func examine(ctx context.Context, path string) (parts []watch.Part, running bool) {
	cfg, err := loadConfig(path)
	if err != nil {
		return []watch.Part{ill("configuration", err, "Correct the configuration; \"loa check\" tells when it is right.")}, false
	}
	socket := gateway.SocketPath(cfg.Data)
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return gateway.Diagnose(ctx, gatewayOptions(cfg)), false
	}
	_ = conn.Close()
	parts, err = askHealth(ctx, socket)
	if err != nil {
		return []watch.Part{ill("serve", err, "The gateway runs and does not answer: look at its log, and restart it.")}, true
	}
	return parts, true
}

func ill(part string, err error, remedy string) watch.Part {
	return watch.Part{Part: part, State: watch.Bad, Since: time.Now(), Text: err.Error() + ".", Remedy: remedy}
}

// askHealth asks a gateway over its socket.
func askHealth(ctx context.Context, socket string) ([]watch.Part, error) {
	d := net.Dialer{Timeout: 2 * time.Second}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	c := http.Client{Transport: transport, Timeout: 15 * time.Second}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://loa/health", http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("nobody answers on %s", socket)
	}
	defer func() { _ = res.Body.Close() }()
	var h gateway.Health
	if err := json.NewDecoder(io.LimitReader(res.Body, maxHealth)).Decode(&h); err != nil {
		return nil, fmt.Errorf("the answer on %s cannot be read (%s)", socket, res.Status)
	}
	return h.Parts, nil
}

// tellParts writes what is not well, the bad before the advice.
func tellParts(w io.Writer, parts []watch.Part, running, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Running bool         `json:"running"`
			Parts   []watch.Part `json:"parts"`
		}{running, parts})
	}
	well := 0
	for _, state := range []watch.State{watch.Bad, watch.Warn} {
		word := map[watch.State]string{watch.Bad: "WRONG ", watch.Warn: "ADVICE"}[state]
		for _, x := range parts {
			if x.State != state {
				continue
			}
			if _, err := fmt.Fprintf(w, "%s  %s (since %s)\n        %s\n        %s\n", word, x.Part, x.Since.Local().Format(time.DateTime), x.Text, x.Remedy); err != nil {
				return err
			}
		}
	}
	for _, x := range parts {
		if x.State == watch.OK {
			well++
		}
	}
	_, err := fmt.Fprintf(w, "%d of %d parts are well.\n", well, len(parts))
	return err
}
