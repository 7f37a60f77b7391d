package alert

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What an author writes of grave dangers is heard with and without marks, in
// both languages; ordinary words are not.
func TestGraveWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Sóng thần mức 3, chạy ngay lên chỗ cao": "leave tsunami",
		"SONG THAN muc 3":                   "tsunami",
		"Tsunami, evacuate now":             "leave tsunami",
		"Vỡ đập Hòa Bình":                   "dam",
		"hồ đang xả lũ":                     "dam",
		"The dam has burst":                 "dam",
		"Sơ  tán\nkhẩn cấp":                 "leave",
		"rời khỏi nhà":                      "leave",
		"Bão số 3":                          "storm",
		"siêu bão":                          "storm",
		"Lũ quét, sạt lở đất":               "flash flood landslide",
		"động đất mạnh":                     "earthquake",
		"rò rỉ khí độc":                     "poison",
		"Mưa lớn":                           "",
		"đứt cáp quang, hạ tải cột ăng-ten": "",
		"mất điện do bảo trì lưới":          "",
		"thông báo số 3":                    "",
		"warning wardens, stormwater":       "",
	} {
		if got := strings.Join(GraveWords(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	in := Info{Template: "infrastructure.outage", Event: "Mất điện", Headline: "sóng thần", Slots: map[string]string{"cause": "vỡ đập", "hazard": "tsunami"}}
	if d := cmp.Diff([]string{"dam"}, in.GraveWords()); d != "" {
		t.Errorf("of a template: %s", d)
	}
	in.Template = ""
	if d := cmp.Diff([]string{"tsunami", "dam"}, in.GraveWords()); d != "" {
		t.Errorf("of free words: %s", d)
	}
	if d := cmp.Diff([]string{"tsunami", "dam"}, (&Revision{Infos: []Info{in}}).Speaks()); d != "" {
		t.Errorf("of a revision: %s", d)
	}
}

// A danger is grave whatever its author calls it.
func TestGrave(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   Info
		want bool
	}{
		"Severe":              {Info{Severity: Severe}, true},
		"Extreme":             {Info{Severity: Extreme}, true},
		"Moderate":            {Info{Severity: Moderate}, false},
		"a slot of level 3":   {Info{Severity: Minor, Slots: map[string]string{"level": "3"}}, true},
		"a slot of level 2":   {Info{Severity: Minor, Slots: map[string]string{"level": "2"}}, false},
		"a parameter of 4":    {Info{Severity: UnknownSeverity, Parameters: []NamedValue{{RiskLevelName, "4"}}}, true},
		"the higher of two":   {Info{Slots: map[string]string{"level": "1"}, Parameters: []NamedValue{{RiskLevelName, "5"}}}, true},
		"people are to leave": {Info{Severity: Minor, ResponseTypes: []ResponseType{"Monitor", "Evacuate"}}, true},
	} {
		if got := c.in.Grave(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
