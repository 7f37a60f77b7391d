package render

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// The wording that no text for the public may hold.
var (
	errEmpty   = errors.New("must not be empty")
	errSigns   = errors.New("must not hold exclamation marks, braces, bars, emoji or control characters")
	errLink    = errors.New("must not hold a link")
	errNumbers = errors.New("must not hold a phone or account number other than 112, 113, 114 and 115")
	errURL     = errors.New("must be an https address without user, port, query or fragment")
	errPhone   = errors.New("must be a Vietnamese phone number in digits and spaces")
)

var (
	linkWords = regexp.MustCompile(`(?i)https?:|www\.|://|@|\b[a-z0-9-]+\.(?:com|vn|net|org|info|io|me|ly|top|xyz|example)\b`)
	digitRun  = regexp.MustCompile(`\d(?:[ .-]?\d)*`)
	urlRule   = regexp.MustCompile(`^https://[a-z0-9.-]+/[A-Za-z0-9/_-]+$`)
	phoneRule = regexp.MustCompile(`^(?:0[0-9 ]{8,12}|11[2-5])$`)
)

// So many digits are no figure ("16000", "1.000-1.200") but a telephone or
// account number: in one piece, and with spaces, dots and hyphens.
const (
	longPiece = 7
	longRun   = 9
)

// checkWords refuses an author's words that would break the rules of wording
// wherever they stand.
func checkWords(v string) error {
	if strings.TrimSpace(v) != v || v == "" {
		return errEmpty
	}
	for _, c := range v {
		if c == '!' || c == '{' || c == '}' || c == '|' || unicode.IsControl(c) || !unicode.IsPrint(c) || unicode.Is(unicode.So, c) {
			return errSigns
		}
	}
	if linkWords.MatchString(v) {
		return errLink
	}
	for _, run := range digitRun.FindAllString(v, -1) {
		pieces := strings.FieldsFunc(run, func(c rune) bool { return c < '0' || c > '9' })
		if len(strings.Join(pieces, "")) >= longRun || slices.ContainsFunc(pieces, func(p string) bool { return len(p) >= longPiece }) {
			return errNumbers
		}
	}
	return nil
}

func checkURL(v string) error {
	if !urlRule.MatchString(v) {
		return errURL
	}
	return nil
}

func checkPhone(v string) error {
	if !phoneRule.MatchString(v) {
		return errPhone
	}
	return nil
}

// risky are words that mean something else without their marks: "dung" is
// đừng, dùng, dừng and đúng.
var risky = func() map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq("dung xa chay lua bao lu song bo roi be xuong de can cam cho doi den tu tranh ho tam nam dong ngam that") {
		set[w] = true
	}
	return set
}()

// safe are the phrases in which a risky word can be read in one way only.
var safe = regexp.MustCompile(strings.Join([]string{
	`bao so \d+`, `bao so \{storm_no\}`, `bao (?:yagi|\{storm_name\})`, `bao da yeu`, `vung bao`, `canh bao(?: song than)?`, `bao dong`, `bao chay 114`,
	`bao \{hamlet\}`, `nuoc lu(?: song)?`, `lu quet`, `nuoc song`, `song than`, `song den`, `ven song`, `nuoc bien dang`, `ho \{reservoir\}`,
	`len bo`, `vao bo`, `bo cao`, `cho cao`, `cho ngap`, `cho phep`,
	`(?:den|tu) (?:\d{1,2}h|\{(?:from|until|before|arrival)\})`, `du kien`,
	`rung boc chay`, `ra khoi`, `long be`, `tre em`, `lua dao`, `tam ngung`, `sua thanh`,
	`cuu nan`, `gio cap`, `rui ro cap`, `dien tap`, `nguy hiem that`, `so tan den`, `khong can lam gi`,
	`dong dat`, `bien dong`, `di dong`, `nhiet doi`,
}, "|"))

// RiskyWord is the first word of a text without marks that reads two ways, or
// "". The desk warns an author who writes such a text by hand.
func RiskyWord(text string) string {
	rest := safe.ReplaceAllString(strings.ToLower(text), " . ")
	for _, w := range strings.FieldsFunc(rest, func(c rune) bool { return !unicode.IsLetter(c) && c != '_' && c != '{' && c != '}' }) {
		if risky[w] {
			return w
		}
	}
	for _, phrase := range []string{"moi nguoi", "mat song", "hoi truong thon"} {
		if strings.Contains(rest, phrase) {
			return phrase
		}
	}
	return ""
}
