// Package area holds administrative units: codes with validity dates, kinds,
// parents, old names, search and geometry. It is a leaf: it must never import
// another room.
package area

import "time"

// Code is an official administrative code (Decision 19/2025/QĐ-TTg): two
// digits for a province, five for a commune. It is text: leading zeros count.
type Code string

// ValueName is the CAP geocode valueName of Code.
const ValueName = "VN-NSO-2025"

// Kind is the kind of an administrative unit.
type Kind string

// The kinds of unit since 1 July 2025.
const (
	Province Kind = "tinh"
	City     Kind = "thanh_pho"
	Ward     Kind = "phuong"
	Commune  Kind = "xa"
	Special  Kind = "dac_khu"
)

// Unit is one administrative unit.
type Unit struct {
	Code       Code
	Parent     Code // province of a commune; empty for a province
	Kind       Kind
	Name       string // "Cô Tô"
	NameEN     string // "Co To"
	FullName   string // "Đặc khu Cô Tô"
	Lat, Lon   float64
	Population int       // estimate for planning, 0 if unknown; not for citizens
	From       time.Time // zero: since ever
	Until      time.Time // zero: still valid
}
