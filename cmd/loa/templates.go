package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"loa/channels/sms"
	"loa/gateway/render"
	"loa/templates"
)

func newTemplatesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "templates",
		Short: "Work with the texts of the catalogue",
	}
	var path string
	configFlag(cmd, &path)
	cmd.AddCommand(newTemplatesExportCommand(&path), newTemplatesSlotsCommand(&path))
	return cmd
}

func newTemplatesExportCommand(path *string) *cobra.Command {
	var format, provider, sender string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the list of SMS texts that a carrier is to register",
		Long: `Carriers in Vietnam accept an SMS only from a registered sender and in a
registered text. This writes every SMS text of the catalogue as it is to be
registered for one sender, as a real warning and as the exercise or test that it
may be: fixed words, slots with their types and longest values, an example at
its longest and how many parts that takes. The slots are those of the SMS alone;
"loa templates slots TEMPLATE" lists all that an author gives, for every channel.

What the carrier has registered goes back into the configuration: under
sms.registered, or as the JSON file that sms.registered_in names.`,
		Example: `  loa templates export --config configs/loa.yaml > registered.json
  loa templates export --provider twilio --sender QuangNinh --format csv > for-the-carrier.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd.Context(), *path, func(c *client) error {
				q := url.Values{"format": {format}, "provider": {provider}, "sender": {sender}}
				body, err := c.start(cmd.Context(), request{method: http.MethodGet, path: "/templates/registration", query: q})
				if refused, ok := errors.AsType[*problem](err); ok && refused.about("sender") {
					return fmt.Errorf("%w\n  give both --provider and --sender, such as --provider twilio --sender QuangNinh", err)
				}
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

func newTemplatesSlotsCommand(path *string) *cobra.Command {
	var lang string
	cmd := &cobra.Command{
		Use:   "slots [TEMPLATE]",
		Short: "List the templates, or what the author of one gives",
		Long: `Without a template: every template with its hazard. With one: the slots that a
draft gives for it, over all channels, with the type, the most characters and, of
a fixed list, the values. What an "optional" slot says is taken from the info when
the draft does not give it (from: onset, until: expires, wind_kmh: wind). A
correction, an update and an all-clear may leave out which message they are about
(old_code, old_at). A slot may have a wording of its own for the SMS without marks: right.ascii beside right.
The agency, the time of issue, the code and the places are filled in by Loa.`,
		Example: "  loa templates slots\n  loa templates slots storm.on_land",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(*path)
			if err != nil {
				return err
			}
			a := cfg.Agency
			r, err := render.New(templates.FS, render.Options{Parts: sms.Parts, Now: time.Now, Agency: render.Agency{
				Short: a.Short, ShortUnmarked: a.Plain, ShortEN: a.ShortEN, Long: a.Name, LongEN: a.NameEN,
			}})
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return showTemplates(cmd.OutOrStdout(), r)
			}
			return showSlots(cmd.OutOrStdout(), r, args[0], lang)
		},
	}
	cmd.Flags().StringVar(&lang, "language", "vi", "vi or en")
	return cmd
}

func showTemplates(out io.Writer, r *render.Renderer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, name := range r.Templates() {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", name, r.Hazard(name))
	}
	return w.Flush()
}

func showSlots(out io.Writer, r *render.Renderer, template, lang string) error {
	if !slices.Contains(r.Templates(), template) {
		return fmt.Errorf("%q: no such template; \"loa templates slots\" lists them", template)
	}
	if lang != "vi" && lang != "en" {
		return fmt.Errorf("--language %s: vi or en", lang)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range r.Slots(template, lang) {
		kind, room, optional := s.Type, fmt.Sprintf("at most %d characters", s.Longest), ""
		if s.Type == "time" {
			room = "such as 2026-09-07T14:15:00+07:00"
		}
		if s.Max > 0 {
			kind = fmt.Sprintf("%s %d-%d", kind, s.Min, s.Max)
		}
		if s.Type != "time" && s.Unmarked > 0 && s.Unmarked < s.Longest {
			room += fmt.Sprintf(", %d without marks", s.Unmarked)
		}
		if s.Optional {
			optional = "optional"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, kind, room, optional, strings.Join(s.Values, " "))
	}
	return w.Flush()
}
