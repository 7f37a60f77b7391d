package render

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// word is one choice of a fixed list. An empty ascii means that no unmarked
// wording is safe: the unmarked SMS is then not made.
type word struct{ vi, ascii, en string }

func (w word) in(s shape) string {
	switch {
	case s.lang == "en":
		return w.en
	case s.unmarked():
		return w.ascii
	default:
		return w.vi
	}
}

func (c *catalogue) addWord(list, code string, w word) error {
	if list == "" || code == "" || w.vi == "" || w.en == "" {
		return fmt.Errorf("list, code, vi and en must be set")
	}
	if c.words[list] == nil {
		c.words[list] = map[string]word{}
	}
	if _, ok := c.words[list][code]; ok {
		return fmt.Errorf("%s %s stands there twice", list, code)
	}
	c.words[list][code] = w
	c.codes[list] = append(c.codes[list], code)
	return nil
}

// stormCode is a storm with its number or its name: "storm:3", "storm:Yagi".
var stormCode = regexp.MustCompile(`^storm:(?:([1-9][0-9]?)|(\p{Lu}[\p{L}-]{1,8}))$`)

// fixed looks a code up in a list.
func (c *catalogue) fixed(list, code string) (word, bool) {
	if m := stormCode.FindStringSubmatch(code); m != nil && list == "hazard" {
		if m[1] != "" {
			return word{vi: "bão số " + m[1], ascii: "bao so " + m[1], en: "storm no. " + m[1]}, true
		}
		return word{vi: "bão " + m[2], ascii: "Bao " + unmark(m[2]), en: "storm " + unmark(m[2])}, true
	}
	w, ok := c.words[list][code]
	return w, ok
}

// unmark writes Vietnamese without its marks: Cẩm Giàng becomes Cam Giang.
func unmark(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'đ':
			b.WriteByte('d')
		case r == 'Đ':
			b.WriteByte('D')
		case r == '’':
			b.WriteByte('\'')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// levelSpeeds are the wind levels in km/h (annex III of Decision
// 18/2021/QĐ-TTg), lowest and highest speed of levels 0 to 17.
var levelSpeeds = [18][2]int{
	{0, 1}, {1, 5}, {6, 11}, {12, 19}, {20, 28}, {29, 38}, {39, 49}, {50, 61}, {62, 74}, {75, 88}, {89, 102}, {103, 117},
	{118, 133}, {134, 149}, {150, 166}, {167, 183}, {184, 201}, {202, 220},
}

// speeds turns wind levels ("12-14") into the km/h they stand for
// ("118-166"). It returns "" for anything else.
func speeds(levels string) string {
	lo, hi, ok := strings.Cut(levels, "-")
	if !ok {
		hi = lo
	}
	a, errA := strconv.Atoi(lo)
	b, errB := strconv.Atoi(hi)
	if errA != nil || errB != nil || a < 0 || b < a || b >= len(levelSpeeds) {
		return ""
	}
	return fmt.Sprintf("%d-%d", levelSpeeds[a][0], levelSpeeds[b][1])
}

// riskLevel is one of the five disaster risk levels (Decision
// 18/2021/QĐ-TTg, article 4) with the colour it has on a map; the hex value is
// our choice within that colour.
type riskLevel struct{ name, nameEN, colour, colourEN, hex string }

var riskLevels = [5]riskLevel{
	{"rủi ro thấp", "low", "xanh dương nhạt", "light blue", "#9ecae1"},
	{"rủi ro trung bình", "medium", "vàng nhạt", "light yellow", "#ffeda0"},
	{"rủi ro lớn", "high", "da cam", "orange", "#fd8d3c"},
	{"rủi ro rất lớn", "very high", "đỏ", "red", "#e31a1c"},
	{"rủi ro ở mức thảm họa", "catastrophic", "tím", "purple", "#6a3d9a"},
}
