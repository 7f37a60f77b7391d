package dispatch

import (
	"errors"
	"fmt"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/delivery"
)

// MaxRoster is how many endpoints a test or an exercise may address.
const MaxRoster = 500

// Refusals of a request. A stored request that is refused is finished, and
// nothing of it is cut.
var (
	ErrStatus = errors.New("dispatch: only Actual, Exercise and Test are sent")
	ErrRoster = fmt.Errorf("dispatch: a test or exercise addresses a roster of at most %d endpoints, never the public", MaxRoster)
)

// Validate refuses a request that names nobody, or people in two ways.
func (r *Request) Validate() error {
	ways := 0
	if len(r.Areas) > 0 {
		ways++
	}
	if r.Reached != nil {
		ways++
	}
	if len(r.People) > 0 {
		ways++
	}
	switch {
	case ways == 0:
		return ErrNoTarget
	case ways > 1:
		return fmt.Errorf("%w: only one of them", ErrNoTarget)
	case r.Key == "":
		return errors.New("dispatch: a request needs a key")
	case r.Alert == "" || r.Revision < 1:
		return errors.New("dispatch: a request names an alert and its revision")
	default:
		return nil
	}
}

// PriorityOf is where a request stands in the queue: the four acts on a live
// alert and every Severe or Extreme alert go first, bulletins last.
func PriorityOf(c Cause, s alert.Severity) delivery.Priority {
	switch {
	case c == Scheduled:
		return delivery.P3
	case c == Correction || c == Updated || c == Stopped || (c == Approved && s.Grave()):
		return delivery.P0
	case c == Fallback || c == Canary:
		return delivery.P2
	default:
		return delivery.P1
	}
}

// statusOf is the status a message carries; false for those never sent.
func statusOf(s alert.Status) (channels.Status, bool) {
	switch s {
	case alert.Actual:
		return channels.Actual, true
	case alert.Exercise:
		return channels.Exercise, true
	case alert.Test:
		return channels.Test, true
	default:
		return channels.StatusUnset, false
	}
}

// admit checks that the revision may be sent to whom the request names.
func admit(r *Request, rev *alert.Revision) error {
	if err := r.Validate(); err != nil {
		return err
	}
	status, ok := statusOf(rev.Status)
	if !ok {
		return fmt.Errorf("%w: status is %q", ErrStatus, rev.Status)
	}
	if status != channels.Actual && !r.Roster {
		return fmt.Errorf("%w: status is %s", ErrRoster, rev.Status)
	}
	return nil
}
