package render_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"loa/gateway/alert"
	"loa/gateway/render"
)

var (
	quangNinhProvince = render.Place{Code: "22", Kind: "tinh", Name: "Quảng Ninh", NameEN: "Quang Ninh", Part: 54, Whole: 54, Special: true}
	haiPhong          = render.Place{Code: "31", Kind: "thanh_pho", Name: "Hải Phòng", NameEN: "Haiphong", Part: 114, Whole: 114, Special: true}
	hoChiMinh         = render.Place{Code: "79", Kind: "thanh_pho", Name: "Hồ Chí Minh", NameEN: "Ho Chi Minh", Part: 150, Whole: 168, Special: true}
	langSon           = render.Place{Code: "20", Kind: "tinh", Name: "Lạng Sơn", NameEN: "Lang Son", Part: 65, Whole: 65}
)

// Provinces are named as an official names them, communes beside them counted.
func TestProvincesInAreaLists(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	xa := render.Place{Kind: "xa", Name: "Ba Chẽ", NameEN: "Ba Che"}
	for _, c := range []struct {
		places []render.Place
		vi, en string
	}{
		{[]render.Place{quangNinhProvince}, "tỉnh Quảng Ninh", "Quang Ninh Province"},
		{[]render.Place{quangNinhProvince, haiPhong}, "tỉnh Quảng Ninh và thành phố Hải Phòng", "Quang Ninh Province and Haiphong City"},
		{[]render.Place{langSon, quangNinhProvince, haiPhong}, "tỉnh Lạng Sơn, tỉnh Quảng Ninh và thành phố Hải Phòng", "Lang Son, Quang Ninh and Haiphong"},
		{[]render.Place{langSon, quangNinhProvince, langSon, langSon, haiPhong}, "tỉnh Lạng Sơn, tỉnh Quảng Ninh và 3 tỉnh, thành phố khác", "Lang Son and 4 other provinces and cities"},
		{[]render.Place{quangNinhProvince, coTo}, "tỉnh Quảng Ninh và đặc khu Cô Tô", "Quang Ninh Province and Co To"},
		{[]render.Place{quangNinhProvince, haTu, coTo, xa}, "tỉnh Quảng Ninh, phường Hà Tu và 2 xã, đặc khu khác", "Quang Ninh and 3 other wards and communes"},
		{[]render.Place{hoChiMinh}, "150/168 xã, phường, đặc khu của Thành phố Hồ Chí Minh", "150 of 168 communes of Ho Chi Minh City"},
		{[]render.Place{hoChiMinh, xa, xa}, "152 xã, phường, đặc khu", "152 wards and communes"},
	} {
		rev := revision("storm.emergency", stormSlots())
		for i, want := range []string{c.vi, c.en} {
			err := r.FillInfo(&rev.Infos[i], rev, c.places)
			got := rev.Infos[i].Headline
			if _, named, _ := strings.Cut(got, "4: "); err != nil || named != want {
				t.Errorf("%v: %s, want %s", err, got, want)
			}
			if err == nil && !strings.Contains(rev.Infos[i].Description, strings.TrimPrefix(got[strings.Index(got, "4: "):], "4: ")) {
				t.Errorf("the description names other places than %s: %s", got, rev.Infos[i].Description)
			}
		}
	}
}

// No headline that Loa makes is longer than CAP advises, whatever the template,
// the status and the places, and each begins with its marker.
func TestHeadlinesKeepToTheirLimit(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, func(o *render.Options) { o.Agency = exampleAgency })
	longest := 0
	for _, template := range r.Templates() {
		for _, places := range [][]render.Place{exampleAreas(), {quangNinhProvince, haiPhong}, {hoChiMinh}, {haTu, coTo}} {
			for _, lang := range []string{"vi", "en"} {
				for _, status := range []alert.Status{alert.Actual, alert.Exercise} {
					rev := revision(template, longestSlots(lang, false))
					rev.Status = status
					if own := statusFor(template); own != alert.Actual {
						rev.Status = own
					}
					rev.Infos[0].Language = lang
					if err := r.FillInfo(&rev.Infos[0], rev, places); err != nil {
						t.Fatalf("%s %s: %v", template, lang, err)
					}
					got := rev.Infos[0].Headline
					longest = max(longest, utf8.RuneCountInString(got))
					if utf8.RuneCountInString(got) > alert.MaxHeadline || rev.Status == alert.Exercise && !strings.HasPrefix(got, map[string]string{"vi": "DIỄN TẬP", "en": "EXERCISE"}[lang]) {
						t.Errorf("%s %s: %d characters: %s", template, lang, utf8.RuneCountInString(got), got)
					}
				}
			}
		}
	}
	if longest < 150 {
		t.Errorf("the longest headline has %d characters: the limit was not tried", longest)
	}
}
