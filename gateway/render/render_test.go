package render_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/render"
)

func pushOf(r *render.Renderer, rev *alert.Revision, place render.Place, lang string) (render.PushPayload, error) {
	var p render.PushPayload
	out, err := r.Render(rev, place, channels.WebPush, lang)
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(out.Body, &p)
}

func appOf(t *testing.T, r *render.Renderer, rev *alert.Revision, place render.Place, lang string) render.AppPayload {
	t.Helper()
	var p render.AppPayload
	out, err := r.Render(rev, place, channels.App, lang)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestYagiOnEveryChannel(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	rev := revision("storm.emergency", stormSlots())
	sms, err := r.Render(rev, coTo, channels.SMS, "vi")
	if err != nil {
		t.Fatal(err)
	}
	want := "BCH PTDS Quảng Ninh tin 13h30 7/9: Bão số 3 khẩn cấp, rủi ro cấp 4. Đặc khu Cô Tô: gió cấp 12-14, giật cấp 16 từ 14h 7/9. " +
		"Ở trong nhà, sơ tán khi có lệnh. Cứu nạn 112. Mã K7M2"
	if string(sms.Body) != want || sms.Encoding != "UCS-2" || sms.Parts != 3 || sms.Template != "storm.emergency.sms.vi" {
		t.Errorf("SMS = %+v\n%s\n%s", sms, sms.Body, want)
	}

	push, err := pushOf(r, rev, haTu, "en")
	if err != nil {
		t.Fatal(err)
	}
	wantPush := render.PushPayload{
		V: 1, Alert: "vn-qn-2024-0007", Tag: "oXXOo0PnyfC5GMh7GYCQf3MfK5XzSis1", Revision: 2, Code: "K7M2", Status: "Actual", Title: "Storm 3 emergency: Ha Tu Ward",
		Body:     "Quang Ninh Civil Defence: risk level 4, wind force 12-14, 14:00 7 Sep to 19:30 7 Sep. Stay indoors. Evacuate when told. Rescue 112.",
		Severity: "Extreme", Level: 4, Sent: "2024-09-07T13:30:00+07:00", Expires: "2024-09-07T19:30:00+07:00", Lang: "en", Area: "06658",
	}
	if d := cmp.Diff(wantPush, push); d != "" {
		t.Error(d)
	}

	if err := r.FillInfo(&rev.Infos[0], rev, []render.Place{haTu, coTo}); err != nil {
		t.Fatal(err)
	}
	app := appOf(t, r, rev, haTu, "vi")
	wantApp := render.AppPayload{
		V: 1, Alert: "vn-qn-2024-0007", Revision: 2, Identifier: "vn-qn-2024-0007-2", Code: "K7M2", Status: "Actual", MsgType: "Update",
		Lang: "vi", Area: "06658", Event: "Bão", Severity: "Extreme", Urgency: "Expected", Certainty: "Likely",
		Level:    &render.AppLevel{Level: 4, Name: "rủi ro rất lớn", Colour: "đỏ", Hex: "#e31a1c"},
		Headline: "Bão số 3 (Yagi) khẩn cấp, rủi ro thiên tai cấp 4: phường Hà Tu và đặc khu Cô Tô",
		Description: "Tin phát lúc 13 giờ 30 ngày 7/9/2024. Từ 14 giờ ngày 7/9/2024, phường Hà Tu và đặc khu Cô Tô có gió cấp 12-14 (118-166 km/h), " +
			"giật cấp 16. Tâm bão đang cách Hạ Long khoảng 105 km, di chuyển hướng Tây Tây Bắc, 15-20 km/h. Có hiệu lực đến 19 giờ 30 ngày 7/9/2024. " +
			"Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh. Mã tin K7M2.",
		Instructions: []string{
			"Sơ tán ngay khi có lệnh, trước khi gió mạnh.", "Ở trong nhà chắc chắn, chốt cửa, tránh cửa kính.",
			"Không ra ngoài, không ở lại tàu thuyền, lồng bè.", "Gió bỗng lặng: tâm bão đang qua, vẫn ở trong nhà.", "Cần cứu nạn gọi 112.",
		},
		Areas:  []render.AppArea{{Desc: "Hà Tu, Cô Tô", Codes: []string{"06658", "07192"}}},
		Sender: "Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh", Sent: "2024-09-07T13:30:00+07:00", Expires: "2024-09-07T19:30:00+07:00",
		References: []render.AppReference{{Sender: "bchptds@quangninh.example", Identifier: "vn-qn-2024-0007-1", Sent: "2024-09-07T12:30:00+07:00"}},
	}
	if d := cmp.Diff(wantApp, app); d != "" {
		t.Error(d)
	}
}

func TestTwinPolicy(t *testing.T) {
	t.Parallel()
	unmarked := "BCH PTDS Quang Ninh 13h30 7/9: Bao so 3, rui ro cap 4. P.Ha Tu: gio cap 12-14 tu 14h 7/9. O trong nha, so tan theo lenh. Cuu nan 112. Ma K7M2"
	for _, c := range []struct {
		name     string
		twin     render.Twin
		maxParts int
		collides bool
		encoding string
	}{
		{"marks fit", render.TwinAuto, 3, false, "UCS-2"},
		{"marks take too many parts", render.TwinAuto, 2, false, "GSM-7"},
		{"overload", render.TwinUnmarked, 3, false, "GSM-7"},
		{"marks always", render.TwinMarked, 1, false, "UCS-2"},
		{"a name that collides without marks keeps them", render.TwinUnmarked, 1, true, "UCS-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRenderer(t, func(o *render.Options) { o.Twin, o.MaxParts = c.twin, c.maxParts })
			place := haTu
			place.Collides = c.collides
			out, err := r.Render(revision("storm.emergency", stormSlots()), place, channels.SMS, "vi")
			if err != nil {
				t.Fatal(err)
			}
			if out.Encoding != c.encoding {
				t.Errorf("%s in %d parts: %s", out.Encoding, out.Parts, out.Body)
			}
			if c.encoding == "GSM-7" && (string(out.Body) != unmarked || out.Parts != 1) {
				t.Errorf("%d parts: %s", out.Parts, out.Body)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	for _, c := range []struct {
		name     string
		template string
		slots    map[string]string
		change   func(*alert.Revision)
		place    render.Place
		kind     channels.Kind
		lang     string
		want     error
	}{
		{"a commune outside", "storm.emergency", stormSlots(), nil, render.Place{Code: "00004", Kind: "phuong", Name: "Ba Đình"}, channels.App, "vi", render.ErrNoInfo},
		{"no commune at all", "storm.emergency", stormSlots(), nil, render.Place{}, channels.App, "vi", render.ErrNoInfo},
		{"a language nobody wrote", "storm.emergency", stormSlots(), nil, haTu, channels.App, "mww", render.ErrNoInfo},
		{"a channel of people", "storm.emergency", stormSlots(), nil, haTu, channels.Handoff, "vi", render.ErrChannel},
		{"an unknown template", "storm.huge", stormSlots(), nil, haTu, channels.WebPush, "vi", render.ErrTemplate},
		{"a deadline already past", "storm.east_sea", slots(stormSlots(), "before", "2024-09-07T13:30:00+07:00", "sea_area", "Vịnh Bắc Bộ"), nil, haTu, channels.SMS, "vi", render.ErrPast},
		{"a signed app text with a deadline already past", "storm.east_sea", slots(stormSlots(), "before", "2024-09-07T13:00:00+07:00"),
			func(v *alert.Revision) { v.Infos[0].Headline = "Bão số 3 trên Biển Đông" }, haTu, channels.App, "vi", render.ErrPast},
		{"a stop whose next message is late", "any.stop", map[string]string{"old_code": "H4PX", "old_at": "2024-09-07T12:00:00+07:00", "hazard": "storm:3", "next_at": "2024-09-07T13:30:00+07:00"},
			nil, haTu, channels.App, "vi", render.ErrPast},
		{"real words in a test", "storm.emergency", stormSlots(), func(v *alert.Revision) { v.Status = alert.Test }, haTu, channels.App, "vi", render.ErrStatus},
		{"exercise words for a real danger", "any.exercise", slots(stormSlots(), "hazard", "storm:3"), nil, haTu, channels.App, "vi", render.ErrStatus},
		{"a draft", "storm.emergency", stormSlots(), func(v *alert.Revision) { v.Status = alert.Draft }, haTu, channels.App, "vi", render.ErrStatus},
		{"no SMS form", "scam.counter_notice", map[string]string{"body": "Hội Chữ thập đỏ"}, nil, haTu, channels.SMS, "vi", render.ErrUnregistered},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rev := revision(c.template, c.slots)
			if c.change != nil {
				c.change(rev)
			}
			out, err := r.Render(rev, c.place, c.kind, c.lang)
			if !errors.Is(err, c.want) || out.Body != nil {
				t.Errorf("error %v, want %v; body %s", err, c.want, out.Body)
			}
		})
	}
}

func TestCodeIsRequired(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	for _, code := range []string{"", "K7M", "K1M2", "KIM2", "k7m2", "{me}"} {
		rev := revision("storm.emergency", stormSlots())
		rev.Code = code
		for _, kind := range []channels.Kind{channels.SMS, channels.WebPush, channels.App} {
			var slot *render.SlotError
			if _, err := r.Render(rev, haTu, kind, "vi"); !errors.As(err, &slot) || slot.Slot != "code" {
				t.Errorf("code %q on %s: %v", code, kind, err)
			}
		}
	}
}

// A message that is not real says so first on every channel, and again at the
// end of SMS and description, whatever template it uses.
func TestNotRealIsMarkedEverywhere(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	for _, c := range []struct {
		status           alert.Status
		template         string
		vi, unmarked, en string
	}{
		{alert.Test, "any.test", "THỬ NGHIỆM", "THU NGHIEM", "TEST"},
		{alert.Exercise, "any.exercise", "DIỄN TẬP", "DIEN TAP", "EXERCISE"},
		{alert.Exercise, "storm.emergency", "DIỄN TẬP", "DIEN TAP", "EXERCISE"},
	} {
		rev := revision(c.template, slots(stormSlots(), "hazard", "storm:3", "duty_phone", "0200 000 0000"))
		rev.Status = c.status
		for lang, marker := range map[string]string{"vi": c.vi, "en": c.en} {
			texts, err := r.Twins(rev, coTo, lang)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range texts {
				m := marker
				if strings.Contains(x.Template, "ascii") {
					m = c.unmarked
				}
				if !strings.HasPrefix(x.Text, m) || !strings.HasSuffix(x.Text, m) || strings.Count(x.Text, m) != 2 {
					t.Errorf("%s: %s", x.Template, x.Text)
				}
				if x.Err != nil {
					t.Errorf("%s is not among the texts to register: %v", x.Template, x.Err)
				}
			}
			push, err := pushOf(r, rev, coTo, lang)
			if err != nil || !strings.HasPrefix(push.Title, marker) || !strings.HasPrefix(push.Body, marker) || push.Status != string(c.status) {
				t.Errorf("push: %v %+v", err, push)
			}
			app := appOf(t, r, rev, coTo, lang)
			if !strings.HasPrefix(app.Headline, marker) || !strings.HasPrefix(app.Instructions[0], marker) ||
				!strings.HasPrefix(app.Description, marker) || !strings.HasSuffix(app.Description, marker+".") {
				t.Errorf("app: %+v", app)
			}
		}
	}
}

func TestForeignMessage(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	rev := revision("", nil)
	in := &rev.Infos[0]
	in.Headline = strings.Repeat("Cảnh báo giông ", 20)
	in.Description, in.Instruction = strings.Repeat("Mưa <to> & gió. ", 400), "Vào nhà.\n\nTránh cây cao.\n"
	in.Parameters = []alert.NamedValue{{Name: alert.RiskLevelName, Value: "2"}}
	in.Areas[0].Circles = []alert.Circle{{Center: alert.Point{Lat: 20.9, Lon: 107.1}, Radius: 12.5}}
	push, err := pushOf(r, rev, haTu, "vi")
	if err != nil {
		t.Fatal(err)
	}
	if len([]rune(push.Title)) > 80 || len([]rune(push.Body)) > 400 || !strings.HasSuffix(push.Title, "giông…") && !strings.HasSuffix(push.Title, "báo…") {
		t.Errorf("%+v", push)
	}
	app := appOf(t, r, rev, haTu, "vi")
	if app.Description != in.Description || !cmp.Equal(app.Instructions, []string{"Vào nhà.", "Tránh cây cao."}) || app.Level.Level != 2 {
		t.Errorf("%+v", app)
	}
	if c := app.Areas[0].Circles; len(c) != 1 || c[0] != (render.AppCircle{Center: [2]float64{20.9, 107.1}, Radius: 12.5}) {
		t.Errorf("circles %v", c)
	}
	if _, err := r.Render(rev, haTu, channels.SMS, "vi"); !errors.Is(err, render.ErrUnregistered) {
		t.Errorf("SMS of a message without a template: %v", err)
	}
	rev.Infos[0].Description = strings.Repeat("dài ", 20000)
	if _, err := r.Render(rev, haTu, channels.App, "vi"); !errors.Is(err, render.ErrTooLong) {
		t.Errorf("app: %v", err)
	}
}

// A drawn shape too big for the document is left out: the codes still say where.
func TestHugeShapeIsDropped(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	rev := revision("storm.emergency", stormSlots())
	rev.Infos[0].Areas[0].Polygons = [][]alert.Point{make([]alert.Point, 20000)}
	if app := appOf(t, r, rev, haTu, "vi"); app.Areas[0].Polygons != nil || len(app.Areas[0].Codes) != 2 {
		t.Errorf("%+v", app.Areas)
	}
	rev.Infos[0].Areas[0].Polygons = [][]alert.Point{{{Lat: 21, Lon: 107}, {Lat: 21, Lon: 108}, {Lat: 20, Lon: 108}, {Lat: 21, Lon: 107}}}
	if app := appOf(t, r, rev, haTu, "vi"); len(app.Areas[0].Polygons) != 1 || app.Areas[0].Polygons[0][1] != [2]float64{21, 108} {
		t.Errorf("%+v", app.Areas)
	}
}

// The rounded deadline of the SMS without marks can be past while the real one
// is not: then the text with marks goes out.
func TestRoundedDeadline(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, func(o *render.Options) { o.Twin = render.TwinUnmarked })
	values := slots(stormSlots(), "before", "2024-09-07T13:59:00+07:00", "sea_area", "vịnh Bắc Bộ", "from", "")
	out, err := r.Render(revision("storm.east_sea", values), haTu, channels.SMS, "vi")
	if err != nil || !strings.Contains(string(out.Body), "trước 13h59 7/9") {
		t.Errorf("%s %v", out.Body, err)
	}
	if err := r.CheckSlots("storm.east_sea", "vi", values); err != nil {
		t.Error(err)
	}
	values["before"] = issued.Add(2 * time.Hour).Format(time.RFC3339)
	out, err = r.Render(revision("storm.east_sea", values), haTu, channels.SMS, "vi")
	if err != nil || !strings.Contains(string(out.Body), "truoc 15h 7/9") {
		t.Errorf("%s %v", out.Body, err)
	}
}
