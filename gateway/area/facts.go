package area

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The facts are two files of the same columns: units in force, and units that
// have ended with their successors.
const (
	factsFile    = "areas.csv"
	oldFactsFile = "areas-old.csv"
)

// Columns of the facts. Dates are days in Vietnam (+07:00); until is the first
// day the row no longer holds. Successors are codes parted by spaces.
var factsHeader = []string{
	"code", "kind", "parent", "name", "name_en", "lat", "lon", "population", "from", "until", "successors",
}

var vietnam = time.FixedZone("ICT", 7*60*60)

// entry is one unit over one span of validity, with its search keys.
type entry struct {
	Unit
	successors []Code
	name       key
	english    string // plain key of NameEN where it differs from the name's
}

func readFacts(fsys fs.FS, name string) (entries []*entry, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("area facts: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := csv.NewReader(f)
	r.FieldsPerRecord = len(factsHeader)
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("area facts: %s: %w", name, err)
	}
	if !slices.Equal(header, factsHeader) {
		return nil, fmt.Errorf("area facts: %s:1: header: must be %s", name, strings.Join(factsHeader, ","))
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("area facts: %s: %w", name, err)
		}
		e, err := parseRow(row)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("area facts: %s:%d: %w", name, line, err)
		}
		entries = append(entries, e)
	}
}

func parseRow(row []string) (*entry, error) {
	e := &entry{Unit: Unit{
		Code: Code(row[0]), Kind: Kind(row[1]), Parent: Code(row[2]), Name: row[3], NameEN: row[4],
	}}
	if !e.Code.wellFormed() {
		return nil, fmt.Errorf("code: %q is not two, three or five digits", row[0])
	}
	if e.Kind.Title() == "" {
		return nil, fmt.Errorf("kind: %q is no kind of unit", row[1])
	}
	if e.Name == "" {
		return nil, errors.New("name: must not be empty")
	}
	e.FullName = e.Kind.Title() + " " + e.Name
	var errs [5]error
	e.Lat, errs[0] = parseDegrees("lat", row[5], 90)
	e.Lon, errs[1] = parseDegrees("lon", row[6], 180)
	e.Population, errs[2] = parseCount("population", row[7])
	e.From, errs[3] = parseDay("from", row[8])
	e.Until, errs[4] = parseDay("until", row[9])
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if !e.Until.IsZero() && !e.From.Before(e.Until) {
		return nil, errors.New("until: must be after from")
	}
	for s := range strings.FieldsSeq(row[10]) {
		e.successors = append(e.successors, Code(s))
	}
	if len(e.successors) > 0 && e.Until.IsZero() {
		return nil, errors.New("successors: a unit in force has none")
	}
	e.name = foldKey(e.Name)
	if en := foldKey(e.NameEN).plain; en != e.name.plain {
		e.english = en
	}
	return e, nil
}

func parseDegrees(field, s string, limit float64) (float64, error) {
	if s == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(math.Abs(v) <= limit) {
		return 0, fmt.Errorf("%s: %q is not a number of degrees within ±%v", field, s, limit)
	}
	return v, nil
}

func parseCount(field, s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %q is not a count", field, s)
	}
	return n, nil
}

func parseDay(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, vietnam)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %q is not a day like 2025-07-01", field, s)
	}
	return t, nil
}
