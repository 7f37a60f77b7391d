package alert

import (
	"errors"
	"fmt"
)

// FieldError names one field of a revision and the rule that it breaks.
// Conforms and Validate return several of them in one errors.Join.
type FieldError struct {
	Field string // "infos[0].headline"
	Rule  string // C…: CAP 1.2 and Loa's profile; A…, B…: unsafe input; W…: wording
	Text  string // what is asked for, in English
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Text + " (" + e.Rule + ")" }

// FieldErrors lists the field errors in err, for a form that shows each beside
// its field.
func FieldErrors(err error) []*FieldError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*FieldError
		for _, e := range joined.Unwrap() {
			all = append(all, FieldErrors(e)...)
		}
		return all
	}
	if one, ok := errors.AsType[*FieldError](err); ok {
		return []*FieldError{one}
	}
	return nil
}

// faults gathers field errors.
type faults struct{ all []error }

func (f *faults) add(field, rule, text string) {
	f.all = append(f.all, &FieldError{Field: field, Rule: rule, Text: text})
}

func (f *faults) err() error { return errors.Join(f.all...) }

func at(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
