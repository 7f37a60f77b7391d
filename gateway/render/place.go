package render

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Place is one commune as texts name it.
type Place struct {
	Code   string // five digits
	Kind   string // "phuong", "xa" or "dac_khu"
	Name   string // "Cô Tô"
	NameEN string // "Co To"; empty: Name without marks

	// Collides says that another unit of the province has the same name once
	// the marks are gone (Cẩm Giang, Cẩm Giàng). The unmarked SMS is not made.
	Collides bool
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

// areaList names the first places and counts the rest: "đặc khu Cô Tô, đặc khu
// Vân Đồn và 52 xã, phường khác". Where not even one name fits beside the rest it
// counts them all.
func areaList(places []Place, s shape, longest int) (string, error) {
	if len(places) == 0 {
		return "", errMissing
	}
	names := make([]string, len(places))
	for i, p := range places {
		k, ok := placeKinds[p.Kind]
		if !ok || p.Name == "" {
			return "", fmt.Errorf("place %q: kind %q must be phuong, xa or dac_khu, and the name must be set", p.Code, p.Kind)
		}
		names[i] = k.vi + " " + p.Name
		if s.lang == "en" {
			names[i] = p.english()
		}
	}
	and := " và "
	if s.lang == "en" {
		and = " and "
	}
	for shown := min(3, len(names)); shown > 0; shown-- {
		rest := places[shown:]
		if shown == 3 && len(rest) > 0 {
			continue
		}
		text := strings.Join(names[:shown], ", ")
		if len(rest) > 0 {
			text += and + tally(rest, s.lang, true)
		} else if shown > 1 {
			text = strings.Join(names[:shown-1], ", ") + and + names[shown-1]
		}
		if utf8.RuneCountInString(text) <= longest {
			return text, nil
		}
	}
	return tally(places, s.lang, false), nil
}

// tally counts places: "52 xã, phường khác", "52 other wards and communes".
func tally(places []Place, lang string, others bool) string {
	var kinds []string
	for _, kind := range []string{"xa", "phuong", "dac_khu"} {
		if slices.ContainsFunc(places, func(p Place) bool { return p.Kind == kind }) {
			kinds = append(kinds, kind)
		}
	}
	if lang != "en" {
		for i, kind := range kinds {
			kinds[i] = placeKinds[kind].vi
		}
		text := fmt.Sprintf("%d %s", len(places), strings.Join(kinds, ", "))
		if others {
			text += " khác"
		}
		return text
	}
	noun := "wards and communes"
	switch {
	case len(places) == 1:
		noun = strings.ToLower(placeKinds[kinds[0]].en)
	case len(kinds) == 1:
		noun = placeKinds[kinds[0]].enMany
	}
	if others {
		noun = "other " + noun
	}
	return fmt.Sprintf("%d %s", len(places), noun)
}

func longerThan(value string, longest int) error {
	return fmt.Errorf("%q has %d characters, at most %d fit", value, utf8.RuneCountInString(value), longest)
}
