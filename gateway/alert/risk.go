package alert

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"loa/gateway/area"
)

// Hazard is the hazard's code in Loa's catalogue ("storm"): the event code, or
// the template's first word; empty if neither tells.
func (in *Info) Hazard() string {
	for _, v := range in.EventCodes {
		if v.Name == HazardName {
			return v.Value
		}
	}
	hazard, _, _ := strings.Cut(in.Template, ".")
	return hazard
}

// graveLevel is from which disaster risk level a danger is grave.
const graveLevel = 3

// severityOf is the severity of each disaster risk level, from 1: CAP has four
// grades for the five of Decision 18/2021/QĐ-TTg, article 4.
var severityOf = [5]Severity{Minor, Moderate, Severe, Extreme, Extreme}

// statedLevel is a disaster risk level as one place of an info states it.
type statedLevel struct{ field, value string }

// stated lists where an info states its disaster risk level: the slot of its
// text, and the parameters.
func (in *Info) stated() []statedLevel {
	var all []statedLevel
	if v, ok := in.Slots["level"]; ok && v != "" {
		all = append(all, statedLevel{"slots.level", v})
	}
	for i, v := range in.Parameters {
		if v.Name == RiskLevelName {
			all = append(all, statedLevel{at("parameters", i), v.Value})
		}
	}
	return all
}

// RiskLevel is the highest disaster risk level that the info states, 0 if it
// states none.
func (in *Info) RiskLevel() int {
	top := 0
	for _, s := range in.stated() {
		if n, err := strconv.Atoi(s.value); err == nil {
			top = max(top, n)
		}
	}
	return top
}

// Grave reports whether an info warns of a grave danger, whatever severity its
// author chose: Severe or Extreme, a disaster risk level of 3 or higher, or
// people are to leave.
func (in *Info) Grave() bool {
	return in.Severity.Grave() || in.RiskLevel() >= graveLevel || slices.Contains(in.ResponseTypes, ResponseType("Evacuate"))
}

// validateRisk holds risk levels to Decision 18/2021/QĐ-TTg, article 4: 1 to 5,
// and for storms and tropical depressions 3 to 5. An info states one, and its
// severity is that of the level.
func validateRisk(f *faults, field string, in *Info) {
	lowest := 1
	if h := in.Hazard(); h == "storm" || h == "tropical_depression" {
		lowest = 3
	}
	all := in.stated()
	inParameters := 0
	for _, s := range all {
		if s.field != "slots.level" {
			inParameters++
		}
		level, err := strconv.Atoi(s.value)
		if err != nil || len(s.value) != 1 || level < lowest || level > len(severityOf) {
			f.add(field+"."+s.field, "C57", "a risk level from "+strconv.Itoa(lowest)+" to 5")
			return
		}
	}
	if inParameters > 1 {
		f.add(field+".parameters", "C57", "one risk level")
		return
	}
	for i := range all {
		if first, s := all[0], all[i]; s.value != first.value {
			f.add(field+"."+s.field, "C57", "must be "+first.value+", as "+first.field+" says: one text shows one risk level")
			return
		}
	}
	if len(all) == 0 || !slices.Contains(Severities, in.Severity) {
		return
	}
	level, _ := strconv.Atoi(all[0].value)
	if want := severityOf[level-1]; in.Severity != want {
		f.add(field+".severity", "C46", "must be "+string(want)+" for risk level "+all[0].value+" (1 Minor, 2 Moderate, 3 Severe, 4 and 5 Extreme)")
	}
}

// validateOneRisk asks that the languages of a commune state the same risk
// level and are made from the same text, once each is right by itself.
func (r *Revision) validateOneRisk(f *faults) {
	if len(f.all) > 0 {
		return
	}
	type said struct{ level, template string }
	first := map[area.Code]said{}
	for i := range r.Infos {
		in := &r.Infos[i]
		now := said{template: in.Template}
		if all := in.stated(); len(all) > 0 {
			now.level = all[0].value
		}
		for _, code := range targets(r.Infos[i : i+1]) {
			was, seen := first[code]
			switch {
			case !seen:
				first[code] = now
			case was.level != now.level && r.sameLanguage(code) == "":
				f.add(at("infos", i), "A33", "states risk level "+orNone(now.level)+" for commune "+string(code)+" where another language states "+orNone(was.level))
				return
			case was.template != now.template && r.sameLanguage(code) == "":
				f.add(at("infos", i)+".template", "A33", "must be "+orNone(was.template)+", as in the other language for commune "+string(code))
				return
			}
		}
	}
}

// sameLanguage is a language in which several infos cover the commune, "" if
// each covers it once: who reads then gets the gravest, which may differ.
func (r *Revision) sameLanguage(code area.Code) string {
	seen := map[string]bool{}
	for i := range r.Infos {
		if in := &r.Infos[i]; in.Covers(code) {
			if seen[in.Lang()] {
				return in.Lang()
			}
			seen[in.Lang()] = true
		}
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
