package render_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"loa/channels/sms"
)

var slotName = regexp.MustCompile(`\{[a-z_]+\}`)

// prose is a text without its slots.
func prose(s string) string { return slotName.ReplaceAllString(s, "□") }

func isSMS(r row) bool { return strings.HasPrefix(r.channel, "sms") }

// mockTemplate tells the texts that say of themselves that nothing is real.
func mockTemplate(r row) bool { return statusFor(r.template) != "Actual" }

// Signs, digits and links that no text may hold.
func TestWordingSigns(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`(?i)https?:|www\.|://|@|\.(com|vn|net|org)\b`)
	number := regexp.MustCompile(`\d[\d .-]*\d|\d`)
	for _, r := range rows(t) {
		text := prose(r.text)
		if !norm.NFC.IsNormalString(r.text) {
			t.Errorf("%s: not NFC", r.id)
		}
		for _, c := range text {
			if c == '!' || c == '?' && r.lang == "vi" || unicode.Is(unicode.So, c) && c != '□' || unicode.IsControl(c) || c == '–' || c == '—' {
				t.Errorf("%s: sign %q", r.id, c)
			}
		}
		if link.MatchString(text) {
			t.Errorf("%s: a link", r.id)
		}
		if strings.Contains(r.text, "{ack_url}") && r.template != "command.roster_drill" {
			t.Errorf("%s: a link outside the roster drill", r.id)
		}
		for _, n := range number.FindAllString(text, -1) {
			if len(n) > 3 || len(n) == 3 && !slices.Contains([]string{"112", "113", "114", "115"}, n) {
				t.Errorf("%s: number %s", r.id, n)
			}
		}
	}
}

// Words that are never written, and orders that are forbidden with "không".
func TestWordingWords(t *testing.T) {
	t.Parallel()
	never := []string{
		"đừng", "bấm vào đây", "chia sẻ ngay", "an toàn tuyệt đối", "hôm nay", "ngày mai", "tối nay", "đêm nay", "chủ nhật", "thứ hai", "khẩn trương",
		"click", "today", "tonight", "tomorrow", "monday", "sunday", "chết", "thiệt mạng", "kinh hoàng", "khủng khiếp",
		"nơi đã sơ tán", "quay lại nơi", "về nơi", // the shelter as much as the home
	}
	for _, r := range rows(t) {
		low := strings.ToLower(r.text)
		for _, w := range never {
			if strings.Contains(low, w) {
				t.Errorf("%s: %q", r.id, w)
			}
		}
		if r.template == "any.stop" && r.channel != "loudspeaker" && strings.Contains(low, "hết nguy hiểm") &&
			!strings.Contains(low, "chưa phải hết nguy hiểm") && !strings.Contains(low, "không có nghĩa là hết nguy hiểm") {
			t.Errorf("%s: a stop that reads as an all-clear", r.id)
		}
	}
}

// "cấp" never stands bare: wind, gust and risk are told apart; tsunami has
// "mức", a river "báo động".
func TestTwoWordsForLevel(t *testing.T) {
	t.Parallel()
	vi := regexp.MustCompile(`(?i)(\S+ \S+|\S+)?\s*\b(c[ấa]p) \{(\w+)\}`)
	for _, r := range rows(t) {
		if r.lang == "en" {
			for _, pair := range [][2]string{{"{level}", "risk level {level}"}, {"{wind}", "force {wind}"}} {
				if strings.Count(r.text, pair[0]) != strings.Count(r.text, pair[1]) {
					t.Errorf("%s: %s without its word", r.id, pair[0])
				}
			}
			continue
		}
		for _, m := range vi.FindAllStringSubmatch(r.text, -1) {
			before := strings.ToLower(m[1])
			ok := m[3] == "level" && hasAny(before, "rủi ro", "rui ro", "thiên tai") || m[3] == "wind" && hasAny(before, "gió", "gio", "mạnh nhất")
			if !ok {
				t.Errorf("%s: bare %q", r.id, m[0])
			}
		}
		for _, slot := range []string{"level", "wind"} {
			if n := strings.Count(r.text, "{"+slot+"}"); n != strings.Count(strings.ToLower(r.text), "cấp {"+slot+"}")+strings.Count(r.text, "cap {"+slot+"}") {
				t.Errorf("%s: {%s} without cấp", r.id, slot)
			}
		}
		if strings.HasPrefix(r.template, "tsunami.") && strings.Contains(r.text, "rủi ro") {
			t.Errorf("%s: tsunami tiers are not risk levels", r.id)
		}
		if strings.Contains(r.text, "{gust}") && !strings.Contains(strings.ToLower(r.text), "giật {gust}") {
			t.Errorf("%s: gust without giật", r.id)
		}
	}
}

func hasAny(s string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}

// Sender, time, place, rescue number and code, in that order.
func TestOrderOfAnSMS(t *testing.T) {
	t.Parallel()
	noRescue := []string{"any.correction_false", "any.test", "any.exercise", "command.roster_drill", "command.runner_task"}
	noArea := []string{"any.test", "command.roster_drill", "command.runner_task"}
	for _, r := range rows(t) {
		if !isSMS(r) {
			continue
		}
		at := func(s string) int { return strings.Index(r.text, s) }
		code := at("Mã {code}") + at("Ma {code}") + at("Ref {code}")
		if code < 0 || strings.Count(r.text, "{code}") != 1 {
			t.Errorf("%s: no code", r.id)
		}
		if end := strings.TrimSpace(r.text[strings.Index(r.text, "{code}")+6:]); end != "" && !mockTemplate(r) {
			t.Errorf("%s: %q after the code", r.id, end)
		}
		if at("{agency}") < 0 || at("{agency}") > 40 {
			t.Errorf("%s: the sender is not at the beginning", r.id)
		}
		if !strings.Contains(r.text, "{issued_at}") && r.template != "command.runner_task" {
			t.Errorf("%s: no time of issue", r.id)
		}
		if at("{issued_at}") >= 0 && at("{issued_at}") < at("{agency}") {
			t.Errorf("%s: time before sender", r.id)
		}
		if !slices.Contains(noArea, r.template) && at("{area}") < at("{agency}") {
			t.Errorf("%s: no place after the sender", r.id)
		}
		if !slices.Contains(noRescue, r.template) && (at("112") < 0 || at("112") > at("{code}")) {
			t.Errorf("%s: no 112 before the code", r.id)
		}
	}
}

// How each kind of message begins.
func TestMarkersOfTheFourActs(t *testing.T) {
	t.Parallel()
	markers := map[string][3]string{
		"any.correction_false": {"ĐÍNH CHÍNH", "DINH CHINH", "CORRECTION"}, "any.correction_detail": {"ĐÍNH CHÍNH", "DINH CHINH", "CORRECTION"},
		"any.correction_all_clear": {"ĐÍNH CHÍNH", "DINH CHINH", "CORRECTION"},
		"any.update":               {"CẬP NHẬT, thay tin mã {old_code}", "CAP NHAT thay tin ma {old_code}", "UPDATE, replaces {old_code}"},
		"any.stop":                 {"DỪNG TIN", "TAM NGUNG", "STOPPED"}, "any.all_clear": {"HẾT NGUY HIỂM do {hazard}", "HET NGUY HIEM do {hazard}", "ALL CLEAR, {hazard}"},
		"tsunami.cancel": {"HẾT CẢNH BÁO SÓNG THẦN", "HET CANH BAO SONG THAN", "TSUNAMI WARNING ENDED"},
	}
	first := map[string][3]string{
		"any.test": {"THỬ NGHIỆM", "THU NGHIEM", "TEST"}, "any.exercise": {"DIỄN TẬP", "DIEN TAP", "EXERCISE"},
		"command.roster_drill": {"DIỄN TẬP", "DIEN TAP", "EXERCISE"},
		"command.runner_task":  {"CHỈ ĐI KHI AN TOÀN", "CHI DI KHI AN TOAN", "GO ONLY IF"},
	}
	which := func(r row) int {
		switch {
		case r.lang == "en":
			return 2
		case r.channel == "sms-ascii":
			return 1
		}
		return 0
	}
	found := 0
	for _, r := range rows(t) {
		if m, ok := markers[r.template]; ok && isSMS(r) {
			found++
			if _, after, ok := strings.Cut(r.text, "{issued_at}: "); !ok || !strings.HasPrefix(after, m[which(r)]) {
				t.Errorf("%s does not begin with %s after sender and time: %s", r.id, m[which(r)], r.text)
			}
		}
		if m, ok := first[r.template]; ok && r.channel != "loudspeaker" {
			found++
			if !strings.HasPrefix(r.text, m[which(r)]) {
				t.Errorf("%s does not begin with %s: %s", r.id, m[which(r)], r.text)
			}
			if mockTemplate(r) && (isSMS(r) || r.channel == "app-description") && !strings.HasSuffix(strings.TrimSuffix(r.text, "."), m[which(r)]) {
				t.Errorf("%s does not end with %s", r.id, m[which(r)])
			}
		}
		if r.template == "any.test" && strings.Contains(r.text, "{hazard}") {
			t.Errorf("%s: a test names a hazard", r.id)
		}
	}
	if found != len(markers)*3+len(first)*(3+4+6) {
		t.Errorf("%d texts checked", found)
	}
}

// Capitals: at most five words in a row, and only the words of the markers.
func TestCapitals(t *testing.T) {
	t.Parallel()
	allowed := strings.Fields("ĐÍNH CHÍNH DINH CHINH CẬP NHẬT CAP NHAT HẾT HET NGUY HIỂM HIEM DỪNG TIN TAM NGUNG CẢNH CANH BÁO BAO SÓNG SONG THẦN THAN " +
		"THỬ THU NGHIỆM NGHIEM DIỄN DIEN TẬP TAP CHỈ CHI ĐI DI KHI AN TOÀN TOAN NGAY VẪN VAN CHƯA CHUA KHÔNG KHONG MỨC MUC PHẢI " +
		"CORRECTION UPDATE ALL CLEAR STOPPED TEST EXERCISE GO ONLY IF IT IS SAFE TSUNAMI WARNING ENDED NOT NOW NO DANGER REMAINS QR UTC")
	for _, r := range rows(t) {
		run := 0
		for w := range strings.FieldsSeq(strings.NewReplacer("□", " ", "|", " ").Replace(prose(r.text))) {
			w = strings.Trim(w, ".,:;()")
			if utf8.RuneCountInString(w) < 2 || w != strings.ToUpper(w) || strings.ContainsAny(w, "0123456789") {
				run = 0
				continue
			}
			if !slices.Contains(allowed, w) {
				t.Errorf("%s: capitals %s", r.id, w)
			}
			if run++; run > 6 || run > 5 && r.lang == "vi" {
				t.Errorf("%s: %d words of capitals in a row", r.id, run)
			}
		}
	}
}

// A push names the hazard in its title, and its body begins with the sender.
func TestPush(t *testing.T) {
	t.Parallel()
	for _, r := range rows(t) {
		switch r.channel {
		case "push-title":
			if utf8.RuneCountInString(r.longest) > 50 {
				t.Errorf("%s: %d characters", r.id, utf8.RuneCountInString(r.longest))
			}
		case "push-body":
			_, rest, marked := strings.Cut(r.text, ". ")
			if !strings.HasPrefix(r.text, "{agency}") && (!marked || !strings.HasPrefix(rest, "{agency}")) {
				t.Errorf("%s: begins %s", r.id, r.text)
			}
			if utf8.RuneCountInString(r.longest) > 160 {
				t.Errorf("%s: %d characters", r.id, utf8.RuneCountInString(r.longest))
			}
		case "app-description":
			if !strings.Contains(r.text, "{issued_at}") || !strings.Contains(r.text, "{code}") || !strings.Contains(r.text, "{agency}") {
				t.Errorf("%s: time, code or sender is missing", r.id)
			}
		case "app-headline":
			if utf8.RuneCountInString(r.longest) > 160 {
				t.Errorf("%s: %d characters, CAP advises 160", r.id, utf8.RuneCountInString(r.longest))
			}
		}
	}
}

// Part counts: what the catalogue promises, what we count, and that a text
// without marks is one GSM-7 message.
func TestPartsOfTheCatalogue(t *testing.T) {
	t.Parallel()
	for _, r := range rows(t) {
		if !isSMS(r) {
			continue
		}
		typical, errT := strconv.Atoi(r.typical)
		most, errM := strconv.Atoi(r.most)
		if errT != nil || errM != nil || typical < 1 || typical > most || most > 3 {
			t.Errorf("%s: parts %s/%s", r.id, r.typical, r.most)
		}
		parts, encoding := sms.Parts(r.longest)
		if parts != most {
			t.Errorf("%s: %d parts, the catalogue says %d", r.id, parts, most)
		}
		want := sms.GSM7
		if r.channel == "sms" && r.lang == "vi" {
			want = sms.UCS2
		}
		if encoding != want || r.channel == "sms-ascii" && parts != 1 {
			t.Errorf("%s: %s in %d parts", r.id, encoding, parts)
		}
	}
}
