// Package area holds administrative units: codes with validity dates, kinds,
// parents, old names, search and geometry. It is a leaf: it must never import
// another room.
package area

import (
	"strings"
	"time"
)

// Code is an official administrative code (Decision 19/2025/QĐ-TTg): two
// digits for a province, five for a commune. It is text: leading zeros count.
// Three digits name a district, a level that ended on 1 July 2025.
type Code string

// Reserved reports whether the code names a cell of the gateway's own, of
// recipients who are no public: no commune has such a code.
func (c Code) Reserved() bool { return strings.HasPrefix(string(c), "loa-") }

// ValueName is the CAP geocode valueName of Code.
const ValueName = "VN-NSO-2025"

// Kind is the kind of an administrative unit.
type Kind string

// The kinds of unit since 1 July 2025.
const (
	Province Kind = "tinh"
	City     Kind = "thanh_pho" // of provincial level; before July 2025 also of district level
	Ward     Kind = "phuong"
	Commune  Kind = "xa"
	Special  Kind = "dac_khu"
)

// The kinds that ended on 1 July 2025. They are met in old names only.
const (
	District      Kind = "huyen"
	UrbanDistrict Kind = "quan"
	Town          Kind = "thi_xa"
	Township      Kind = "thi_tran"
)

var titles = map[Kind]string{
	Province: "Tỉnh", City: "Thành phố", Ward: "Phường", Commune: "Xã", Special: "Đặc khu",
	District: "Huyện", UrbanDistrict: "Quận", Town: "Thị xã", Township: "Thị trấn",
}

// Title is the word before the name, as in "Phường Hồng Gai"; empty for an
// unknown kind.
func (k Kind) Title() string { return titles[k] }

// Unit is one administrative unit.
type Unit struct {
	Code       Code
	Parent     Code // province of a commune, district of an old commune; empty for a province
	Kind       Kind
	Name       string // "Cô Tô"
	NameEN     string // "Co To"; empty for a unit that ended on 1 July 2025
	FullName   string // "Đặc khu Cô Tô"
	Lat, Lon   float64
	Population int       // estimate for planning, 0 if unknown; not for citizens
	From       time.Time // first instant of validity; zero: since ever
	Until      time.Time // first instant it no longer holds; zero: still valid
}

// In reports whether the unit was in force at t.
func (u Unit) In(t time.Time) bool {
	return !t.Before(u.From) && (u.Until.IsZero() || t.Before(u.Until))
}

// IsProvince reports whether the code has the form of a province's.
func (c Code) IsProvince() bool { return len(c) == provinceDigits }

// IsCommune reports whether the code has the form of a commune's.
func (c Code) IsCommune() bool { return len(c) == communeDigits }

const (
	provinceDigits = 2
	districtDigits = 3
	communeDigits  = 5
)

func (c Code) wellFormed() bool {
	for _, r := range c {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(c) == provinceDigits || len(c) == districtDigits || len(c) == communeDigits
}
