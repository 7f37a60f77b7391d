package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"loa/gateway/alert"
	"loa/gateway/web/api"
)

// exampleOfAct is a file for one of the acts on an alert, that can be used as it
// is printed: in the alert's languages, for its communes.
func exampleOfAct(act string, a *api.Alert, now time.Time) (string, error) {
	switch {
	case act != "correct" && act != "update" && act != "all-clear":
		return "", fmt.Errorf("--act %s: one of correct, update, all-clear; a stop has no file", act)
	case a.Draft == nil || !a.State.Issued():
		return "", fmt.Errorf("%s is %s: it was never approved, and there is nothing to %s", a.ID, a.State, act)
	}
	now = now.In(time.FixedZone("+07:00", 7*60*60)).Truncate(time.Minute)
	var b strings.Builder
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	p("# For \"loa alert %s %s FILE\". Which message it is about (%s), its hazard and\n# when it was issued Loa writes itself.", act, a.ID, a.Code)
	if act == "correct" {
		correctExample(p, a)
		return b.String(), nil
	}
	p("infos:")
	for i := range a.Draft.Infos {
		followExample(p, act, &a.Draft.Infos[i], now)
	}
	return b.String(), nil
}

// safe are the texts that say that there is no danger.
var safe = []string{"any.all_clear", "any.correction_false", "tsunami.cancel", "storm.final"}

func correctExample(p func(string, ...any), a *api.Alert) {
	template, why := "any.correction_false", "it should not have been sent; a detail was wrong: any.correction_detail with slots right and wrong, which another person signs too"
	reason := "phát nhầm"
	for i := range a.Draft.Infos {
		in := &a.Draft.Infos[i]
		if slices.Contains(safe, in.Template) || slices.Contains(in.ResponseTypes, alert.ResponseType("AllClear")) {
			template, why, reason = "any.correction_all_clear", "people were told too early that there is no danger", "báo hết nguy hiểm nhầm"
		}
	}
	p("# It is sent at once, to whoever may have got the alert: one person is enough.")
	p("reason: %s   # for the audit; people do not read it", reason)
	p("infos:")
	for i, lang := range languagesOf(a) {
		p("  - language: %s", lang)
		if i == 0 {
			p("    template: %s   # %s", template, why)
		} else {
			p("    template: %s", template)
		}
	}
}

func languagesOf(a *api.Alert) []string {
	var all []string
	for i := range a.Draft.Infos {
		if lang := a.Draft.Infos[i].Language; !slices.Contains(all, lang) {
			all = append(all, lang)
		}
	}
	return all
}

// followExample is one info of an update or an all-clear.
func followExample(p func(string, ...any), act string, in *api.Info, now time.Time) {
	stamp := func(t time.Time) string { return t.Format(time.RFC3339) }
	english := strings.HasPrefix(in.Language, "en")
	end := stamp(now.Add(6 * time.Hour))
	p("  - language: %s", in.Language)
	response, urgency, severity, certainty := quoted(in.ResponseTypes), in.Urgency, in.Severity, in.Certainty
	switch {
	case act == "all-clear":
		template := "any.all_clear"
		if strings.HasPrefix(in.Template, "tsunami.") {
			template = "tsunami.cancel"
		}
		response, urgency, severity, certainty = "AllClear", "Past", alert.Minor, "Observed"
		p("    template: %s", template)
		p("    slots: {from: %q}   # since when there is no danger", stamp(now))
	case english:
		p("    template: any.update\n    slots: {change: lasts 6 hours longer, action: stay_indoors}   # \"loa templates slots any.update\" lists the actions")
	default:
		p("    template: any.update\n    slots: {change: kéo dài thêm 6 giờ, action: stay_indoors}   # \"loa templates slots any.update\" lists the actions")
	}
	p("    categories: [%s]", quoted(in.Categories))
	p("    event: %q", in.Event)
	if response != "" {
		p("    responseTypes: [%s]", response)
	}
	p("    urgency: %s\n    severity: %s\n    certainty: %s\n    expires: %q", urgency, severity, certainty, end)
	for _, v := range in.Parameters {
		if v.Name == alert.RiskLevelName && act == "update" {
			p("    parameters:\n      - {name: %s, value: %q}", v.Name, v.Value)
		}
	}
	p("    areas:")
	for _, a := range in.Areas {
		p("      - codes: [%s]", quoted(a.Codes))
	}
}

// quoted is a YAML list of words: codes keep their leading zeros.
func quoted[T ~string](words []T) string {
	var all []string
	for _, w := range words {
		if strings.Trim(string(w), "0123456789") == "" {
			all = append(all, fmt.Sprintf("%q", string(w)))
		} else {
			all = append(all, string(w))
		}
	}
	return strings.Join(all, ", ")
}

var errExampleID = errors.New("--act needs the ID of the alert that it is about: loa alert example --act correct ID")
