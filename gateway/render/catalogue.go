package render

import (
	"encoding/csv"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"loa/gateway/alert"
)

// Form is one shape of a template's text.
type Form string

// The forms of the catalogue. An instruction holds several items separated by
// " | ".
const (
	FormSMS         Form = "sms"
	FormUnmarked    Form = "sms-ascii" // the SMS without Vietnamese marks, written by hand
	FormPushTitle   Form = "push-title"
	FormPushBody    Form = "push-body"
	FormHeadline    Form = "app-headline"
	FormDescription Form = "app-description"
	FormInstruction Form = "app-instruction"
	FormSpeech      Form = "loudspeaker"
)

var forms = []Form{FormSMS, FormUnmarked, FormPushTitle, FormPushBody, FormHeadline, FormDescription, FormInstruction, FormSpeech}

// The languages of the catalogue.
var languages = []string{"vi", "en"}

// itemSeparator stands between the items of an instruction.
const itemSeparator = " | "

type key struct {
	template string
	form     Form
	lang     string
}

// entry is one row: a text as a sequence of literal and slot pieces.
type entry struct {
	key
	hazard  string
	pieces  []piece
	slots   map[string]slotType
	longest string // the row's example with every slot at its longest
}

type piece struct {
	slot bool
	text string // the literal, or the slot's name
}

// slotType is what a slot takes in one form; longest is in characters.
type slotType struct {
	kind     string
	min, max int // of an int; both 0 if the catalogue sets no bounds
	longest  int
}

type catalogue struct {
	entries map[key]*entry
	order   []*entry
	words   map[string]map[string]word // list, then code
	codes   map[string][]string        // list to its codes, in file order
	acts    map[string]alert.TextRule  // template to what it may be used for
}

func (c *catalogue) has(template string) bool {
	for _, lang := range languages {
		if c.entries[key{template, FormHeadline, lang}] != nil {
			return true
		}
	}
	return false
}

var (
	slotSpec   = regexp.MustCompile(`^([a-z_]+):([a-z]+)([0-9]*)(?:-([0-9]+))?<=([0-9]+)$`)
	slotMarker = regexp.MustCompile(`\{([a-z_]+)\}`)
)

// slotKinds are the types a slot may have.
var slotKinds = []string{
	"action", "agency", "area", "areas", "body", "code", "decimal", "direction", "gust", "hamlet", "hazard", "int",
	"name", "person", "phone", "place", "radio", "range", "river", "role", "service", "text", "time", "url",
}

func loadCatalogue(fsys fs.FS) (*catalogue, error) {
	c := &catalogue{entries: map[key]*entry{}, words: map[string]map[string]word{}, codes: map[string][]string{}}
	err := eachRow(fsys, "words.csv", []string{"list", "code", "vi", "ascii", "en"}, func(row []string) error {
		return c.addWord(row[0], row[1], word{vi: row[2], ascii: row[3], en: row[4]})
	})
	if err != nil {
		return nil, err
	}
	columns := []string{"id", "hazard", "kind", "channel", "language", "text", "slots", "longest_example", "parts_typical", "parts_longest"}
	err = eachRow(fsys, "messages.csv", columns, func(row []string) error {
		e, err := parseEntry(row)
		if err != nil {
			return err
		}
		if c.entries[e.key] != nil {
			return fmt.Errorf("id %s: stands there twice", row[0])
		}
		c.entries[e.key] = e
		c.order = append(c.order, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(c.order) == 0 {
		return nil, fmt.Errorf("messages.csv: no message")
	}
	return c, c.loadActs(fsys)
}

// eachRow calls f with every row of a CSV file under the named columns; an
// error names the file and the line.
func eachRow(fsys fs.FS, name string, columns []string, f func([]string) error) error {
	file, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	defer func() { _ = file.Close() }()
	in := csv.NewReader(file)
	in.FieldsPerRecord = len(columns)
	rows, err := in.ReadAll()
	if err != nil {
		return fmt.Errorf("templates: %s: %w", name, err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], columns) {
		return fmt.Errorf("templates: %s: first line must be %s", name, strings.Join(columns, ","))
	}
	for i, row := range rows[1:] {
		if err := f(row); err != nil {
			return fmt.Errorf("templates: %s: row %d: %w", name, i+2, err)
		}
	}
	return nil
}

func parseEntry(row []string) (*entry, error) {
	e := &entry{key: key{form: Form(row[3]), lang: row[4]}, hazard: row[1], longest: row[7]}
	suffix := "." + row[3] + "." + row[4]
	template, ok := strings.CutSuffix(row[0], suffix)
	if !ok {
		return nil, fmt.Errorf("id %s: must end in %s", row[0], suffix)
	}
	e.template = template
	if !slices.Contains(forms, e.form) {
		return nil, fmt.Errorf("id %s: channel %q is not a form", row[0], row[3])
	}
	if !slices.Contains(languages, e.lang) {
		return nil, fmt.Errorf("id %s: language %q is not in %v", row[0], e.lang, languages)
	}
	slots, err := parseSlots(row[6])
	if err != nil {
		return nil, fmt.Errorf("id %s: %w", row[0], err)
	}
	e.slots = slots
	e.pieces = split(row[5])
	used := map[string]bool{}
	for _, p := range e.pieces {
		if !p.slot {
			if strings.ContainsAny(p.text, "{}") {
				return nil, fmt.Errorf("id %s: a brace outside a slot", row[0])
			}
			continue
		}
		if _, ok := slots[p.text]; !ok {
			return nil, fmt.Errorf("id %s: slot %s has no type", row[0], p.text)
		}
		used[p.text] = true
	}
	if len(used) != len(slots) {
		return nil, fmt.Errorf("id %s: a typed slot is not used in the text", row[0])
	}
	return e, nil
}

func parseSlots(s string) (map[string]slotType, error) {
	slots := map[string]slotType{}
	for spec := range strings.SplitSeq(s, ";") {
		if spec = strings.TrimSpace(spec); spec == "" {
			continue
		}
		m := slotSpec.FindStringSubmatch(spec)
		if m == nil {
			return nil, fmt.Errorf("slot %q: must read name:type<=longest", spec)
		}
		if !slices.Contains(slotKinds, m[2]) {
			return nil, fmt.Errorf("slot %q: unknown type", spec)
		}
		st := slotType{kind: m[2]}
		st.longest, _ = strconv.Atoi(m[5])
		if m[4] != "" {
			st.min, _ = strconv.Atoi(m[3])
			st.max, _ = strconv.Atoi(m[4])
		}
		slots[m[1]] = st
	}
	return slots, nil
}

// split cuts a text into literals and slots.
func split(text string) []piece {
	var out []piece
	at := 0
	for _, m := range slotMarker.FindAllStringSubmatchIndex(text, -1) {
		if m[0] > at {
			out = append(out, piece{text: text[at:m[0]]})
		}
		out = append(out, piece{slot: true, text: text[m[2]:m[3]]})
		at = m[1]
	}
	if at < len(text) {
		out = append(out, piece{text: text[at:]})
	}
	return out
}
