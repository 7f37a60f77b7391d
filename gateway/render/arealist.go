package render

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// provinceKinds are the kinds of provinces, in lists of areas only.
var provinceKinds = map[string]kindNames{
	"tinh":      {vi: "tỉnh", en: "Province", enMany: "provinces"},
	"thanh_pho": {vi: "thành phố", en: "City", enMany: "cities"},
}

func (p Place) isProvince() bool { return provinceKinds[p.Kind].vi != "" }

// isWhole reports whether the place is a province with all its communes.
func (p Place) isWhole() bool { return p.isProvince() && p.Part == p.Whole }

// listed is the place as a list of areas names it.
func (p Place) listed(lang string) (string, error) {
	k, ok := placeKinds[p.Kind]
	switch {
	case p.Name != "" && p.isProvince():
		return p.province(lang), nil
	case !ok || p.Name == "":
		return "", fmt.Errorf("place %q: kind %q must be one of a commune or a province, and the name must be set", p.Code, p.Kind)
	case lang == "en":
		return p.english(), nil
	}
	return k.vi + " " + p.Name, nil
}

// province names a province: "tỉnh Quảng Ninh", or "52/54 xã, phường, đặc khu
// của tỉnh Quảng Ninh" where only a part is meant. The one city that is named
// after a person is written with a capital (Decree 30/2020/NĐ-CP, annex II).
func (p Place) province(lang string) string {
	k := provinceKinds[p.Kind]
	if lang == "en" {
		name := p.english() + " " + k.en
		if !p.isWhole() {
			name = fmt.Sprintf("%d of %d communes of %s", p.Part, p.Whole, name)
		}
		return name
	}
	name := k.vi + " " + p.Name
	if p.Name == "Hồ Chí Minh" {
		name = "Thành phố " + p.Name
	}
	if !p.isWhole() {
		name = fmt.Sprintf("%d/%d %s của %s", p.Part, p.Whole, p.below(), name)
	}
	return name
}

// below lists the kinds of communes of a province.
func (p Place) below() string {
	if p.Special {
		return "xã, phường, đặc khu"
	}
	return "xã, phường"
}

// areaList names the first places and counts the rest: "đặc khu Cô Tô, đặc khu
// Vân Đồn và 52 xã, phường khác". Of provinces as many are named as fit, in
// English without their kind if need be; of communes two, or three if there are
// no more. Where not even one name fits beside the rest it counts them all.
func areaList(places []Place, s shape, longest int) (string, error) {
	if len(places) == 0 {
		return "", errMissing
	}
	names, bare := make([]string, len(places)), make([]string, len(places))
	provinces := 0
	for i, p := range places {
		var err error
		if names[i], err = p.listed(s.lang); err != nil {
			return "", err
		}
		bare[i] = names[i]
		if p.isProvince() {
			provinces++
		}
		if s.lang == "en" && p.isWhole() {
			bare[i] = p.english()
		}
	}
	for _, names := range [][]string{names, bare} {
		for shown := min(max(3, provinces), len(names)); shown > 0; shown-- {
			if shown > max(2, provinces) && shown < len(names) {
				continue
			}
			if text := listed(names[:shown], places[shown:], s.lang); utf8.RuneCountInString(text) <= longest {
				return text, nil
			}
		}
	}
	return tally(places, s.lang, false), nil
}

// listed joins names and the number of what is not named.
func listed(names []string, rest []Place, lang string) string {
	and := " và "
	if lang == "en" {
		and = " and "
	}
	last := len(names) - 1
	switch {
	case len(rest) > 0:
		return strings.Join(names, ", ") + and + tally(rest, lang, true)
	case last > 0:
		return strings.Join(names[:last], ", ") + and + names[last]
	}
	return names[0]
}

// tally counts places: "52 xã, phường khác", "52 other wards and communes",
// "2 tỉnh, thành phố và 5 xã".
func tally(places []Place, lang string, others bool) string {
	var kinds, above []string
	communes, provinces := 0, 0
	add := func(list *[]string, kind string) {
		if !slices.Contains(*list, kind) {
			*list = append(*list, kind)
		}
	}
	for _, p := range places {
		switch {
		case p.isWhole():
			provinces++
			add(&above, p.Kind)
		case p.isProvince():
			communes += p.Part
			add(&kinds, "xa")
			add(&kinds, "phuong")
			if p.Special {
				add(&kinds, "dac_khu")
			}
		default:
			communes++
			add(&kinds, p.Kind)
		}
	}
	var parts []string
	if provinces > 0 {
		parts = append(parts, counted(provinces, inOrderOf([]string{"tinh", "thanh_pho"}, above), provinceKinds, lang, "provinces and cities", others))
	}
	if communes > 0 {
		parts = append(parts, counted(communes, inOrderOf([]string{"xa", "phuong", "dac_khu"}, kinds), placeKinds, lang, "wards and communes", others && provinces == 0))
	}
	if lang == "en" {
		return strings.Join(parts, ", ")
	}
	text := strings.Join(parts, ", ")
	if others {
		text += " khác"
	}
	return text
}

// inOrderOf keeps of order what is in list.
func inOrderOf(order, list []string) []string {
	return slices.DeleteFunc(order, func(kind string) bool { return !slices.Contains(list, kind) })
}

// counted is a number of places of some kinds.
func counted(n int, kinds []string, names map[string]kindNames, lang, mixed string, others bool) string {
	if lang != "en" {
		words := make([]string, len(kinds))
		for i, kind := range kinds {
			words[i] = names[kind].vi
		}
		return fmt.Sprintf("%d %s", n, strings.Join(words, ", "))
	}
	noun := mixed
	switch {
	case n == 1:
		noun = strings.ToLower(names[kinds[0]].en)
	case len(kinds) == 1:
		noun = names[kinds[0]].enMany
	}
	if others {
		noun = "other " + noun
	}
	return fmt.Sprintf("%d %s", n, noun)
}
