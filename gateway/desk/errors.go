package desk

import "errors"

// Refusals of the desk. Faces translate them; none is worth a retry as it is.
var (
	ErrNotFound    = errors.New("desk: no such alert")
	ErrConflict    = errors.New("desk: the alert has changed meanwhile")
	ErrNoAuthority = errors.New("desk: no authority")
	ErrOwnAlert    = errors.New("desk: a Severe or Extreme alert needs another person's signature")
	ErrHash        = errors.New("desk: the hash is not that of the submitted text and area")
	ErrTerritory   = errors.New("desk: the alert's area is outside the person's territory")
)
