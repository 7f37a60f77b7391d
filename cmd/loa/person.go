package main

import (
	"context"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"loa/gateway/area"
	"loa/gateway/web/api"
)

func newPersonCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "person",
		Short: "Add, list and revoke the people who may act on alerts",
		Long: `A person has a name, a territory and a token. The token proves them in every act
on an alert; it is shown once, when they are added, and only its hash is kept.
They may act where every commune of the alert lies in their territory.`,
	}
	var path string
	configFlag(cmd, &path)
	cmd.AddCommand(newPersonAddCommand(&path), newPersonListCommand(&path), newPersonRevokeCommand(&path))
	return cmd
}

// with opens a client for the time of f.
func with(ctx context.Context, path string, f func(*client) error) error {
	c, err := dial(ctx, path)
	if err != nil {
		return err
	}
	err = f(c)
	if closed := c.close(); err == nil {
		err = closed
	}
	return err
}

func newPersonAddCommand(path *string) *cobra.Command {
	var territory string
	cmd := &cobra.Command{
		Use:   "add NAME --territory CODE",
		Short: "Add a person and print their token, this once",
		Long: `Adds a person. The token goes to the standard output, alone in its line, and the
rest to the standard error; keep the token where only that person can read it.
"loa areas find" tells the code of a province or a commune; VN is the nation.`,
		Example: `  loa person add "Nguyễn Thị Soạn" --territory 22 > soan.token
  loa person add "Trần Văn Duyệt" --territory VN`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				var m api.Member
				in := api.NewMember{Name: args[0], Territory: area.Code(territory)}
				if err := c.call(cmd.Context(), request{method: http.MethodPost, path: "/owner/people", body: jsonBody(in)}, &m); err != nil {
					return err
				}
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s, territory %s. Their token, shown only now:\n", m.ID, m.Name, m.Territory)
				_, err := fmt.Fprintln(cmd.OutOrStdout(), m.Token)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&territory, "territory", "", "`code` of the province or commune they answer for, or VN")
	_ = cmd.MarkFlagRequired("territory")
	return cmd
}

func newPersonListCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List everybody, revoked people too",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				var out struct{ People []api.Member }
				if err := c.call(cmd.Context(), request{method: http.MethodGet, path: "/owner/people"}, &out); err != nil {
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, m := range out.People {
					state := "since " + m.CreatedAt.Format(time.DateTime)
					if !m.RevokedAt.IsZero() {
						state = "revoked " + m.RevokedAt.Format(time.DateTime)
					}
					_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.ID, m.Territory, m.Name, state)
				}
				return w.Flush()
			})
		},
	}
}

func newPersonRevokeCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a person's token for good",
		Example: `  loa person revoke p_3f9a0c1d2e4b5a69`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				if err := c.call(cmd.Context(), request{method: http.MethodDelete, path: "/owner/people/" + args[0]}, nil); err != nil {
					return err
				}
				_, err := fmt.Fprintln(cmd.OutOrStdout(), args[0], "is revoked")
				return err
			})
		},
	}
}
