package render

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// shape is the form and language a value is written for.
type shape struct {
	form Form
	lang string
}

func (s shape) unmarked() bool { return s.form == FormUnmarked }

func (s shape) sms() bool { return s.form == FormSMS || s.form == FormUnmarked }

// full reports whether the form has room for long dates and names.
func (s shape) full() bool {
	return s.form == FormHeadline || s.form == FormDescription || s.form == FormInstruction
}

func (k key) shape() shape { return shape{k.form, k.lang} }

func (k key) String() string { return k.template + "." + string(k.form) + "." + k.lang }

// hourOnly reports whether a time slot is a whole hour in the unmarked SMS.
func hourOnly(slot string) bool { return slot == "from" || slot == "until" || slot == "before" }

// shown is the moment as the form shows it: in the unmarked SMS a start and a
// deadline are rounded down to the hour and an end is rounded up.
func shown(slot string, t time.Time, s shape) time.Time {
	if !s.unmarked() || !hourOnly(slot) {
		return t
	}
	hour := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, t.Location())
	if slot == "until" && hour.Before(t) {
		return hour.Add(time.Hour)
	}
	return hour
}

// clock writes a moment that is already in the reader's time zone.
func clock(t time.Time, s shape) string {
	switch {
	case s.lang == "en" && s.full():
		_, offset := t.Zone()
		return t.Format("15:04, 2 Jan 2006") + fmt.Sprintf(" (UTC%+d)", offset/3600)
	case s.lang == "en":
		return t.Format("15:04 2 Jan")
	case s.full() && t.Minute() == 0:
		return fmt.Sprintf("%d giờ ngày %s", t.Hour(), t.Format("2/1/2006"))
	case s.full():
		return fmt.Sprintf("%d giờ %02d ngày %s", t.Hour(), t.Minute(), t.Format("2/1/2006"))
	case t.Minute() == 0:
		return fmt.Sprintf("%dh %s", t.Hour(), t.Format("2/1"))
	default:
		return fmt.Sprintf("%dh%02d %s", t.Hour(), t.Minute(), t.Format("2/1"))
	}
}

// The rules that slot values can break.
var (
	errMissing  = errors.New("has no value")
	errUnknown  = errors.New("is not a slot of any template")
	errOurs     = errors.New("is filled by Loa and cannot be given")
	errTime     = errors.New("must be a time with an offset, as in 2024-09-07T13:00:00+07:00")
	errNumber   = errors.New("must be a number in digits with a decimal point")
	errInt      = errors.New("must be a whole number in digits")
	errRange    = errors.New(`must be a number or a rising range, as in "12-14"`)
	errLevels   = errors.New(`must be wind levels from 0 to 17, as in "12-14"`)
	errGust     = errors.New(`must be a wind level from 1 to 17, as in "16", "14-15" or ">17"`)
	errCode     = errors.New("must be four of A–Z and 2–9 without I and O")
	errNotOne   = errors.New("is not in the fixed list")
	errNoSafe   = errors.New("has no wording that is safe without marks")
	errStormLow = errors.New("storms and tropical depressions have disaster risk levels 3 to 5 only")
)

var (
	numberRule = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{1,3})?$`)
	codeRule   = regexp.MustCompile(`^[A-HJ-NP-Z2-9]{4}$`)
	gustRule   = regexp.MustCompile(`^(>?)([1-9]|1[0-7])(?:-([1-9]|1[0-7]))?$`)
)

// number writes a machine number as the language does: 1250.5 becomes
// 1.250,5 in Vietnamese and 1,250.5 in English. No figure is rounded.
func number(v, lang string) string {
	thousands, point := ".", ","
	if lang == "en" {
		thousands, point = ",", "."
	}
	whole, fraction, has := strings.Cut(v, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + thousands + whole[i:]
	}
	if has {
		return whole + point + fraction
	}
	return whole
}

func formatInt(v string, st slotType, s shape) (string, error) {
	n, err := strconv.Atoi(v)
	if err != nil || !numberRule.MatchString(v) {
		return "", errInt
	}
	if st.max != 0 && (n < st.min || n > st.max) {
		return "", fmt.Errorf("must be from %d to %d", st.min, st.max)
	}
	return number(v, s.lang), nil
}

func formatDecimal(v string, s shape) (string, error) {
	sign, digits := "", v
	if rest, ok := strings.CutPrefix(v, "-"); ok {
		sign, digits = "-", rest
	}
	if !numberRule.MatchString(digits) {
		return "", errNumber
	}
	return sign + number(digits, s.lang), nil
}

func formatRange(slot, v string, s shape) (string, error) {
	lo, hi, two := strings.Cut(v, "-")
	if !numberRule.MatchString(lo) || two && !numberRule.MatchString(hi) {
		return "", errRange
	}
	if slot == "wind" && speeds(v) == "" {
		return "", errLevels
	}
	if !two {
		return number(lo, s.lang), nil
	}
	a, _ := strconv.ParseFloat(lo, 64)
	b, _ := strconv.ParseFloat(hi, 64)
	if a >= b {
		return "", errRange
	}
	return number(lo, s.lang) + "-" + number(hi, s.lang), nil
}

// formatGust writes a gust with its "cấp": ">17" is "trên cấp 17".
func formatGust(v string, s shape) (string, error) {
	m := gustRule.FindStringSubmatch(v)
	if m == nil || m[1] != "" && m[3] != "" {
		return "", errGust
	}
	levels := m[2]
	if m[3] != "" {
		a, _ := strconv.Atoi(m[2])
		b, _ := strconv.Atoi(m[3])
		if a >= b {
			return "", errGust
		}
		levels += "-" + m[3]
	}
	above, level := "trên ", "cấp "
	if s.lang == "en" {
		above, level = "above ", "force "
	} else if s.unmarked() {
		above, level = "tren ", "cap "
	}
	if m[1] == "" {
		above = ""
	}
	return above + level + levels, nil
}
