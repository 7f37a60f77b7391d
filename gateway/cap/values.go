package cap

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"loa/gateway/alert"
)

// word reads a value of a closed list.
func word[T ~string](at position, rule, name, text string, list []T) (T, error) {
	if !slices.Contains(list, T(text)) {
		return "", at.refuse(rule, "<%s> is %.40q, which is none of CAP's words for it", name, text)
	}
	return T(text), nil
}

var dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$`)

// time reads a date and time. Its offset is kept. Without one, nobody can tell
// when it is, and it is refused.
func (s *scanner) time(at position, name, text string) (time.Time, error) {
	parts := dateTime.FindStringSubmatch(text)
	if parts == nil {
		return time.Time{}, at.refuse("C06", "<%s> is %.40q, which is no date and time", name, text)
	}
	if parts[2] == "" {
		return time.Time{}, at.refuse("A25", "<%s> has no offset from UTC", name)
	}
	t, err := parseTime(text)
	if err != nil || t.IsZero() {
		return time.Time{}, at.refuse("C06", "<%s> is %.40q, which is no date and time", name, text)
	}
	if parts[1] != "" {
		s.noteAt(at, "C06", "<%s> has fractions of a second, which are cut off", name)
	}
	if parts[2] == "Z" {
		s.noteAt(at, "C06", "<%s> has the letter Z for an offset", name)
	}
	return t, nil
}

// farthest is the largest offset from UTC that XML Schema knows.
const farthest = 14 * 60 * 60

// parseTime keeps the offset and cuts off fractions of a second.
func parseTime(text string) (time.Time, error) {
	t, err := time.ParseInLocation(time.RFC3339, text, time.UTC)
	if _, offset := t.Zone(); err == nil && (offset > farthest || offset < -farthest) {
		return time.Time{}, errors.New("cap: no such offset from UTC")
	}
	return t.Truncate(time.Second), err
}

// references reads "sender,identifier,sent …" and returns the entries that are
// something else.
func references(text string) (refs []alert.Reference, wrong []string) {
	for entry := range strings.FieldsSeq(text) {
		parts := strings.Split(entry, ",")
		if len(parts) != 3 || parts[0] == "" || parts[1] == "" || !dateTime.MatchString(parts[2]) {
			wrong = append(wrong, entry)
			continue
		}
		sent, err := parseTime(parts[2])
		if err != nil {
			wrong = append(wrong, entry)
			continue
		}
		refs = append(refs, alert.Reference{Sender: parts[0], Identifier: parts[1], Sent: sent})
	}
	return refs, wrong
}

// quotedList reads items separated by white space; one that contains white
// space stands in double quotes.
func quotedList(at position, rule, name, text string) ([]string, error) {
	var items []string
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimLeft(rest, " \t\r\n") {
		if rest[0] == '"' {
			item, after, closed := strings.Cut(rest[1:], `"`)
			if !closed {
				return nil, at.refuse(rule, "<%s> has a quotation mark without its second", name)
			}
			items = appendFilled(items, strings.Join(strings.FieldsFunc(item, isSpace), " "))
			rest = after
			continue
		}
		end := strings.IndexAny(rest, " \t\r\n")
		if end < 0 {
			end = len(rest)
		}
		items = appendFilled(items, strings.ReplaceAll(rest[:end], `"`, ""))
		rest = rest[end:]
	}
	return items, nil
}

// isSpace reports white space as XML knows it.
func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// maxNumber is the length of a number; the longest that Write makes is shorter.
const maxNumber = 400

var decimal = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$`)

// number reads a decimal number and nothing that Go alone takes for one. What
// is too large or small to be told from infinity is none.
func number(text string) (float64, bool) {
	if len(text) > maxNumber || !decimal.MatchString(text) {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// point reads "latitude,longitude".
func point(text string) (alert.Point, bool) {
	lat, lon, _ := strings.Cut(text, ",")
	y, okLat := number(lat)
	x, okLon := number(lon)
	return alert.Point{Lat: y, Lon: x}, okLat && okLon
}

// optionalTime reads a time that may be left empty.
func (s *scanner) optionalTime(at position, name, text string) (time.Time, error) {
	if text == "" {
		s.noteAt(at, "C06", "<%s> is empty and is left out", name)
		return time.Time{}, nil
	}
	return s.time(at, name, text)
}
