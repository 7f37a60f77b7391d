// Package cap carries alerts in and out as CAP 1.2 (OASIS Common Alerting
// Protocol): a strict writer, a reader that refuses what is dangerous and notes
// what is merely untidy, and an Atom feed. It knows alerts and areas; it must
// never know the desk, the web or a store. Rules are named as in Loa's
// checklists: C… for CAP itself, A… for unsafe messages, B… for unsafe text.
package cap

import (
	"context"
	"fmt"
	"time"
)

// Names of the formats that are read and written.
const (
	Namespace   = "urn:oasis:names:tc:emergency:cap:1.2"
	ContentType = "application/cap+xml"
	Profile     = "CAP-VN-draft:0.1" // the code element of Loa's profile

	signatureNamespace = "http://www.w3.org/2000/09/xmldsig#"
)

// Note says what was read although it is not as CAP asks, or what a person has
// to decide before anything is done with the message. Line and Column count
// from 1 in the text as it was decoded.
type Note struct {
	Rule, Text   string
	Line, Column int
}

// Refusal says why a message was not read. Nothing of it may be used.
type Refusal struct {
	Rule, Text   string
	Line, Column int
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("cap: line %d, column %d: %s (%s)", r.Line, r.Column, r.Text, r.Rule)
}

// Options bound one reading. The zero value has bounds that every message of
// a real authority keeps.
type Options struct {
	MaxBytes    int64         // 0: 2 MiB
	MaxDepth    int           // elements within elements; 0: 32
	MaxElements int           // 0: 20,000
	MaxPoints   int           // points of all polygons; 0: 50,000
	Timeout     time.Duration // 0: 10 s; checked between reads of the source

	// Now, if set, has the message judged as one that has just come in:
	// refused when sent more than 5 minutes ahead of it (A26) or longer than
	// MaxAge before it (A27).
	Now    func() time.Time
	MaxAge time.Duration // 0: 72 hours
}

const maxAhead = 5 * time.Minute

func (o Options) withDefaults() Options {
	o.MaxBytes = orDefault(o.MaxBytes, 2<<20)
	o.MaxDepth = orDefault(o.MaxDepth, 32)
	o.MaxElements = orDefault(o.MaxElements, 20_000)
	o.MaxPoints = orDefault(o.MaxPoints, 50_000)
	o.Timeout = orDefault(o.Timeout, 10*time.Second)
	o.MaxAge = orDefault(o.MaxAge, 72*time.Hour)
	return o
}

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// expired turns the end of the reading's time into a refusal.
func expired(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return &Refusal{Rule: "C85", Text: "the message did not arrive in time"}
}
