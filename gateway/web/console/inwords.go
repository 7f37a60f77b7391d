package console

import (
	"strconv"
	"strings"
	"unicode"
)

var viDigits = [10]string{"không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín"}

// inWords writes a count of devices in words, so that a figure that is wrong by
// a factor of ten is seen.
func inWords(lang string, n int) string {
	switch {
	case lang == "vi":
		text := []rune(viNumber(n) + " máy")
		text[0] = unicode.ToUpper(text[0])
		return string(text)
	case n >= 1_000_000:
		return strconv.FormatFloat(float64(n)/1_000_000, 'f', 1, 64) + " million devices"
	case n >= 1000:
		return strconv.FormatFloat(float64(n)/1000, 'f', 1, 64) + " thousand devices"
	}
	return strconv.Itoa(n) + " devices"
}

// viNumber reads a whole number as it is said in Vietnamese.
func viNumber(n int) string {
	if n < 0 {
		return "âm " + viNumber(-n)
	}
	if n == 0 {
		return viDigits[0]
	}
	var parts []string
	for _, unit := range []struct {
		size int
		name string
	}{{1_000_000_000, "tỷ"}, {1_000_000, "triệu"}, {1000, "nghìn"}, {1, ""}} {
		part := n / unit.size
		if unit.size < 1_000_000_000 {
			part %= 1000
		}
		if part == 0 {
			continue
		}
		text := viHundreds(part, len(parts) > 0)
		if part >= 1000 {
			text = viNumber(part)
		}
		parts = append(parts, strings.TrimSpace(text+" "+unit.name))
	}
	return strings.Join(parts, " ")
}

// viHundreds reads a number below a thousand; full says that larger groups stand
// before it, so that "không trăm" and "lẻ" are said.
func viHundreds(n int, full bool) string {
	hundreds, tens, ones := n/100%10, n/10%10, n%10
	var parts []string
	if hundreds > 0 || full {
		parts = append(parts, viDigits[hundreds]+" trăm")
	}
	switch {
	case tens == 0 && ones > 0 && len(parts) > 0:
		parts = append(parts, "lẻ")
	case tens == 1:
		parts = append(parts, "mười")
	case tens > 1:
		parts = append(parts, viDigits[tens]+" mươi")
	}
	switch {
	case ones == 1 && tens > 1:
		parts = append(parts, "mốt")
	case ones == 4 && tens > 1:
		parts = append(parts, "tư")
	case ones == 5 && tens > 0:
		parts = append(parts, "lăm")
	case ones > 0:
		parts = append(parts, viDigits[ones])
	}
	return strings.Join(parts, " ")
}
