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

// exampleOfAct is a file for one of the acts on an alert, in the alert's
// languages and for its communes. It can be used as it is printed, but for what
// the alert does not tell: that is left empty, which the act refuses.
func exampleOfAct(act string, a *api.Alert, now time.Time) (string, error) {
	switch {
	case act != "correct" && act != "update" && act != "all-clear":
		return "", fmt.Errorf("--act %s: one of correct, update, all-clear; a stop has no file", act)
	case a.Draft == nil || !a.State.Issued():
		return "", fmt.Errorf("%s is %s: it was never approved, and there is nothing to %s", a.ID, a.State, act)
	case a.Draft.Status == alert.Test:
		return "", fmt.Errorf("%s is a Test, which said of itself that nothing is real: no text can %s it; loa alert stop ends it", a.ID, act)
	}
	head := fmt.Sprintf("# For \"loa alert %s %s FILE\". Which message it is about (%s), its hazard and\n# when it was issued Loa writes itself.\n", act, a.ID, a.Code)
	if act == "correct" {
		return head + "# It is sent at once, to whoever may have got the alert: one person is enough.\n" + correctionOf(a), nil
	}
	var b strings.Builder
	for i := range a.Draft.Infos {
		followExample(&b, act, a, &a.Draft.Infos[i], local(now))
	}
	return head + "infos:\n" + b.String(), nil
}

// mistakenAllClear takes back what says that there is no danger.
const mistakenAllClear = "any.correction_all_clear"

func correctionOf(a *api.Alert) string {
	reason, why := "phát nhầm", "it should not have been sent; a detail was wrong: any.correction_detail with slots right and wrong, which another person signs too"
	if a.CorrectedBy == mistakenAllClear {
		reason, why = "báo hết nguy hiểm nhầm", "people were told too early that there is no danger"
	}
	var slots []string
	if unnamed(a) {
		slots = []string{noHazard}
	}
	return correctionFile(reason, a.CorrectedBy+"   # "+why, languagesOf(a), slots)
}

// correctionFile is a file for "loa alert correct".
func correctionFile(reason, template string, languages, slots []string) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "reason: %s   # for the audit; people do not read it\ninfos:\n", reason)
	for _, lang := range languages {
		_, _ = fmt.Fprintf(&b, "  - language: %s\n    template: %s\n", lang, template)
		template, _, _ = strings.Cut(template, " ") // its comment is said once
		writeSlots(&b, slots)
	}
	return b.String()
}

// noHazard is of an alert that does not tell which danger it is about.
const noHazard = `hazard: ""   # to be filled in: "loa templates slots any.update" lists the hazards`

func writeSlots(b *strings.Builder, slots []string) {
	if len(slots) > 0 {
		_, _ = fmt.Fprintf(b, "    slots:\n      %s\n", strings.Join(slots, "\n      "))
	}
}

// unnamed reports whether Loa cannot tell which danger an alert is about: no
// event code, text or slot of it says so.
func unnamed(a *api.Alert) bool {
	return !slices.ContainsFunc(a.Draft.Infos, func(in api.Info) bool {
		hazard := hazardOf(&in)
		return in.Slots["hazard"] != "" || hazard != "" && hazard != "any"
	})
}

func hazardOf(in *api.Info) string {
	of := alert.Info{Template: in.Template}
	for _, c := range in.EventCodes {
		of.EventCodes = append(of.EventCodes, alert.NamedValue(c))
	}
	return of.Hazard()
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

// actionOf is what people are told to do, as far as the alert says it without
// doubt; else its author chooses.
func actionOf(in *api.Info) string {
	tsunami := hazardOf(in) == "tsunami" || in.Slots["hazard"] == "tsunami"
	leave, shelter := slices.Contains(in.ResponseTypes, "Evacuate"), slices.Contains(in.ResponseTypes, "Shelter")
	switch {
	case leave && tsunami:
		return "high_ground"
	case shelter && !leave && !tsunami:
		return "stay_indoors"
	}
	return `""`
}

// changeOf says in an info's language what an update changes, as an example.
func changeOf(a *api.Alert, in *api.Info) string {
	english, back := strings.HasPrefix(in.Language, "en"), a.CorrectedBy == mistakenAllClear
	switch {
	case english && back:
		return "the danger is back"
	case english:
		return "lasts 6 hours longer"
	case back:
		return "nguy hiểm trở lại"
	}
	return "kéo dài thêm 6 giờ"
}

// followExample is one info of an update or an all-clear.
func followExample(b *strings.Builder, act string, a *api.Alert, in *api.Info, now time.Time) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(b, format+"\n", args...) }
	template, urgency, severity, certainty := "any.update", in.Urgency, in.Severity, in.Certainty
	response := slices.DeleteFunc(slices.Clone(in.ResponseTypes), func(t alert.ResponseType) bool { return t == "AllClear" })
	slots := []string{"change: " + changeOf(a, in), "action: " + actionOf(in) + `   # "loa templates slots any.update" lists the actions`}
	if urgency == "Past" { // of what an all-clear said was over
		urgency = "Unknown"
	}
	if act == "all-clear" {
		template, response, urgency, severity, certainty = "any.all_clear", []alert.ResponseType{"AllClear"}, "Past", alert.Minor, "Observed"
		slots = []string{fmt.Sprintf("from: %q   # since when there is no danger", now.Format(time.RFC3339))}
		if strings.HasPrefix(in.Template, "tsunami.") {
			template = "tsunami.cancel"
		}
	}
	if unnamed(a) {
		slots = append(slots, noHazard)
	}
	p("  - language: %s\n    template: %s", in.Language, template)
	writeSlots(b, slots)
	p("    categories: [%s]\n    event: %q", quoted(in.Categories), in.Event)
	if len(response) > 0 {
		p("    responseTypes: [%s]", quoted(response))
	}
	p("    urgency: %s\n    severity: %s\n    certainty: %s\n    expires: %q", urgency, severity, certainty, now.Add(exampleLife).Format(time.RFC3339))
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

// checkExample refuses half of what names an act on an alert.
func checkExample(act string, ids []string) error {
	switch {
	case act != "" && len(ids) == 0:
		return errors.New("--act needs the ID of the alert that it is about: loa alert example --act correct ID")
	case act == "" && len(ids) > 0:
		return fmt.Errorf("%s: an example for an alert needs --act, one of correct, update, all-clear: loa alert example --act correct ID", ids[0])
	}
	return nil
}
