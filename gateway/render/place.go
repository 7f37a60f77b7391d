package render

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Place is one commune as texts name it. In a list of areas it may be a
// province, which stands for communes of its own.
type Place struct {
	Code   string // five digits; two of a province
	Kind   string // "phuong", "xa" or "dac_khu"; "tinh" or "thanh_pho" of a province
	Name   string // "Cô Tô"
	NameEN string // "Co To"; empty: Name without marks

	// Collides says that another unit of the province has the same name once
	// the marks are gone (Cẩm Giang, Cẩm Giàng). The unmarked SMS is not made.
	Collides bool

	// Of a province: how many of its Whole communes are meant, and whether a
	// special zone is among them. Part is Whole when all are.
	Part, Whole int
	Special     bool
}

type kindNames struct{ vi, short, en, enMany string }

var placeKinds = map[string]kindNames{
	"phuong":  {"phường", "P.", "Ward", "wards"},
	"xa":      {"xã", "X.", "Commune", "communes"},
	"dac_khu": {"đặc khu", "", "Special Zone", "special zones"},
}

// The longest full name that an SMS writes out, in characters.
const longestFullName = 20

func (p Place) english() string {
	if p.NameEN != "" {
		return strings.ReplaceAll(p.NameEN, "’", "'")
	}
	return unmark(p.Name)
}

// initials shortens the first half of a double name: "Văn Miếu - Quốc Tử Giám"
// becomes "VM-Quốc Tử Giám".
func initials(name string) string {
	first, rest, ok := strings.Cut(name, " - ")
	if !ok {
		return name
	}
	var b strings.Builder
	for w := range strings.FieldsSeq(first) {
		r, _ := utf8.DecodeRuneInString(w)
		b.WriteRune(r)
	}
	return b.String() + "-" + rest
}

// candidates are the ways to write the place in a form, best first.
func (p Place) candidates(s shape) ([]string, error) {
	k, ok := placeKinds[p.Kind]
	if !ok || p.Name == "" {
		return nil, fmt.Errorf("place %q: kind %q must be phuong, xa or dac_khu, and the name must be set", p.Code, p.Kind)
	}
	full := k.vi + " " + p.Name
	switch {
	case s.lang == "en" && s.sms():
		return []string{p.english(), initials(p.english())}, nil
	case s.lang == "en":
		return []string{p.english() + " " + k.en, p.english()}, nil
	case s.unmarked() && p.Collides:
		return nil, fmt.Errorf("%q %w", full, errNoSafe)
	case s.unmarked() && k.short == "":
		return []string{unmark(full)}, nil
	case s.unmarked():
		tight := strings.ReplaceAll(unmark(p.Name), " - ", "-")
		return []string{k.short + tight, k.short + unmark(initials(p.Name))}, nil
	case s.sms() && k.short != "" && utf8.RuneCountInString(full) > longestFullName:
		return []string{k.short + " " + p.Name, k.short + " " + initials(p.Name)}, nil
	default:
		return []string{full}, nil
	}
}

// areaName writes one place within longest characters.
func areaName(p Place, s shape, longest int) (string, error) {
	names, err := p.candidates(s)
	if err != nil {
		return "", err
	}
	for _, n := range names {
		if utf8.RuneCountInString(n) <= longest {
			return n, nil
		}
	}
	return "", longerThan(names[len(names)-1], longest)
}

func longerThan(value string, longest int) error {
	return fmt.Errorf("%q has %d characters, at most %d fit", value, utf8.RuneCountInString(value), longest)
}
