package render_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"loa/channels"
	"loa/channels/sms"
	"loa/gateway/alert"
	"loa/gateway/render"
)

// Whatever an author types, nothing panics; what comes out has no slot left
// open, stays inside the channel's limits, and an SMS is one that the carrier
// registered.
func TestOddSlots(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	templates := r.Templates()
	odd := rapid.OneOf(
		rapid.String(), rapid.StringMatching(`[0-9]{1,4}(\.[0-9])?(-[0-9]{1,3})?`), rapid.StringMatching(`\{[a-z_]+\}`),
		rapid.SampledFrom([]string{"", "{", "}", "{area}", "!", "storm:3", "storm:", "NNE", "flash_flood|landslide", "\x00", "\xff", "2024-09-07T25:00:00+07:00", "áp", "a\u0301"}),
	)
	rapid.Check(t, func(t *rapid.T) {
		template := rapid.SampledFrom(templates).Draw(t, "template")
		lang := rapid.SampledFrom([]string{"vi", "en"}).Draw(t, "language")
		values := longestSlots(lang, false)
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			specs := r.Slots(template, lang)
			if len(specs) == 0 {
				break
			}
			name := rapid.SampledFrom(specs).Draw(t, "slot").Name + rapid.SampledFrom([]string{"", "", ".ascii"}).Draw(t, "suffix")
			values[name] = odd.Draw(t, "value")
		}
		rev := revision(template, values)
		rev.Status = statusFor(template)
		_ = r.CheckSlots(template, lang, values)
		for _, kind := range []channels.Kind{channels.SMS, channels.WebPush, channels.App} {
			out, err := r.Render(rev, haTu, kind, lang)
			if err != nil {
				if out.Body != nil {
					t.Fatalf("%s: a refused text has a body", kind)
				}
				continue
			}
			checkRendered(t, kind, out)
		}
	})
}

func checkRendered(t *rapid.T, kind channels.Kind, out render.Rendered) {
	body := string(out.Body)
	if !utf8.ValidString(body) {
		t.Fatalf("%s: not UTF-8: %q", kind, body)
	}
	if kind == channels.SMS {
		parts, encoding := sms.Parts(body)
		if strings.ContainsAny(body, "{}!\n") || parts != out.Parts || encoding != out.Encoding || parts > 3 {
			t.Fatalf("SMS: %q", body)
		}
		return
	}
	// Arrays and objects may open a brace; a value may not.
	if strings.Contains(body, "{area") || strings.Contains(body, "{code") || strings.Contains(body, "!") {
		t.Fatalf("%s: %s", kind, body)
	}
	if kind == channels.WebPush && (len(body) > render.MaxPush || strings.Contains(body, `"url"`) || strings.Count(body, "{") != 1) {
		t.Fatalf("push of %d bytes: %s", len(body), body)
	}
}

// Every commune of the country has a name that fits every form, and its SMS
// stays within what the catalogue promises.
func TestEveryCommuneFits(t *testing.T) {
	t.Parallel()
	f, err := os.Open(needed(t, filepath.FromSlash("../../../shared/data/communes.csv")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	r := newRenderer(t, nil)
	rev := revision("storm.emergency", stormSlots())
	for _, l := range lines[1:] {
		p := render.Place{Code: l[0], Kind: l[4], Name: l[1], NameEN: l[2]}
		for i := range rev.Infos {
			rev.Infos[i].Areas[0].Geocodes = []alert.NamedValue{{Name: "VN-NSO-2025", Value: p.Code}}
		}
		for lang, want := range map[string][]string{"vi": {"UCS-2", "GSM-7"}, "en": {"GSM-7"}} {
			texts, err := r.Twins(rev, p, lang)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range texts {
				if x.Err != nil || x.Encoding != want[i] || x.Parts > 3 || want[i] == "GSM-7" && lang == "vi" && x.Parts != 1 {
					t.Errorf("%s: %+v", l[3], x)
				}
			}
			if _, err := pushOf(r, rev, p, lang); err != nil {
				t.Errorf("%s: %v", l[3], err)
			}
		}
	}
	if len(lines) != 3322 {
		t.Errorf("%d communes", len(lines)-1)
	}
}

func TestPlaceNames(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	for _, c := range []struct {
		kind, name, sms, unmarked, push, en string
	}{
		{"phuong", "Hà Tu", "Phường Hà Tu: gió", "P.Ha Tu: gio", "phường Hà Tu", "Ha Tu"},
		{"xa", "Cẩm Giang", "Xã Cẩm Giang: gió", "X.Cam Giang: gio", "xã Cẩm Giang", "Cam Giang"},
		{"dac_khu", "Bạch Long Vĩ", "Đặc khu Bạch Long Vĩ: gió", "Dac khu Bach Long Vi: gio", "đặc khu Bạch Long Vĩ", "Bach Long Vi"},
		{"phuong", "Trương Quang Trọng", "P. Trương Quang Trọng: gió", "P.Truong Quang Trong: gio", "phường Trương Quang Trọng", "Truong Quang Trong"},
		{"phuong", "Văn Miếu - Quốc Tử Giám", "P. VM-Quốc Tử Giám: gió", "P.VM-Quoc Tu Giam: gio", "phường Văn Miếu - Quốc Tử Giám", "VM-Quoc Tu Giam"},
		{"xa", "Ea H’Leo", "Xã Ea H’Leo: gió", "X.Ea H'Leo: gio", "xã Ea H’Leo", "Ea H'Leo"},
	} {
		p := render.Place{Code: haTu.Code, Kind: c.kind, Name: c.name}
		rev := revision("storm.emergency", stormSlots())
		vi, err := r.Twins(rev, p, "vi")
		if err != nil || !strings.Contains(vi[0].Text, c.sms) || !strings.Contains(vi[1].Text, c.unmarked) {
			t.Errorf("%s: %+v %v", c.name, vi, err)
		}
		en, err := r.Twins(rev, p, "en")
		if err != nil || !strings.Contains(en[0].Text, " "+c.en+": wind") || en[0].Encoding != "GSM-7" {
			t.Errorf("%s: %+v %v", c.name, en, err)
		}
		if push, err := pushOf(r, rev, p, "vi"); err != nil || !strings.HasSuffix(push.Title, c.push) {
			t.Errorf("%s: %+v %v", c.name, push, err)
		}
	}
	bad := render.Place{Code: haTu.Code, Kind: "tinh", Name: "Quảng Ninh"}
	if _, err := r.Render(revision("storm.emergency", stormSlots()), bad, channels.SMS, "vi"); err == nil {
		t.Error("a province was taken for a commune")
	}
}

func TestAreaLists(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	xa := render.Place{Kind: "xa", Name: "Ba Chẽ", NameEN: "Ba Che"}
	long := render.Place{Kind: "phuong", Name: "Văn Miếu - Quốc Tử Giám", NameEN: "Van Mieu - Quoc Tu Giam"}
	for _, c := range []struct {
		places []render.Place
		vi, en string
	}{
		{[]render.Place{haTu}, "phường Hà Tu", "Ha Tu"},
		{[]render.Place{haTu, coTo}, "phường Hà Tu và đặc khu Cô Tô", "Ha Tu and Co To"},
		{[]render.Place{haTu, coTo, xa}, "phường Hà Tu, đặc khu Cô Tô và xã Ba Chẽ", "Ha Tu, Co To and Ba Che"},
		{[]render.Place{haTu, coTo, xa, xa}, "phường Hà Tu, đặc khu Cô Tô và 2 xã khác", "Ha Tu, Co To and 2 other communes"},
		{[]render.Place{haTu, coTo, xa, long}, "phường Hà Tu, đặc khu Cô Tô và 2 xã, phường khác", "Ha Tu, Co To and 2 other wards and communes"},
		{[]render.Place{long, long, coTo, xa}, "phường Văn Miếu - Quốc Tử Giám và 3 xã, phường, đặc khu khác", "4 wards and communes"},
		{[]render.Place{long}, "phường Văn Miếu - Quốc Tử Giám", "Van Mieu - Quoc Tu Giam"},
	} {
		rev := revision("storm.emergency", stormSlots())
		for i, want := range []string{c.vi, c.en} {
			err := r.FillInfo(&rev.Infos[i], rev, c.places)
			if got := rev.Infos[i].Headline; err != nil || !strings.HasSuffix(got, "4: "+want) {
				t.Errorf("%v: %s, want %s", err, got, want)
			}
		}
	}
	rev := revision("storm.emergency", stormSlots())
	if err := r.FillInfo(&rev.Infos[0], rev, nil); err == nil {
		t.Error("no area was taken for everywhere")
	}
}
