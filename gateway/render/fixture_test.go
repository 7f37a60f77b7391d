package render_test

import (
	"maps"
	"os"
	"testing"
	"time"

	"loa/channels/sms"
	"loa/gateway/alert"
	"loa/gateway/render"
	"loa/templates"
)

var zone = time.FixedZone("Asia/Ho_Chi_Minh", 7*60*60)

// issued is 13:30 on 7 September 2024, half an hour after the fixture's clock.
var issued = time.Date(2024, 9, 7, 13, 30, 0, 0, zone)

var quangNinh = render.Agency{
	Short: "BCH PTDS Quảng Ninh", ShortEN: "Quang Ninh Civil Defence",
	Long: "Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh", LongEN: "Quang Ninh Civil Defence Command",
}

var (
	carrier = render.Sender{Provider: "carrier-a", Sender: "LOA"}
	haTu    = render.Place{Code: "06658", Kind: "phuong", Name: "Hà Tu", NameEN: "Ha Tu"}
	coTo    = render.Place{Code: "07192", Kind: "dac_khu", Name: "Cô Tô", NameEN: "Co To"}
)

func options() render.Options {
	return render.Options{
		Parts: sms.Parts, Agency: quangNinh, Zone: zone, Senders: []render.Sender{carrier},
		Now: func() time.Time { return issued },
	}
}

// newRenderer makes a renderer with the whole catalogue registered.
func newRenderer(t testing.TB, change func(*render.Options)) *render.Renderer {
	t.Helper()
	opt := options()
	if change != nil {
		change(&opt)
	}
	r, err := render.New(templates.FS, opt)
	if err != nil {
		t.Fatal(err)
	}
	if opt.Registered != nil {
		return r
	}
	opt.Registered = r.ToRegister(carrier)
	if r, err = render.New(templates.FS, opt); err != nil {
		t.Fatal(err)
	}
	return r
}

// stormSlots is the emergency bulletin on Yagi as an author fills it in.
func stormSlots() map[string]string {
	return map[string]string{
		"storm_no": "3", "storm_name": "Yagi", "level": "4", "wind": "12-14", "gust": "16", "place": "Hạ Long", "distance": "105",
		"direction": "WNW", "speed": "15-20", "from": "2024-09-07T14:00:00+07:00", "until": "2024-09-07T19:30:00+07:00",
	}
}

func slots(base map[string]string, change ...string) map[string]string {
	out := maps.Clone(base)
	for i := 0; i+1 < len(change); i += 2 {
		if change[i+1] == "" {
			delete(out, change[i])
		} else {
			out[change[i]] = change[i+1]
		}
	}
	return out
}

// revision is one alert in both languages for Hà Tu and Cô Tô.
func revision(template string, values map[string]string) *alert.Revision {
	rev := &alert.Revision{
		Alert: "vn-qn-2024-0007", Number: 2, Code: "K7M2", Identifier: "vn-qn-2024-0007-2", Sender: "bchptds@quangninh.example", Sent: issued,
		Status: alert.Actual, MsgType: alert.MsgUpdate, Scope: alert.Public,
		References: []alert.Reference{{Sender: "bchptds@quangninh.example", Identifier: "vn-qn-2024-0007-1", Sent: issued.Add(-time.Hour)}},
	}
	for _, lang := range []string{"vi-VN", "en-US"} {
		rev.Infos = append(rev.Infos, alert.Info{
			Language: lang, Event: "Bão", Severity: alert.Extreme, Urgency: "Expected", Certainty: "Likely", Expires: issued.Add(6 * time.Hour),
			Template: template, Slots: maps.Clone(values),
			Areas: []alert.Area{{Desc: "Hà Tu, Cô Tô", Geocodes: []alert.NamedValue{
				{Name: "VN-NSO-2025", Value: haTu.Code}, {Name: "VN-NSO-2025", Value: coTo.Code}}}},
		})
	}
	return rev
}

// needed skips a test whose peer is missing, and fails it in CI.
func needed(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", path)
		}
		t.Skipf("%s is missing", path)
	}
	return path
}
