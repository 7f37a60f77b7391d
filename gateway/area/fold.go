package area

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// key is a name made comparable: lower case, single spaces, no punctuation.
type key struct {
	marked string // vowels and tones told apart, wherever in the syllable the tone is written (hòa = hoà)
	plain  string // no marks at all, đ as d
}

// Combining marks as NFD writes them.
const (
	grave, acute, tilde, hookAbove, dotBelow = '\u0300', '\u0301', '\u0303', '\u0309', '\u0323'
	circumflex, breve, horn                  = '\u0302', '\u0306', '\u031b'
)

func foldKey(s string) key {
	var marked, plain strings.Builder
	for word := range strings.FieldsFuncSeq(norm.NFD.String(strings.ToLower(s)), partsWords) {
		m, p := foldWord(word)
		if p == "" {
			continue
		}
		if plain.Len() > 0 {
			marked.WriteByte(' ')
			plain.WriteByte(' ')
		}
		marked.WriteString(m)
		plain.WriteString(p)
	}
	return key{marked.String(), plain.String()}
}

// partsWords is true for spaces and punctuation except apostrophes: "Ea H'Leo"
// and "Ea HLeo" are the same name.
func partsWords(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("'’‘`", r)
}

func foldWord(word string) (marked, plain string) {
	var m, p strings.Builder
	var tone rune
	for _, r := range word {
		switch {
		case r == grave || r == acute || r == tilde || r == hookAbove || r == dotBelow:
			tone = r
		case r == circumflex || r == breve || r == horn:
			m.WriteRune(r)
		case r == 'đ':
			m.WriteRune(r)
			p.WriteByte('d')
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			m.WriteRune(r)
			p.WriteRune(r)
		}
	}
	if tone != 0 {
		m.WriteRune(tone)
	}
	marked, plain = m.String(), p.String()
	if trimmed := strings.TrimLeft(plain, "0"); trimmed != "" && isDigits(trimmed) {
		return trimmed, trimmed // "Phường 01" is "Phường 1"
	}
	return marked, plain
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// reading is one way to understand a query: a kind, if one was named, and a name.
type reading struct {
	kind Kind
	name key
}

// The words people write before a name. A one-letter word may also be the
// start of a name, so every query is read without a kind as well.
var kindWords = []struct {
	word string
	kind Kind
}{
	{"thành phố", City}, {"tp", City}, {"tỉnh", Province}, {"đặc khu", Special}, {"phường", Ward}, {"p", Ward},
	{"xã", Commune}, {"x", Commune}, {"quận", UrbanDistrict}, {"q", UrbanDistrict}, {"huyện", District},
	{"huyện đảo", District}, {"h", District}, {"thị xã", Town}, {"tx", Town}, {"thị trấn", Township}, {"tt", Township},
}

var kindKeys = func() []reading {
	keys := make([]reading, len(kindWords))
	for i, w := range kindWords {
		keys[i] = reading{w.kind, foldKey(w.word)}
	}
	return keys
}()

func readings(query string) []reading {
	whole := foldKey(splitNumber(query))
	if whole.plain == "" {
		return nil
	}
	all := []reading{{name: whole}}
	for _, w := range kindKeys {
		plain, ok := strings.CutPrefix(whole.plain, w.name.plain+" ")
		if !ok {
			continue
		}
		marked, ok := strings.CutPrefix(whole.marked, w.name.marked+" ")
		if !ok { // typed without marks, or with other ones
			marked, ok = strings.CutPrefix(whole.marked, w.name.plain+" ")
		}
		if ok {
			all = append(all, reading{w.kind, key{marked, plain}})
		}
	}
	return all
}

// splitNumber parts "Q1" and "P.12" so that they read like "Quận 1", "Phường 12".
func splitNumber(query string) string {
	q := strings.TrimSpace(query)
	if len(q) > 1 && strings.ContainsRune("pPqQ", rune(q[0])) && isDigits(q[1:]) {
		return q[:1] + " " + q[1:]
	}
	return q
}
