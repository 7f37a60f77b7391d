package main

import (
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"loa/gateway/web/api"
)

func newAccountCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "account",
		Short: "Let the first administrator in, and list people with their roles",
		Long: `People sign in in a browser with a passkey and hold roles, each for a territory.
The first administrator comes with a link from this machine; the others are
invited in the browser.`,
	}
	var path string
	configFlag(cmd, &path)
	cmd.AddCommand(newAccountLinkCommand(&path), newAccountListCommand(&path))
	return cmd
}

func newAccountLinkCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "link",
		Short: "Print a new link for the first administrator",
		Long: `Prints a link with which the first administrator enrols, good for 30 minutes and
once; the one before is void. When somebody has a passkey there is none any more:
administrators invite the others.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				var out api.FirstLink
				if err := c.call(cmd.Context(), request{method: http.MethodPost, path: "/owner/link"}, &out); err != nil {
					return err
				}
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "Good once, until %s:\n", out.Expires.Format(time.TimeOnly))
				_, err := fmt.Fprintln(cmd.OutOrStdout(), out.Link)
				return err
			})
		},
	}
}

func newAccountListCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List people and the roles that are in force",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				var out struct{ People []api.Member }
				if err := c.call(cmd.Context(), request{method: http.MethodGet, path: "/owner/people"}, &out); err != nil {
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, m := range out.People {
					roles := "no role"
					if !m.RevokedAt.IsZero() {
						roles = "revoked " + m.RevokedAt.Format(time.DateTime)
					} else if len(m.Roles) > 0 {
						var all []string
						for _, r := range m.Roles {
							all = append(all, fmt.Sprintf("%s (%s)", r.Role, r.Territory))
						}
						roles = strings.Join(all, ", ")
					}
					_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", m.ID, m.Name, roles)
				}
				return w.Flush()
			})
		},
	}
}
