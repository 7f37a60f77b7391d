package alert

import (
	"slices"
	"strings"

	"loa/gateway/area"
)

// Lang is the primary language subtag in lower case. CAP says that an absent
// language means en-US.
func (in *Info) Lang() string {
	if in.Language == "" {
		return "en"
	}
	primary, _, _ := strings.Cut(in.Language, "-")
	return strings.ToLower(primary)
}

// Covers reports whether a geocode of the info names the commune.
func (in *Info) Covers(code area.Code) bool {
	for i := range in.Areas {
		for _, g := range in.Areas[i].Geocodes {
			if g.Name == area.ValueName && g.Value == string(code) {
				return true
			}
		}
	}
	return false
}

func targets(infos []Info) []area.Code {
	var codes []area.Code
	for i := range infos {
		for j := range infos[i].Areas {
			for _, g := range infos[i].Areas[j].Geocodes {
				if g.Name == area.ValueName {
					codes = append(codes, area.Code(g.Value))
				}
			}
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}
