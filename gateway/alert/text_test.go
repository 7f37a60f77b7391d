package alert

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTextRules(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text                 string
		markup, link, unseen bool
	}{
		{text: "BCH PTDS Quảng Ninh tin 13h30 27/11: Bão số 3, gió cấp 12-14. P.Ha Tu: ở trong nhà. Cứu nạn 112. Mã K7M2"},
		{text: "TP.HCM, Tx.Quảng Yên; mưa 1.250 mm, 0.5 m.Co lu"},
		{text: "Roi bai song.Co lu quet.Ve nha ngay"},
		{text: "Böen <75 km/h & mehr > 50"},
		{text: "hai dòng\nvà\tcột\r\nba"},
		{text: "đè\rlên", unseen: true},
		{text: "a <b>b</b>", markup: true},
		{text: "dòng<br/>mới", markup: true},
		{text: "<!-- ẩn", markup: true},
		{text: "Tom &amp; Jerry", markup: true},
		{text: "&#x41;", markup: true},
		{text: "xem https://quangninh.gov.vn/tin", link: true},
		{text: "vào quangninh.gov.vn để xem", link: true},
		{text: "(cuutro-bao3.com)", link: true},
		{text: "WWW.abc", link: true},
		{text: "bit.ly/3abc", link: true},
		{text: "T.ME/cuutro", link: true},
		{text: "zalo.me/123", link: true},
		{text: "mở javascript:alert", link: true},
		{text: "an\u200btoàn", unseen: true},
		{text: "\u202ehná", unseen: true},
		{text: "\u2066x\u2069", unseen: true},
		{text: "\ufeffTin", unseen: true},
		{text: "so\u00adft", unseen: true},
		{text: "chuông\a", unseen: true},
		{text: "dòng\u2028mới", unseen: true},
		{text: "\u3164", unseen: true},
		{text: "hỏng \xff", unseen: true},
	}
	for _, tt := range tests {
		if got := HasMarkup(tt.text); got != tt.markup {
			t.Errorf("HasMarkup(%q) = %v", tt.text, got)
		}
		if got := HasLink(tt.text); got != tt.link {
			t.Errorf("HasLink(%q) = %v", tt.text, got)
		}
		if got := Unseen(tt.text); got != tt.unseen {
			t.Errorf("Unseen(%q) = %v", tt.text, got)
		}
	}
}

func TestNamesAndAddresses(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"loa.quangninh.example": true, "urn:oid:2.49.0.0.704.0": true, "": false, "a b": false, "a,b": false,
		"a<b": false, "a&b": false, "a\u00a0b": false, "a\nb": false, "a\x00": false, "\xff": false,
	} {
		if got := Name(s); got != want {
			t.Errorf("Name(%q) = %v", s, got)
		}
	}
	for s, want := range map[string]bool{
		"https://quangninh.example/a": true, "http://x": true, "quangninh.example": false, "/a": false,
		"javascript:alert(1)": false, "https:///a": false, "": false, "ftp://x/y": false, "https://%zz": false,
	} {
		if got := AbsoluteURL(s); got != want {
			t.Errorf("AbsoluteURL(%q) = %v", s, got)
		}
	}
}

// Every text of the catalogue may be sent: only the duty roster's has a link.
func TestCatalogueKeepsTheTextRules(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "message-templates.csv"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("the catalogue does not stand beside the checkout")
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 100 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		for _, text := range row {
			if HasMarkup(text) || Unseen(text) || HasLink(text) && !strings.HasPrefix(row[0], "command.") {
				t.Errorf("%s: %q", row[0], text)
			}
		}
	}
}
