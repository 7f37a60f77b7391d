package cap

import (
	"errors"
	"strings"

	"loa/gateway/alert"
	"loa/gateway/area"
)

// MeetsProfile reports what keeps a message from claiming Loa's profile of CAP,
// CAP-VN-draft:0.1, as alert.FieldErrors: a first block in vi-VN, and in every
// block an end at most 24 hours after sent, a headline of at most 160
// characters, instruction, senderName and contact, a risk level from 1 to 5 if
// one is given, and communes by their code.
func MeetsProfile(r *alert.Revision) error {
	var faults []error
	fault := func(i int, field, text string) {
		faults = append(faults, &alert.FieldError{Field: "infos[" + plainNumber(float64(i)) + "]." + field, Rule: Profile, Text: text})
	}
	if len(r.Infos) == 0 {
		return &alert.FieldError{Field: "infos", Rule: Profile, Text: "a block in vi-VN"}
	}
	vietnamese := false
	for i := range r.Infos {
		in := &r.Infos[i]
		vietnamese = vietnamese || in.Language == "vi-VN"
		if in.Expires.IsZero() || in.Expires.After(r.Sent.Add(alert.MaxLife)) {
			fault(i, "expires", "at most 24 hours after sent")
		}
		if len([]rune(in.Headline)) > alert.MaxHeadline {
			fault(i, "headline", "at most 160 characters")
		}
		for _, t := range [][2]string{
			{"headline", in.Headline}, {"instruction", in.Instruction}, {"senderName", in.SenderName}, {"contact", in.Contact},
		} {
			if strings.TrimSpace(t[1]) == "" {
				fault(i, t[0], "must not be empty")
			}
		}
		for _, v := range in.Parameters {
			if v.Name == alert.RiskLevelName && (len(v.Value) != 1 || v.Value < "1" || v.Value > "5") {
				fault(i, "parameters", "a risk level from 1 to 5")
			}
		}
		for j := range in.Areas {
			if !hasCommune(&in.Areas[j]) {
				fault(i, "areas", "communes by their code")
				break
			}
		}
	}
	if !vietnamese {
		faults = append(faults, &alert.FieldError{Field: "infos", Rule: Profile, Text: "a block in vi-VN"})
	}
	return errors.Join(faults...)
}

func hasCommune(a *alert.Area) bool {
	for _, g := range a.Geocodes {
		if g.Name == area.ValueName && len(g.Value) == 5 {
			return true
		}
	}
	return false
}
