package area

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrEmpty refuses a target without codes: an empty area never means everywhere.
var ErrEmpty = errors.New("area: no codes: an empty area is refused, never widened")

// UnknownError refuses a code that no unit has ever borne.
type UnknownError struct {
	Code Code
	Like Code // a code in force that lacks only leading zeros here; empty if none
}

func (e *UnknownError) Error() string {
	if e.Like != "" {
		return fmt.Sprintf("area: code %q: unknown; leading zeros count, is it %s?", string(e.Code), e.Like)
	}
	return fmt.Sprintf("area: code %q: unknown", string(e.Code))
}

// EndedError refuses the code of a unit that has ended, and names the units
// that a person may choose instead.
type EndedError struct {
	Unit       Unit
	Successors []Code // in force; sorted
}

func (e *EndedError) Error() string {
	codes := make([]string, len(e.Successors))
	for i, c := range e.Successors {
		codes[i] = string(c)
	}
	return fmt.Sprintf("area: code %q: %s ended on %s; choose among its successors: %s", string(e.Unit.Code),
		e.Unit.FullName, e.Unit.Until.In(vietnam).Format(time.DateOnly), strings.Join(codes, " "))
}

// Expand turns codes of provinces and communes into the communes they hold,
// sorted, each once. It refuses the whole list, naming every bad code, when one
// is unknown (*UnknownError) or has ended (*EndedError), and an empty list with
// ErrEmpty.
func (d *Directory) Expand(codes []Code) ([]Code, error) {
	var communes []Code
	var errs []error
	for _, c := range codes {
		under := d.Communes(c)
		for _, u := range under {
			communes = append(communes, u.Code)
		}
		if len(under) == 0 {
			errs = append(errs, d.refuse(c))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(communes) == 0 {
		return nil, ErrEmpty
	}
	slices.Sort(communes)
	return slices.Compact(communes), nil
}

func (d *Directory) refuse(c Code) error {
	if _, ok := d.current[c]; ok {
		return fmt.Errorf("area: code %q: %w", string(c), ErrEmpty)
	}
	if versions := d.versions[c]; len(versions) > 0 {
		last := versions[len(versions)-1].Unit
		return &EndedError{Unit: last, Successors: d.Heirs(last)}
	}
	err := &UnknownError{Code: c}
	for padded := c; len(padded) < communeDigits && isDigits(string(c)); {
		padded = "0" + padded
		if _, ok := d.current[padded]; ok {
			err.Like = padded
			break
		}
	}
	return err
}
