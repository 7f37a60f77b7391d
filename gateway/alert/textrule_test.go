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
}

// The order of words, and letters that only look Latin, hide no danger.
func TestGraveWordsInEveryOrder(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"đập Yên Lập đã vỡ": "dam", "Đê vỡ": "dam", "vỡ kè sông": "dam", "the dam above Hạ Long has burst": "dam",
		"bão lớn": "storm", "bão cấp 15": "storm", "lốc xoáy": "storm",
		"chạy lên núi": "leave", "chạy lên đồi ngay": "leave", "lên mái nhà": "leave", "tránh xa bờ biển": "leave",
		"nước dâng 5 m": "rising water", "nước biển rút nhanh": "rising water",
		"cháy nổ": "fire", "nổ kho xăng": "fire", "núi bị sạt": "landslide",
		"ｓóng thần": "tsunami", "𝐬𝐨𝐧𝐠 𝐭𝐡𝐚𝐧": "tsunami", "Ⓣsunami": "tsunami",
		"sóng thаn": Strange, "ðập vỡ": Strange, "ѕơ tán": Strange, "津波": Strange, "🌊": Strange,
		"Đảm bảo an toàn, 30 °C – 50 %": "", "Thành phố Hồ Chí Minh, Võ Thị Sáu": "", "Ea H’leo, Krông Búk": "", "cảnh báo cấp tỉnh": "",
	} {
		if got := strings.Join(GraveWords(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// An author's own words are looked at wherever people may read them.
func TestGraveWordsOfARevision(t *testing.T) {
	t.Parallel()
	const word = "sóng thần"
	grave := func(r *Revision) (found []string) {
		for _, w := range r.OwnWords() {
			if len(GraveWords(w.Text)) > 0 {
				found = append(found, w.Field)
			}
		}
		return found
	}
	for field, change := range map[string]func(*Revision, *Info){
		"infos[0].event":         func(_ *Revision, in *Info) { in.Event = word },
		"infos[0].audience":      func(_ *Revision, in *Info) { in.Audience = word },
		"infos[0].senderName":    func(_ *Revision, in *Info) { in.SenderName = word },
		"infos[0].contact":       func(_ *Revision, in *Info) { in.Contact = word },
		"infos[0].web":           func(_ *Revision, in *Info) { in.Web = "https://tsunami.example" },
		"infos[0].areas[0].desc": func(_ *Revision, in *Info) { in.Areas = []Area{{Desc: word}} },
		"infos[0].parameters[1]": func(_ *Revision, in *Info) { in.Parameters = []NamedValue{{RiskLevelName, "1"}, {"x", word}} },
		"infos[0].resources[0]":  func(_ *Revision, in *Info) { in.Resources = []Resource{{Desc: word}} },
		"infos[0].slots.cause":   func(_ *Revision, in *Info) { in.Slots["cause"] = word },
		"infos[0].eventCodes[0]": func(_ *Revision, in *Info) { in.EventCodes = []NamedValue{{"x", "tsunami"}} },
		"note":                   func(r *Revision, _ *Info) { r.Note = word },
		"source":                 func(r *Revision, _ *Info) { r.Source = word },
		"incidents[1]":           func(r *Revision, _ *Info) { r.Incidents = []string{"a", word} },
		"infos[0].headline":      func(_ *Revision, in *Info) { in.Template = "" },
	} {
		r := &Revision{Infos: []Info{{Template: "infrastructure.outage", Event: "Mất điện", Headline: word, Slots: map[string]string{"hazard": "tsunami"}}}}
		if got := grave(r); got != nil {
			t.Fatalf("words of the template: %v", got)
		}
		if d := cmp.Diff([]string{"tsunami"}, r.Speaks()); d != "" {
			t.Fatal(d)
		}
		change(r, &r.Infos[0])
		if d := cmp.Diff([]string{field}, grave(r)); d != "" {
			t.Error(d)
		}
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
