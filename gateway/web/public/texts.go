package public

import (
	"encoding/csv"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// words are the texts of one language, by key.
type words struct {
	lang string
	text map[string]string
}

// texts are the words by language.
type texts map[string]*words

// readTexts reads texts.csv: a key and its text in every language. An error
// names the line and the rule.
func readTexts(files fs.FS) (texts, error) {
	f, err := files.Open("texts.csv")
	if err != nil {
		return nil, fmt.Errorf("live page: %w", err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("live page: texts.csv: %w", err)
	}
	all := texts{}
	for n, row := range rows {
		for i, cell := range row {
			switch {
			case n == 0 && i > 0:
				all[cell] = &words{lang: cell, text: map[string]string{}}
			case n == 0 || i == 0:
			case strings.TrimSpace(cell) == "":
				return nil, fmt.Errorf("live page: texts.csv: line %d: %s: no %s text", n+1, row[0], rows[0][i])
			default:
				all[rows[0][i]].text[row[0]] = cell
			}
		}
	}
	if all["vi"] == nil || all["en"] == nil {
		return nil, fmt.Errorf("live page: texts.csv: line 1: columns vi and en are required")
	}
	return all, nil
}

// say is a text with its slots filled: say("sys.down", "p", "A", "k", "SMS").
// Integers are written as the language groups them; a key with ".one" after it
// is of one "n". Keys are all in the source
// and templates; one that is missing is an error.
func (w *words) say(key string, slots ...any) (string, error) {
	text, ok := w.text[key]
	for i := 0; i+1 < len(slots); i += 2 {
		if one, found := w.text[key+".one"]; found && slots[i] == "n" && slots[i+1] == 1 {
			text = one
		}
	}
	if !ok {
		return "", fmt.Errorf("text %q: not in texts.csv", key)
	}
	for i := 0; i+1 < len(slots); i += 2 {
		value := fmt.Sprint(slots[i+1])
		if n, ok := slots[i+1].(int); ok {
			value = w.number(n)
		}
		text = strings.ReplaceAll(text, fmt.Sprintf("{%s}", slots[i]), value)
	}
	return text, nil
}

// number groups thousands: 7.151 in Vietnamese, 7,151 in English.
func (w *words) number(n int) string {
	digits := strconv.Itoa(n)
	sep := byte('.')
	if w.lang == "en" {
		sep = ','
	}
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(sep)
		}
		b.WriteByte(digits[i])
	}
	return b.String()
}

var vietnam = time.FixedZone("+07:00", 7*60*60)

// clock is the time of day with seconds.
func clock(t time.Time) string { return t.In(vietnam).Format("15:04:05") }

// moment is a time and date: 7/9/2024 in Vietnamese, and in English with the
// month in letters, which no reader takes for the 9th of July.
func (w *words) moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	layout := "15:04, 2/1/2006"
	if w.lang == "en" {
		layout = "15:04, 2 Jan 2006"
	}
	return t.In(vietnam).Format(layout)
}

// fold makes names comparable however they were typed: lower case, no marks,
// single spaces.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		switch {
		case r == 'đ':
			b.WriteByte('d')
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
