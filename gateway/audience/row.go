package audience

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/area"
)

// The columns of a subscriber file, a CSV file in UTF-8 with a header line,
// separated by commas, semicolons or tabs. Their order is free; no other column is read over in silence.
//
//	kind          sms, webpush or app
//	address       sms: a Vietnamese mobile number in any usual spelling;
//	              webpush: the browser's subscription in JSON;
//	              app: the install's public key, 32 bytes in base64url
//	commune       five-digit code of a commune in force
//	language      vi (also if empty or if the column is missing) or en
//	basis         consent, duty or emergency_order (Law 91/2025/QH15)
//	consent_text  version of the text agreed to; needed for consent
//	consent_at    2025-07-01T08:00:00+07:00, or 2025-07-01 (midnight in
//	              Vietnam); needed for consent
//	roster        true for a person with a role or a canary; false if empty
const (
	colKind = iota
	colAddress
	colCommune
	colLanguage
	colBasis
	colConsentText
	colConsentAt
	colRoster
	columnCount
)

var columnNames = [columnCount]string{"kind", "address", "commune", "language", "basis", "consent_text", "consent_at", "roster"}

var neededColumns = []int{colKind, colAddress, colCommune, colBasis}

// Columns lists the names of the columns of a subscriber file.
func Columns() []string { return slices.Clone(columnNames[:]) }

// header says at which place of a record each column stands, -1 for none.
type header [columnCount]int

// HeaderError says what is wrong with the header line of a subscriber file, or
// with the file as a whole.
type HeaderError struct {
	Column string // empty: the whole file
	Rule   string
}

func (e *HeaderError) Error() string {
	if e.Column == "" {
		return "line 1: " + e.Rule
	}
	return fmt.Sprintf("line 1: column %q: %s", e.Column, e.Rule)
}

func readHeader(record []string) (header, error) {
	var h header
	for i := range h {
		h[i] = -1
	}
	for place, name := range record {
		name = strings.TrimSpace(name)
		col := slices.Index(columnNames[:], name)
		if col < 0 {
			return h, &HeaderError{shorten(name), "unknown; the columns are " + strings.Join(columnNames[:], ",")}
		}
		if h[col] >= 0 {
			return h, &HeaderError{name, "given twice"}
		}
		h[col] = place
	}
	for _, col := range neededColumns {
		if h[col] < 0 {
			return h, &HeaderError{columnNames[col], "missing"}
		}
	}
	return h, nil
}

// shorten keeps a header's word short, and out of the error altogether if it
// holds a digit: a file without a header has addresses there.
func shorten(s string) string {
	if strings.ContainsAny(s, "0123456789") || len(s) > 20 {
		return "…"
	}
	return s
}

func (h header) get(record []string, col int) string {
	if h[col] < 0 {
		return ""
	}
	return strings.Trim(record[h[col]], " \t")
}

// endpoint reads a record and says what of it cannot be read, or is no place.
func (h header) endpoint(record []string, valid func(area.Code) error) (Endpoint, FieldErrors) {
	var faults FieldErrors
	e := Endpoint{
		Kind:        channels.Kind(h.get(record, colKind)),
		Commune:     area.Code(h.get(record, colCommune)),
		Language:    h.get(record, colLanguage),
		Basis:       Basis(h.get(record, colBasis)),
		ConsentText: h.get(record, colConsentText),
		Address:     channels.Address(h.get(record, colAddress)),
	}
	if e.Language == "" {
		e.Language = "vi"
	}
	if e.Commune != "" {
		if err := valid(e.Commune); err != nil {
			faults.add("commune", err.Error())
		}
	}
	var err error
	if e.ConsentAt, err = readTime(h.get(record, colConsentAt)); err != nil {
		faults.add("consent_at", err.Error())
	}
	switch h.get(record, colRoster) {
	case "", "false", "0":
	case "true", "1":
		e.Roster = true
	default:
		faults.add("roster", "true or false")
	}
	return e, faults
}

var vietnamTime = time.FixedZone("+07:00", 7*60*60)

func readTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, vietnamTime); err == nil {
		return t, nil
	}
	return time.Time{}, errors.New("a time such as 2025-07-01T08:00:00+07:00 or a date such as 2025-07-01")
}
