package render_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/gateway/alert"
	"loa/gateway/render"
)

func TestSlotsOfATemplate(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	got := map[string]render.SlotSpec{}
	for _, s := range r.Slots("storm.emergency", "vi") {
		got[s.Name] = s
	}
	for _, want := range []render.SlotSpec{
		{Name: "level", Type: "int", Min: 3, Max: 5, Longest: 1, Unmarked: 1},
		{Name: "from", Type: "time", Longest: 11, Unmarked: 9, Optional: true},
		{Name: "wind_kmh", Type: "range", Longest: 7, Optional: true},
		{Name: "gust", Type: "gust", Longest: 11},
	} {
		if d := cmp.Diff(want, got[want.Name]); d != "" {
			t.Error(d)
		}
	}
	if len(got["direction"].Values) != 16 {
		t.Errorf("%d directions", len(got["direction"].Values))
	}
	for _, ours := range []string{"agency", "issued_at", "code", "area", "areas"} {
		if _, ok := got[ours]; ok {
			t.Errorf("%s is not for the author", ours)
		}
	}
	if r.Slots("storm.huge", "vi") != nil {
		t.Error("an unknown template has slots")
	}
	if all := r.Templates(); len(all) != 30 || all[0] != "storm.near" || r.Hazard("flood.dam_release") != "flood" || r.Hazard("x") != "" {
		t.Errorf("%d templates: %v", len(all), all)
	}
}

// Whatever the desk has to send has a template in both languages.
func TestCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	all := r.Templates()
	for want := range strings.FieldsSeq("storm.near storm.east_sea storm.emergency storm.on_land storm.final tropical_depression.warning flood.warning " +
		"flash_flood.warning heavy_rain.warning storm_surge.warning tsunami.tier1 tsunami.tier2 tsunami.tier3 tsunami.cancel flood.dam_release " +
		"any.all_clear any.update any.stop any.correction_false any.correction_all_clear any.correction_detail any.test any.exercise") {
		if !slices.Contains(all, want) || r.Slots(want, "vi") == nil || r.Slots(want, "en") == nil {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestCheckSlots(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	correction := map[string]string{"old_code": "H4PX", "old_at": "2024-09-07T12:00:00+07:00", "hazard": "storm:3", "right": "gió mạnh từ 16h 7/9", "wrong": "gió mạnh từ 18h"}
	for _, c := range []struct {
		name, template string
		values         map[string]string
		slot           string // "" when all is well
		rule           string
	}{
		{"a whole bulletin", "storm.emergency", stormSlots(), "", ""},
		{"times come from the info", "storm.emergency", slots(stormSlots(), "from", "", "until", ""), "", ""},
		{"nothing at all", "storm.emergency", nil, "level", "no value"},
		{"a missing number", "storm.emergency", slots(stormSlots(), "storm_no", ""), "storm_no", "no value"},
		{"a misspelt slot", "storm.emergency", slots(stormSlots(), "winds", "12"), "winds", "not a slot"},
		{"ours", "storm.emergency", slots(stormSlots(), "code", "K7M2"), "code", "filled by Loa"},
		{"a storm of level 2", "storm.emergency", slots(stormSlots(), "level", "2"), "level", "3 to 5"},
		{"a level of 6", "storm.emergency", slots(stormSlots(), "level", "6"), "level", "3 to 5"},
		{"rain of level 6", "heavy_rain.warning", map[string]string{"level": "6", "rain": "100-200", "rain_max": "300"}, "level", "from 1 to 5"},
		{"a depression of level 1", "tropical_depression.warning", slots(stormSlots(), "level", "1", "storm_no", "", "storm_name", ""), "level", "3 to 5"},
		{"a falling range", "storm.emergency", slots(stormSlots(), "wind", "14-12"), "wind", "0 to 17"},
		{"a wind beyond the table", "storm.emergency", slots(stormSlots(), "wind", "18"), "wind", "0 to 17"},
		{"a decimal comma", "storm.emergency", slots(stormSlots(), "speed", "15,5"), "speed", "rising range"},
		{"a leading zero", "storm.emergency", slots(stormSlots(), "distance", "0105"), "distance", "whole number"},
		{"a bare gust word", "storm.emergency", slots(stormSlots(), "gust", "cấp 16"), "gust", "wind level"},
		{"no offset", "storm.emergency", slots(stormSlots(), "from", "2024-09-07T14:00:00"), "from", "offset"},
		{"an end before its start", "storm.emergency", slots(stormSlots(), "until", "2024-09-07T13:45:00+07:00"), "until", "after from"},
		{"the speed of another wind", "storm.emergency", slots(stormSlots(), "wind", "8-9", "wind_kmh", "118-149"), "wind_kmh", "62-88 km/h"},
		{"a speed that begins too low", "storm.emergency", slots(stormSlots(), "wind", "12-13", "wind_kmh", "100-149"), "wind_kmh", "118-149 km/h"},
		{"a speed that ends too high", "storm.emergency", slots(stormSlots(), "wind", "12-13", "wind_kmh", "118-166"), "wind_kmh", "118-149 km/h"},
		{"a speed within the levels", "storm.emergency", slots(stormSlots(), "wind", "12-13", "wind_kmh", "120-140"), "", ""},
		{"one speed of one level", "storm.emergency", slots(stormSlots(), "wind", "12", "wind_kmh", "125"), "", ""},
		{"a gust below the wind", "storm.emergency", slots(stormSlots(), "wind", "12-13", "gust", "8"), "gust", "reaches level 13"},
		{"gusts that end below the wind", "storm.emergency", slots(stormSlots(), "wind", "12-14", "gust", "12-13"), "gust", "reaches level 14"},
		{"a gust beyond the table", "storm.emergency", slots(stormSlots(), "wind", "16-17", "gust", ">17"), "", ""},
		{"an unknown direction", "storm.emergency", slots(stormSlots(), "direction", "TTB"), "direction", "fixed list"},
		{"a name too long", "storm.emergency", slots(stormSlots(), "storm_name", "Krathon Xyz"), "storm_name", "at most 9"},
		{"a cry", "storm.emergency", slots(stormSlots(), "place", "Hạ Long!"), "place", "exclamation"},
		{"a brace", "storm.emergency", slots(stormSlots(), "place", "{area}"), "place", "braces"},
		{"a new line", "storm.emergency", slots(stormSlots(), "place", "Hạ\nLong"), "place", "control"},
		{"a link", "storm.emergency", slots(stormSlots(), "place", "loa.vn"), "place", "link"},
		{"a phone number", "storm.emergency", slots(stormSlots(), "place", "0912345678"), "place", "number"},
		{"a deadline already past", "storm.east_sea", slots(stormSlots(), "from", "", "sea_area", "vịnh Bắc Bộ", "before", "2024-09-07T13:00:00+07:00"), "before", "past"},
		{"a correction", "any.correction_detail", correction, "", ""},
		{"words that turn ambiguous without marks", "any.correction_detail", slots(correction, "right", "hồ đang xả lũ"), "right", "ambiguous"},
		{"figures in words", "any.correction_detail", slots(correction, "right", "mưa 1.000-1.200 mm từ 15h 7/9", "right.ascii", "mua 1.000-1.200 mm"), "", ""},
		{"an account number in words", "any.correction_detail", slots(correction, "right", "STK 0011 0012 345"), "right", "account number"},
		{"with its own unmarked words", "any.correction_detail", slots(correction, "right", "hồ đang xả lũ", "right.ascii", "mo cua dap"), "", ""},
		{"unmarked words with marks", "any.correction_detail", slots(correction, "right.ascii", "mở cửa đập"), "right", "without marks"},
		{"unmarked words too long", "any.correction_detail", slots(correction, "right.ascii", "nuoc lu len rat nhanh o Ha Tu"), "right", "at most 23"},
		{"a hazard that has no safe word without marks", "any.correction_detail", slots(correction, "hazard", "storm"), "", ""},
		{"a code with a zero", "any.correction_detail", slots(correction, "old_code", "H0PX"), "old_code", "four of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := r.CheckSlots(c.template, "vi", c.values)
			if c.slot == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			var joined interface{ Unwrap() []error }
			if !errors.As(err, &joined) {
				t.Fatal(err)
			}
			for _, e := range joined.Unwrap() {
				var slot *render.SlotError
				if errors.As(e, &slot) && slot.Slot == c.slot && strings.Contains(e.Error(), c.rule) && slot.Template == c.template {
					return
				}
			}
			t.Errorf("no word of slot %s and %q in: %v", c.slot, c.rule, err)
		})
	}
	if err := r.CheckSlots("storm.huge", "vi", nil); !errors.Is(err, render.ErrTemplate) {
		t.Error(err)
	}
}

// Times and numbers as an official writes them, seen in real texts.
func TestWrittenForms(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, func(o *render.Options) { o.Twin = render.TwinUnmarked })
	base := map[string]string{"reservoir": "Thác Bà", "river": "Chảy", "before": "2024-09-10T00:05:00Z", "gates": "3", "discharge": "2850", "rise": "0.5"}
	for _, c := range []struct{ from, lang, want string }{
		{"2024-09-09T17:00:00Z", "vi", "BCH PTDS Quang Ninh 13h30 7/9: Ho Thac Ba mo cua dap tu 0h 10/9,"},
		{"2024-09-10T05:05:59+07:00", "vi", "tu 5h 10/9,"},
		{"2024-09-10T05:05:00+07:00", "en", "Thac Ba dam opens from 05:05 10 Sep."},
	} {
		rev := revision("flood.dam_release", slots(base, "from", c.from))
		texts, err := r.Twins(rev, haTu, c.lang)
		if err != nil {
			t.Fatal(err)
		}
		if x := texts[len(texts)-1]; !strings.Contains(x.Text, c.want) {
			t.Errorf("%s: %s %v, want %s", c.from, x.Text, x.Err, c.want)
		}
	}
	rev := revision("flood.dam_release", slots(base, "from", "2024-09-10T05:05:00+07:00"))
	for i, want := range []string{
		"Hồ Thác Bà mở 3 cửa xả từ 5 giờ 05 ngày 10/9/2024, lưu lượng 2.850 m3/s. Nước sông Chảy qua phường Hà Tu lên nhanh khoảng 0,5 m",
		"Thác Bà dam opens 3 gates from 05:05, 10 Sep 2024 (UTC+7), 2,850 m3/s. The Chảy river through Ha Tu rises fast by about 0.5 m",
	} {
		info := &rev.Infos[i]
		info.Slots["arrival"] = "2024-09-10T06:00:00+07:00"
		if err := r.FillInfo(info, rev, []render.Place{haTu}); err != nil || !strings.Contains(info.Description, want) {
			t.Errorf("%v\n got %s\nwant %s", err, info.Description, want)
		}
	}
	if got := rev.Infos[0].Instruction; strings.Count(got, "\n") != 4 || !strings.HasPrefix(got, "Lên bờ, rời bãi sông, lồng bè trước 7 giờ 05 ngày 10/9/2024.\n") {
		t.Errorf("instruction %q", got)
	}
}

func TestTheMarkedTwinKeepsTheMinutesOfAnEndTheUnmarkedRoundsItUp(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	for until, want := range map[string][2]string{
		"23:10:00": {"đến 23h10 7/9.", "den 0h 8/9."}, "22:00:00": {"đến 22h 7/9.", "den 22h 7/9."}, "21:00:01": {"đến 21h 7/9.", "den 22h 7/9."},
	} {
		rev := revision("heavy_rain.warning", map[string]string{"level": "2", "rain": "100-200", "rain_max": "300", "until": "2024-09-07T" + until + "+07:00"})
		texts, err := r.Twins(rev, haTu, "vi")
		if err != nil || !strings.Contains(texts[0].Text, want[0]) || !strings.Contains(texts[1].Text, want[1]) {
			t.Errorf("%s: %+v %v", until, texts, err)
		}
	}
}

// Missing from and until are the info's own onset and expiry.
func TestTimesOfTheInfo(t *testing.T) {
	t.Parallel()
	r := newRenderer(t, nil)
	rev := revision("storm.emergency", slots(stormSlots(), "from", "", "until", ""))
	rev.Infos[0].Onset = issued.Add(90 * time.Minute)
	push, err := pushOf(r, rev, haTu, "vi")
	if err != nil || !strings.Contains(push.Body, "15h 7/9 đến 19h30 7/9") {
		t.Errorf("%v %s", err, push.Body)
	}
	rev.Infos[0].Onset = time.Time{}
	var slot *render.SlotError
	if _, err = pushOf(r, rev, haTu, "vi"); !errors.As(err, &slot) || slot.Slot != "from" {
		t.Error(err)
	}
	if err := r.FillInfo(&alert.Info{Language: "vi", Template: "storm.emergency"}, rev, nil); err == nil {
		t.Error("an info without values was filled")
	}
}
