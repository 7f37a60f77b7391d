package channels

import (
	"errors"
	"fmt"
	"time"
)

// Fault says why a send failed, and so what happens next.
type Fault uint8

// The faults. The zero value is the careful one.
const (
	FaultAmbiguous Fault = iota // may have been accepted; any plain error is this
	FaultTransient              // certainly not accepted: refused connection, DNS, TLS; back off and retry
	FaultThrottled              // wait RetryAfter; spends no attempt
	FaultAddress                // never works: retire the address
	FaultContent                // no provider takes this text: tell the desk
	FaultProvider               // account or provider down: open the breaker, fall back
)

// AllFaults lists every fault.
func AllFaults() []Fault {
	return []Fault{FaultAmbiguous, FaultTransient, FaultThrottled, FaultAddress, FaultContent, FaultProvider}
}

func (f Fault) String() string {
	switch f {
	case FaultTransient:
		return "transient"
	case FaultThrottled:
		return "throttled"
	case FaultAddress:
		return "address"
	case FaultContent:
		return "content"
	case FaultProvider:
		return "provider"
	default:
		return "ambiguous"
	}
}

// Error is a classified send failure. Its text must hold neither a secret nor
// an address.
type Error struct {
	Fault      Fault
	RetryAfter time.Duration // how long the provider asks to wait; zero if it did not say
	Code       string        // the provider's own code
	Account    bool          // with FaultProvider: it is about the account, not about this message, and no other would be taken
	Err        error
}

func (e *Error) Error() string {
	switch {
	case e.Code != "" && e.Err != nil:
		return fmt.Sprintf("%s (code %s): %v", e.Fault, e.Code, e.Err)
	case e.Code != "":
		return fmt.Sprintf("%s (code %s)", e.Fault, e.Code)
	case e.Err != nil:
		return fmt.Sprintf("%s: %v", e.Fault, e.Err)
	default:
		return e.Fault.String()
	}
}

func (e *Error) Unwrap() error { return e.Err }

// AsError classifies err: an *Error anywhere in its chain, otherwise an
// ambiguous one around it. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Fault: FaultAmbiguous, Err: err}
}

// ErrUnknownRef is returned by a Sink for a reference that Loa did not issue.
var ErrUnknownRef = errors.New("channels: unknown delivery reference")
