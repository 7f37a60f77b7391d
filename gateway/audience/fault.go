package audience

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"loa/channels"
)

// FieldError names the field of an endpoint and the rule that it breaks. It
// never holds the field's value.
type FieldError struct {
	Field string // empty: the row as a whole
	Rule  string
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Rule
	}
	return e.Field + ": " + e.Rule
}

// FieldErrors are all that is wrong with one endpoint, the first rule that each
// field breaks.
type FieldErrors []*FieldError

func (es FieldErrors) Error() string {
	all := make([]string, len(es))
	for i, e := range es {
		all[i] = e.Error()
	}
	return strings.Join(all, "; ")
}

// Unwrap lets a *FieldError be found.
func (es FieldErrors) Unwrap() []error {
	all := make([]error, len(es))
	for i, e := range es {
		all[i] = e
	}
	return all
}

func (es FieldErrors) has(field string) bool {
	for _, e := range es {
		if e.Field == field {
			return true
		}
	}
	return false
}

func (es *FieldErrors) add(field, rule string) {
	if !es.has(field) {
		*es = append(*es, &FieldError{field, rule})
	}
}

// sorted puts them in the order of the columns of a file.
func (es FieldErrors) sorted() FieldErrors {
	slices.SortStableFunc(es, func(a, b *FieldError) int {
		return cmp.Compare(slices.Index(columnNames[:], a.Field), slices.Index(columnNames[:], b.Field))
	})
	return es
}

// faultsOf are the faults that an error is made of.
func faultsOf(err error) FieldErrors {
	if all, ok := errors.AsType[FieldErrors](err); ok {
		return all
	}
	return FieldErrors{{Rule: err.Error()}}
}

const maxConsentText = 64

// check adds what is wrong with an endpoint, but for its address.
func (es *FieldErrors) check(e Endpoint, now time.Time) {
	if e.Kind != channels.SMS && e.Kind != channels.WebPush && e.Kind != channels.App {
		es.add("kind", "one of sms, webpush, app")
	}
	if e.Commune == "" {
		es.add("commune", "missing")
	}
	if e.Language != "vi" && e.Language != "en" {
		es.add("language", "vi or en")
	}
	if e.Basis != Consent && e.Basis != Duty && e.Basis != EmergencyOrder {
		es.add("basis", "one of consent, duty, emergency_order")
	}
	if e.Basis == Consent && e.ConsentText == "" {
		es.add("consent_text", "missing, and basis is consent")
	}
	if !isPlain(e.ConsentText) {
		es.add("consent_text", "at most 64 printable characters that do not begin as a formula (= + - @)")
	}
	if e.Basis == Consent && e.ConsentAt.IsZero() {
		es.add("consent_at", "missing, and basis is consent")
	}
	if e.ConsentAt.After(now) {
		es.add("consent_at", "in the future")
	}
}

// isPlain admits the name of a consent text: short, printable, and nothing a
// spreadsheet would run.
func isPlain(s string) bool {
	if len(s) > maxConsentText || !utf8.ValidString(s) {
		return false
	}
	for i, r := range s {
		if r < ' ' || r == 0x7f || (i == 0 && (r == '=' || r == '+' || r == '-' || r == '@')) {
			return false
		}
	}
	return true
}
