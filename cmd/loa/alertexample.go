package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loa/gateway/alert"
)

func newAlertExampleCommand() *cobra.Command {
	var status string
	cmd := &cobra.Command{
		Use:   "example [--status Actual|Exercise|Test]",
		Short: "Print a warning to start from",
		Long: `Prints a draft that a drill takes as it is: a real storm warning, the same as an
exercise, or a test, which names no danger and so has a text of its own.
Exercises and tests reach the roster only ("loa subscribers import", column
roster), and say of themselves on every channel that nothing is real.`,
		Example: "  loa alert example > storm.yaml\n  loa alert example --status Test | loa alert draft -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := exampleOf(alert.Status(status), time.Now())
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
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
	now = now.In(time.FixedZone("+07:00", 7*60*60)).Truncate(time.Minute)
	return strings.NewReplacer(
		"STATUS", fmt.Sprintf("%-15s", status), "SIGNED", signed,
		"BEGIN", now.Format(time.RFC3339), "END", now.Add(6*time.Hour).Format(time.RFC3339),
	).Replace(exampleHead + body), nil
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
`

// exampleCorrection is that of the help of "loa alert correct".
const exampleCorrection = `  reason: phát nhầm trong buổi diễn tập
  infos:
    - language: vi-VN
      template: any.correction_false   # any.correction_detail: a detail was wrong
      slots: {hazard: "storm:3"}       # "loa templates slots" lists them
      categories: [Met]
      event: Đính chính tin bão số 3
      responseTypes: [None]
      urgency: Immediate
      severity: Minor
      certainty: Observed`

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
