package main

import (
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func newTemplatesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "templates",
		Short: "Work with the texts of the catalogue",
	}
	var path string
	configFlag(cmd, &path)
	cmd.AddCommand(newTemplatesExportCommand(&path))
	return cmd
}

func newTemplatesExportCommand(path *string) *cobra.Command {
	var format, provider, sender string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the list of SMS texts that a carrier is to register",
		Long: `Carriers in Vietnam accept an SMS only from a registered sender and in a
registered text. This writes every SMS text of the catalogue as it is to be
registered for one sender: fixed words, slots with their types and longest
values, an example at its longest and how many parts that takes.

What the carrier has registered goes back into the configuration: under
sms.registered, or as the JSON file that sms.registered_in names.`,
		Example: `  loa templates export --config configs/loa.yaml > registered.json
  loa templates export --provider twilio --sender QuangNinh --format csv > for-the-carrier.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				q := url.Values{"format": {format}, "provider": {provider}, "sender": {sender}}
				body, err := c.start(cmd.Context(), request{method: http.MethodGet, path: "/templates/registration", query: q})
				if err != nil {
					return err
				}
				defer func() { _ = body.Close() }()
				_, err = io.Copy(cmd.OutOrStdout(), body)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "json", "json or csv")
	cmd.Flags().StringVar(&provider, "provider", "", "`name` of the provider, as in the configuration (default: the configured one)")
	cmd.Flags().StringVar(&sender, "sender", "", "registered sender `name` (default: the configured one)")
	return cmd
}
