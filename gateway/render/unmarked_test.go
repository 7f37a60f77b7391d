package render

import (
	"testing"

	"loa/templates"
)

// No unmarked text of the catalogue and no unmarked word of a fixed list holds
// a word that reads two ways without its marks.
func TestUnmarkedWordsAreSafe(t *testing.T) {
	t.Parallel()
	c, err := loadCatalogue(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range c.order {
		if e.form != FormUnmarked {
			continue
		}
		seen++
		text := ""
		for _, p := range e.pieces {
			if p.slot {
				text += "{" + p.text + "}"
			} else {
				text += p.text
			}
		}
		if w := RiskyWord(text); w != "" {
			t.Errorf("%s: %q in %s", e.key, w, text)
		}
	}
	if seen != 29 {
		t.Errorf("%d unmarked texts", seen)
	}
	for list, words := range c.words {
		for code, w := range words {
			if list != "direction" && list != "role" && RiskyWord(w.ascii) != "" {
				t.Errorf("%s %s: %q in %s", list, code, RiskyWord(w.ascii), w.ascii)
			}
			if w.ascii != unmark(w.ascii) {
				t.Errorf("%s %s: %s has marks", list, code, w.ascii)
			}
		}
	}
}

func TestRiskyWordsAreFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"dung di ra ngoai": "dung", "se xa lu": "xa", "chay rung o Yen Tu": "chay", "canh bao bao": "bao", "len bo cao": "", "bo thuyen": "bo",
		"tu so tan": "tu", "gio manh tu 16h 27/11": "", "den khi co tin": "den", "den 19h 7/9": "", "moi nguoi len cao": "moi nguoi",
		"khong di, khong ra ngoai": "", "mo cua dap, nuoc song len nhanh": "", "Bao so 3, rui ro cap 4": "", "KHONG co nguy hiem that": "",
		"khong that": "that", "X.Cam Giang": "cam", "cho ngap": "", "cho tin": "cho",
	} {
		if got := RiskyWord(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestUnmark(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Đặc khu Bạch Long Vĩ": "Dac khu Bach Long Vi", "Ea H’Leo": "Ea H'Leo", "Thủy": "Thuy", "Thu\u0309y": "Thuy", "đường": "duong",
	} {
		if got := unmark(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
