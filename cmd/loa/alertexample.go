package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loa/gateway/alert"
	"loa/gateway/web/api"
)

func newAlertExampleCommand(f *alertFlags) *cobra.Command {
	var status, act string
	cmd := &cobra.Command{
		Use:   "example [--status Actual|Exercise|Test] | example --act correct|update|all-clear ID",
		Short: "Print a warning to start from",
		Long: `Prints a draft that a drill takes as it is: a real storm warning, the same as an
exercise, or a test, which names no danger and so has a text of its own.
Exercises and tests reach the roster only ("loa subscribers import", column
roster), and say of themselves on every channel that nothing is real.

With --act it prints a file for an act on an alert that was sent, in the alert's
languages and for its communes. That act takes it as it is, but for what the
alert does not tell, such as the hazard of one in its author's own words: that is
left empty and must be filled in.`,
		Example: "  loa alert example > storm.yaml\n  loa alert example --status Test | loa alert draft -\n  loa alert example --act correct ID | loa alert correct ID - --dry-run",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkExample(act, args); err != nil {
				return err
			}
			if act != "" {
				return f.call(cmd, request{method: http.MethodGet, path: alertPath(args[0])}, func(_ *client, a *api.Alert) error {
					text, err := exampleOfAct(act, a, time.Now())
					if err == nil {
						_, err = fmt.Fprint(cmd.OutOrStdout(), text)
					}
					return err
				})
			}
			text, err := exampleOf(alert.Status(status), time.Now())
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
	cmd.Flags().StringVar(&act, "act", "", "correct, update or all-clear")
	cmd.Flags().StringVar(&status, "status", string(alert.Actual), "Actual, Exercise or Test")
	return cmd
}

// exampleOf is the example of a status, beginning now and ending in six hours.
func exampleOf(status alert.Status, now time.Time) (string, error) {
	body, signed := exampleStorm, "Extreme and Severe need another person's signature"
	switch status {
	case alert.Actual:
	case alert.Exercise:
		signed = "as the real one would be; an exercise needs no second signature"
	case alert.Test:
		body = exampleTest
	default:
		return "", fmt.Errorf("--status %s: one of Actual, Exercise, Test", status)
	}
	now = local(now)
	return strings.NewReplacer(
		"STATUS", fmt.Sprintf("%-15s", status), "SIGNED", signed,
		"BEGIN", now.Format(time.RFC3339), "END", now.Add(exampleLife).Format(time.RFC3339),
	).Replace(exampleHead + body), nil
}

// exampleLife is how long after now an example ends.
const exampleLife = 6 * time.Hour

// local is a minute as the examples write it.
func local(t time.Time) time.Time {
	return t.In(time.FixedZone("+07:00", 7*60*60)).Truncate(time.Minute)
}

// exampleHead begins every example. Words in capitals are replaced.
const exampleHead = `# A draft as "loa alert draft" takes it. Lists and names are those of CAP 1.2.
status: STATUS # Actual, Exercise or Test; the last two reach the roster only
source: Trung tâm Dự báo khí tượng thủy văn quốc gia
# kinds: [sms, app]     # without it every configured channel is used
infos:
  - language: vi-VN     # one block for each language; Vietnamese is required
`

const exampleStorm = `    template: storm.on_land
    slots:              # "loa templates slots storm.on_land" lists them; text, in quotes
      until: "END"
      storm_no: "3"
      storm_name: Yagi
      level: "4"        # disaster risk level, as the weather service gave it
      wind: "12-13"
      wind_kmh: "118-149"
      gust: "16"
      place: Bãi Cháy
      distance: "15"
    categories: [Met]
    event: Bão số 3
    responseTypes: [Shelter]
    urgency: Immediate
    severity: Extreme   # SIGNED
    certainty: Observed
    onset: "BEGIN"
    expires: "END"
    parameters:
      - {name: VN-risk-level, value: "4"}
    areas:
      - codes: ["22"]   # a province with all its communes, or single communes
        # polygons: [[[20.90, 106.95], [20.90, 107.20], [21.00, 107.20], [20.90, 106.95]]]  # or shapes: [latitude, longitude]
        # circles: [{center: [20.95, 107.05], radius: 12}]  # kilometres; see "loa alert draft --help"
`

const exampleTest = `    template: any.test  # a test names no danger; "loa templates slots any.test"
    slots:
      duty_phone: "0203 000 0000" # where whoever is not on the test list reports
    categories: [Other]
    event: Thử nghiệm hệ thống cảnh báo
    responseTypes: [None]
    urgency: Unknown
    severity: Unknown
    certainty: Unknown
    expires: "END"
    areas:
      - codes: ["22"]   # a province with all its communes, or single communes
`
