package render_test

import (
	"encoding/csv"
	"maps"
	"strings"
	"testing"
	"time"

	"loa/gateway/alert"
	"loa/gateway/render"
	"loa/templates"
)

// row is one line of messages.csv.
type row struct {
	id, template, channel, lang, text, longest string
	typical, most                              string
}

func rows(t testing.TB) []row {
	t.Helper()
	f, err := templates.FS.Open("messages.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []row
	for _, r := range all[1:] {
		template := strings.TrimSuffix(r[0], "."+r[3]+"."+r[4])
		out = append(out, row{id: r[0], template: template, channel: r[3], lang: r[4], text: r[5], longest: r[7], typical: r[8], most: r[9]})
	}
	if len(out) < 400 {
		t.Fatalf("%d rows", len(out))
	}
	return out
}

const longTime = "2024-11-27T13:30:00+07:00"

// longestSlots are the values behind the longest_example column.
func longestSlots(lang string, unmarked bool) map[string]string {
	v := map[string]string{
		"storm_name": "Fung-wong", "wind": "15-16", "gust": ">17", "distance": "1250", "wind_kmh": "184-220", "direction": "ENE", "speed": "20-25",
		"storm_no": "12", "level": "4", "rain": "400-600", "rain_max": "1000", "alarm": "3", "water": "12.34", "peak_water": "13.20",
		"surge": "0.5-1.2", "wave": "10-12", "magnitude": "7.8", "gates": "12", "discharge": "16000", "rise": "2.5-3.5", "depth": "0.8-1.2",
		"old_code": "H4PX", "hazard": "flash_flood|landslide", "service": "power|phone", "action": "evacuate_hall", "duty_phone": "0200 000 0000",
		"ack_url": "https://loa.example/x/K7M2P9QT", "reservoir": "Buôn Tua Srah", "river": "Vàm Cỏ Đông",
	}
	for _, at := range []string{"from", "until", "before", "peak", "arrival", "next_at", "old_at", "quake_at", "observed_at", "released_at"} {
		v[at] = longTime
	}
	words := map[string]string{
		"place": "Bãi Cháy-Tuần Châu", "station": "trạm thủy văn Bến Bình", "shelter": "trường THCS Nguyễn Lương Bằng",
		"sea_area": "Bắc và Giữa Biển Đông, vịnh Bắc Bộ", "became": "áp thấp nhiệt đới rồi vùng áp thấp",
		"roads": "đường 18 đoạn Bãi Cháy, đường ven biển Hạ Long", "change": "rủi ro lên cấp 4, gió mạnh từ 16h 27/11",
		"change.ascii": "rui ro cap 4, gio manh tu 16h 27/11", "right": "sơ tán đến trường Bãi Cháy trước 17h30",
		"right.ascii": "gio manh tu 19h30 27/11", "wrong": "sơ tán đến trường Hà Tu trước 18h30", "radio": "VOV1, VOV giao thông và đài tỉnh",
		"cause": "đứt cáp quang, hạ tải cột ăng-ten", "body": "Ủy ban Mặt trận Tổ quốc tỉnh Tuyên Quang", "role": "commune_commander",
		"hamlet": "tổ dân phố 12 Bãi Cháy", "hamlet.ascii": "to 12 Bai Chay", "person": "bà Nguyễn Thị Phương Thảo", "released_by": "bà Nguyễn Thị Phương Thảo",
	}
	if lang == "en" {
		v["river"], v["reservoir"], v["direction"] = "Vam Co Dong", "Buon Tua Srah", "NNE"
		words = map[string]string{
			"place": "Bai Chay-Tuan Chau", "station": "Ben Binh gauge", "shelter": "Nguyen Luong Bang school",
			"sea_area": "north and middle of the East Sea, Gulf of Tonkin", "became": "a tropical depression, then a low",
			"roads": "road 18 at Bai Chay, Ha Long coast road", "change": "risk level 4, strong wind from 16:00",
			"right": "evacuate to Bai Chay school by 17:30", "wrong": "evacuate to Ha Tu school by 18:30", "radio": "VOV1, VOV traffic and provincial radio",
			"cause": "fibre cut, antennas taken down", "body": "the Fatherland Front of Tuyen Quang", "role": "telecom_liaison",
			"hamlet": "Bai Chay residents' group 12", "person": "Ms Nguyen Thi Phuong Thao", "released_by": "Ms Nguyen Thi Phuong Thao",
		}
	}
	maps.Copy(v, words)
	if unmarked {
		v["until"] = "2024-11-27T13:00:00+07:00" // an end is rounded up; the example shows 13h
	}
	return v
}

// exampleAgency is the longest agency of each form in the examples.
var exampleAgency = render.Agency{
	Short: "BCH PTDS Thái Nguyên", ShortEN: "Ho Chi Minh Civil Defence",
	Long: "Ban Chỉ huy Phòng thủ dân sự Thành phố Hồ Chí Minh", LongEN: "Ho Chi Minh City Civil Defence Command",
}

// examplePlace gives the place with the longest name in a form.
func examplePlace(channel, lang string) render.Place {
	if strings.HasPrefix(channel, "sms") {
		return render.Place{Code: haTu.Code, Kind: "phuong", Name: "Xuân Trường - Đà Lạt", NameEN: "Xuan Truong - Da Lat"}
	}
	return render.Place{Code: haTu.Code, Kind: "phuong", Name: "Văn Miếu - Quốc Tử Giám", NameEN: "Van Mieu - Quoc Tu Giam"}
}

func exampleAreas() []render.Place {
	out := []render.Place{coTo, {Code: "06994", Kind: "dac_khu", Name: "Vân Đồn", NameEN: "Van Don"}}
	for i := range 52 {
		out = append(out, render.Place{Kind: []string{"xa", "phuong", "dac_khu"}[i%3], Name: "Thử", NameEN: "Thu"})
	}
	return out
}

func statusFor(template string) alert.Status {
	switch template {
	case "any.test":
		return alert.Test
	case "any.exercise", "command.roster_drill":
		return alert.Exercise
	default:
		return alert.Actual
	}
}

// exampleRevision is the alert behind the example of a row.
func exampleRevision(r row) *alert.Revision {
	rev := revision(r.template, longestSlots(r.lang, r.channel == "sms-ascii"))
	rev.Status = statusFor(r.template)
	rev.Sent = time.Date(2024, 11, 27, 13, 30, 0, 0, zone)
	return rev
}

// Every written example of the catalogue comes out of the renderer to the
// letter: the catalogue's author and the renderer agree on every slot type.
func TestExamplesToTheLetter(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, func(o *render.Options) {
		o.Agency = exampleAgency
		o.Now = func() time.Time { return issued }
	})
	seen := 0
	for _, w := range rows(t) {
		if w.channel == "loudspeaker" {
			continue
		}
		seen++
		got, err := written(r, w)
		if err != nil {
			t.Errorf("%s: %v", w.id, err)
		} else if got != w.longest {
			t.Errorf("%s:\n got %s\nwant %s", w.id, got, w.longest)
		}
	}
	if seen != 387 {
		t.Errorf("%d rows compared, want 387", seen)
	}
}

// written renders one form of a row's example through the public API.
func written(r *render.Renderer, w row) (string, error) {
	rev := exampleRevision(w)
	place := examplePlace(w.channel, w.lang)
	switch w.channel {
	case "sms", "sms-ascii":
		texts, err := r.Twins(rev, place, w.lang)
		if err != nil {
			return "", err
		}
		for _, x := range texts {
			if x.Template == w.id {
				return x.Text, x.Err
			}
		}
		return "", nil
	case "push-title", "push-body":
		p, err := pushOf(r, rev, place, w.lang)
		if w.channel == "push-title" {
			return p.Title, err
		}
		return p.Body, err
	}
	for i := range rev.Infos {
		if info := &rev.Infos[i]; info.Lang() == w.lang {
			err := r.FillInfo(info, rev, exampleAreas())
			return map[string]string{
				"app-headline": info.Headline, "app-description": info.Description,
				"app-instruction": strings.ReplaceAll(info.Instruction, "\n", " | "),
			}[w.channel], err
		}
	}
	return "", nil
}
