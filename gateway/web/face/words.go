// Package face is what the pages of the gateway share: their words by language,
// their assets, and answers in the encoding a visitor takes. It must not know
// what a page shows.
package face

import (
	"encoding/csv"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// Words are the texts of one language, by key.
type Words struct {
	Lang string
	Text map[string]string
}

// ReadTexts reads a file of texts, a key and its text in every language, and
// returns the words by language. An error names the line and the rule.
func ReadTexts(files fs.FS, name string) (map[string]*Words, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	all := map[string]*Words{}
	for n, row := range rows {
		for i, cell := range row {
			switch {
			case n == 0 && i > 0:
				all[cell] = &Words{Lang: cell, Text: map[string]string{}}
			case n == 0 || i == 0:
			case strings.TrimSpace(cell) == "":
				return nil, fmt.Errorf("%s: line %d: %s: no %s text", name, n+1, row[0], rows[0][i])
			default:
				all[rows[0][i]].Text[row[0]] = cell
			}
		}
	}
	if all["vi"] == nil || all["en"] == nil {
		return nil, fmt.Errorf("%s: line 1: columns vi and en are required", name)
	}
	return all, nil
}

// Say is a text with its slots filled: Say("sys.down", "p", "A", "k", "SMS").
// Integers are written as the language groups them; a key with ".one" after it
// is of one "n". Keys are all in the source
// and templates; one that is missing is an error.
func (w *Words) Say(key string, slots ...any) (string, error) {
	text, ok := w.Text[key]
	for i := 0; i+1 < len(slots); i += 2 {
		if one, found := w.Text[key+".one"]; found && slots[i] == "n" && slots[i+1] == 1 {
			text = one
		}
	}
	if !ok {
		return "", fmt.Errorf("text %q: there is none", key)
	}
	for i := 0; i+1 < len(slots); i += 2 {
		value := fmt.Sprint(slots[i+1])
		if n, ok := slots[i+1].(int); ok {
			value = w.Number(n)
		}
		text = strings.ReplaceAll(text, fmt.Sprintf("{%s}", slots[i]), value)
	}
	return text, nil
}

// Number groups thousands: 7.151 in Vietnamese, 7,151 in English.
func (w *Words) Number(n int) string {
	digits := strconv.Itoa(n)
	sep := byte('.')
	if w.Lang == "en" {
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

// Vietnam is the zone that people read.
var Vietnam = time.FixedZone("+07:00", 7*60*60)

// Clock is the time of day with seconds.
func Clock(t time.Time) string { return t.In(Vietnam).Format("15:04:05") }

// Moment is a time and date: 7/9/2024 in Vietnamese, and in English with the
// month in letters, which no reader takes for the 9th of July.
func (w *Words) Moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	layout := "15:04, 2/1/2006"
	if w.Lang == "en" {
		layout = "15:04, 2 Jan 2006"
	}
	return t.In(Vietnam).Format(layout)
}
