// Package channels is the contract between Loa's core and the media it speaks
// through: SMS, web push, the app, loudspeakers and channels worked by people.
//
// A driver (package channels/sms and its siblings) implements Sender or
// Broadcaster and describes itself with a Driver value. The package knows
// nothing of alerts, people, storage or queues, and must never import a room
// of gateway.
package channels

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Kind names a medium.
type Kind string

// The media Loa speaks through.
const (
	SMS         Kind = "sms"
	WebPush     Kind = "webpush"
	App         Kind = "app"
	Loudspeaker Kind = "loudspeaker"
	Handoff     Kind = "handoff"
)

// AllKinds lists every medium, in the order faces show them.
func AllKinds() []Kind { return []Kind{SMS, WebPush, App, Loudspeaker, Handoff} }

// ParseKind reads a Kind by its name.
func ParseKind(s string) (Kind, error) {
	for _, k := range AllKinds() {
		if string(k) == s {
			return k, nil
		}
	}
	return "", fmt.Errorf("channel %q: not one of %v", s, AllKinds())
}

// Status says whether a message is meant (CAP 1.2, element status). The zero
// value is none of them, so that a forgotten field can never mean Actual.
type Status uint8

// The statuses a message can carry.
const (
	StatusUnset Status = iota
	Actual
	Exercise
	Test
)

func (s Status) String() string {
	switch s {
	case Actual:
		return "Actual"
	case Exercise:
		return "Exercise"
	case Test:
		return "Test"
	default:
		return "unset"
	}
}

// Message is one text for one address, or for everyone listening in some areas.
// Body is shared by all recipients of a batch: drivers must not write to it.
type Message struct {
	Ref      string    // opaque delivery reference; comes back in a Receipt
	Alert    string    // alert identifier: the tag that lets a device fold copies
	Revision int       // revision of the alert, from 1
	Code     string    // four-character check code shown to people
	Status   Status    // must be set
	Urgent   bool      // Severe or Extreme: may wake a device
	Language string    // "vi", "en"
	Expires  time.Time // no send may start at or after this moment
	To       Address   // empty for a broadcast
	Body     []byte    // SMS: UTF-8 text; web push and app: JSON document
}

// Ack is a provider's immediate answer.
type Ack struct {
	Outcome     Outcome // Accepted, or Delivered where the medium proves it at once
	ProviderRef string  // the provider's own identifier, empty if it gives none
}

// Receipt is evidence that arrives later: a status callback, or an install's
// acknowledgement. Either Ref is set, or Alert, Revision and From are (an
// install acknowledges an alert, it never saw a reference).
type Receipt struct {
	Kind        Kind
	Ref         string
	Alert       string
	Revision    int
	From        Address
	Outcome     Outcome
	Fault       Fault         // meaningful when Outcome is Failed
	Code        string        // the provider's own code, empty if none
	RetryAfter  time.Duration // with Failed: how long to leave the address before another send, zero if it does not matter
	ProviderRef string
	At          time.Time
}

// Sink takes evidence that arrives later. It returns after the ledger commit;
// only then may a callback be answered with 2xx. ErrUnknownRef says that a
// reference was not ours: answer 404 and do not ask for a repeat.
type Sink func(ctx context.Context, rs ...Receipt) error

// Sender hands one message to one address. Safe for concurrent use. An error
// that is not an *Error is ambiguous: the message may have been accepted.
type Sender interface {
	Kind() Kind
	Provider() string
	Live() bool // reaches real people
	Send(ctx context.Context, m Message) (Ack, error)
}

// Broadcaster hands one message to everyone listening in the areas (app hub,
// loudspeakers). Areas are administrative codes and never empty.
type Broadcaster interface {
	Kind() Kind
	Live() bool
	Broadcast(ctx context.Context, m Message, areas []string) (Ack, error)
}

// Snapshot lists the messages now in force on the driver's channel for the
// areas, for a listener that (re)connects.
type Snapshot func(ctx context.Context, areas []string) ([]Message, error)

// Deps is what the core hands to a driver at Open.
type Deps struct {
	Sink     Sink
	Snapshot Snapshot
	Public   string           // public base URL of this gateway, no trailing slash; callbacks are built on it
	Origin   string           // the only http or loopback provider origin admitted in drill and demo; empty in live
	Now      func() time.Time // the injected clock
	Log      *slog.Logger
}

// Driver describes one implementation. Open validates its configuration and
// must not dial. The value it returns is a Sender or a Broadcaster and may
// also be a Handler, a Checker or an io.Closer.
type Driver struct {
	Name string // the provider's name in the configuration: "twilio", "vapid", "hub"
	Kind Kind
	Open func(decode func(any) error, d Deps) (any, error)
}

// Handler is implemented by drivers that take HTTP calls (callbacks, sockets).
// They are mounted under /channels/{driver name}/ with that prefix stripped.
type Handler interface {
	Handler() http.Handler
}

// Originator is implemented by senders whose messages bear one name or number,
// which they were configured with; empty if the provider chooses.
type Originator interface {
	Originator() string
}

// Checker is implemented by drivers that can prove their credentials without
// sending anything to anybody ("loa check --online").
type Checker interface {
	Check(ctx context.Context) error
}
