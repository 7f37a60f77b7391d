package sms

import (
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"
)

func TestParts(t *testing.T) {
	t.Parallel()
	rep := strings.Repeat
	for name, c := range map[string]struct {
		text     string
		parts    int
		encoding string
	}{
		"empty":                       {"", 1, GSM7},
		"unaccented":                  {"Canh bao lu quet", 1, GSM7},
		"accented":                    {"Cảnh báo lũ quét", 1, UCS2},
		"160 letters":                 {rep("a", 160), 1, GSM7},
		"161 letters":                 {rep("a", 161), 2, GSM7},
		"306 letters":                 {rep("a", 306), 2, GSM7},
		"307 letters":                 {rep("a", 307), 3, GSM7},
		"70 accented":                 {rep("ạ", 70), 1, UCS2},
		"71 accented":                 {rep("ạ", 71), 2, UCS2},
		"134 accented":                {rep("ạ", 134), 2, UCS2},
		"135 accented":                {rep("ạ", 135), 3, UCS2},
		"one accent among 70":         {rep("a", 70) + "ạ", 2, UCS2},
		"accents GSM-7 has":           {rep("à", 160), 1, GSM7},
		"80 euro signs":               {rep("€", 80), 1, GSM7},
		"81 euro signs":               {rep("€", 81), 2, GSM7},
		"escape across the part":      {rep("a", 152) + "€" + rep("a", 7), 2, GSM7},
		"escape kept whole":           {rep("a", 152) + "[" + rep("a", 151) + "b", 3, GSM7},
		"35 emoji":                    {rep("🌊", 35), 1, UCS2},
		"36 emoji":                    {rep("🌊", 36), 2, UCS2},
		"66 emoji":                    {rep("🌊", 66), 2, UCS2},
		"67 emoji, none split":        {rep("🌊", 67), 3, UCS2},
		"line break":                  {"a\nb\r\nc", 1, GSM7},
		"tabulator has no place":      {"a\tb", 1, UCS2},
		"backquote has no place":      {"`", 1, UCS2},
		"lower c cedilla has no part": {"ç", 1, UCS2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if parts, encoding := Parts(c.text); parts != c.parts || encoding != c.encoding {
				t.Errorf("%d parts of %s, want %d of %s", parts, encoding, c.parts, c.encoding)
			}
		})
	}
}

// alphabet is what texts are drawn from: both tables, Vietnamese, emoji.
var alphabet = []rune(gsmBasic + gsmExtension + gsmExtension + gsmExtension)

var wide = []rune("ạảãâầấđêếơờưữỹĐẬẾỮ“”–…🌊🏠⚠")

func drawText(wideToo bool) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		letters := alphabet
		if wideToo {
			letters = append(append([]rune{}, alphabet...), wide...)
		}
		n := rapid.OneOf(rapid.IntRange(0, 500), rapid.IntRange(60, 75), rapid.IntRange(130, 165), rapid.IntRange(300, 310)).Draw(t, "length")
		return string(rapid.SliceOfN(rapid.SampledFrom(letters), n, n).Draw(t, "text"))
	})
}

// Parts are cut one after another as a handset's modem would, from the units
// themselves, and the count must agree.
func TestPartsAgreeWithCutting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := drawText(rapid.Bool().Draw(t, "wide")).Draw(t, "text")
		parts, encoding := Parts(text)
		alone, part := 160, 153
		var letters []int
		for _, r := range text {
			n := len(utf16.Encode([]rune{r}))
			if encoding == GSM7 {
				n = 1
				if strings.ContainsRune(gsmExtension, r) {
					n = 2
				}
			}
			letters = append(letters, n)
		}
		if encoding == UCS2 {
			alone, part = 70, 67
		}
		if want := cut(letters, alone, part); parts != want {
			t.Fatalf("%d parts of %s, want %d", parts, encoding, want)
		}
	})
}

func cut(letters []int, alone, part int) int {
	sum := 0
	for _, n := range letters {
		sum += n
	}
	if sum <= alone {
		return 1
	}
	parts := 0
	for len(letters) > 0 {
		room := part
		for len(letters) > 0 && letters[0] <= room {
			room -= letters[0]
			letters = letters[1:]
		}
		parts++
	}
	return parts
}

func TestPartsGrowWithTheText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := drawText(true).Draw(t, "text")
		shorter, _ := Parts(text)
		longer, _ := Parts(text + string(rapid.SampledFrom(wide).Draw(t, "letter")))
		if longer < shorter {
			t.Fatalf("a longer text takes %d parts, a shorter one %d", longer, shorter)
		}
	})
}
