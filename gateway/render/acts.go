package render

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"loa/gateway/alert"
)

// loadActs reads what each template may be used for. A template without a row
// is refused, and so is a row without a template: no text is usable by mistake.
func (c *catalogue) loadActs(fsys fs.FS) error {
	c.acts = map[string]alert.TextRule{}
	columns := []string{"template", "acts", "means", "corrects", "signatures", "status"}
	err := eachRow(fsys, "acts.csv", columns, func(row []string) error {
		if _, twice := c.acts[row[0]]; twice {
			return fmt.Errorf("template %s stands there twice", row[0])
		}
		if !slices.ContainsFunc(c.order, func(e *entry) bool { return e.template == row[0] }) {
			return fmt.Errorf("template %s is not in messages.csv", row[0])
		}
		rule, err := parseActs(row)
		if err != nil {
			return fmt.Errorf("template %s: %w", row[0], err)
		}
		c.acts[row[0]] = rule
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range c.order {
		if _, ok := c.acts[e.template]; !ok {
			return fmt.Errorf("templates: acts.csv: template %s has no row", e.template)
		}
	}
	return nil
}

func parseActs(row []string) (alert.TextRule, error) {
	rule := alert.TextRule{Means: alert.Meaning(row[2]), Corrects: alert.Meaning(row[3]), Two: row[4] == "2", Status: alert.Status(row[5])}
	for word := range strings.FieldsSeq(row[1]) {
		act := alert.TextAct(word)
		if !slices.Contains(alert.TextActs, act) {
			return rule, fmt.Errorf("act %q: one of %v", word, alert.TextActs)
		}
		rule.Acts = append(rule.Acts, act)
	}
	meanings := []alert.Meaning{alert.MeansDanger, alert.MeansSafe, alert.MeansNothing}
	switch {
	case !slices.Contains(meanings, rule.Means):
		return rule, fmt.Errorf("means %q: one of %v", row[2], meanings)
	case rule.Carries(alert.TextCorrect) != slices.Contains(meanings[:2], rule.Corrects):
		return rule, fmt.Errorf("corrects %q: danger or safe for a correction, nothing for others", row[3])
	case row[4] != "" && row[4] != "2":
		return rule, fmt.Errorf("signatures %q: 2, or nothing where the severity decides", row[4])
	case !slices.Contains([]alert.Status{"", alert.Test, alert.Exercise}, rule.Status):
		return rule, fmt.Errorf("status %q: Test, Exercise or nothing", row[5])
	}
	return rule, nil
}

// Rules is what each template may be used for. The empty name stands for an
// author's own words: a new warning that two people sign.
func (r *Renderer) Rules() map[string]alert.TextRule {
	all := maps.Clone(r.catalogue.acts)
	all[""] = alert.TextRule{Acts: []alert.TextAct{alert.TextDraft}, Means: alert.MeansDanger, Two: true}
	return all
}
