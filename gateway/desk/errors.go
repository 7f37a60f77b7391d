package desk

import (
	"errors"
	"fmt"

	"loa/gateway/alert"
)

// Refusals of the desk. Faces translate them; none is worth a retry as it is.
var (
	ErrNotFound    = errors.New("desk: no such alert")
	ErrConflict    = errors.New("desk: the alert has changed meanwhile")
	ErrNoAuthority = errors.New("desk: no authority")
	ErrOwnAlert    = errors.New("desk: this alert needs another person's signature")
	ErrHash        = errors.New("desk: the hash is not that of the submitted text and area")
	ErrTerritory   = errors.New("desk: the alert's area is outside the person's territory")
)

// SupersededError says that another alert was quicker to take the place of an
// alert, maybe on another node. It is an ErrConflict.
type SupersededError struct {
	Alert alert.ID
	By    alert.ID
}

func (e *SupersededError) Error() string {
	return fmt.Sprintf("desk: alert %s has taken the place of %s: act on that one", e.By, e.Alert)
}

// Is makes the error an ErrConflict.
func (e *SupersededError) Is(target error) bool { return target == ErrConflict }
