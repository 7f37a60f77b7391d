package channels

import (
	"context"
	"time"
)

// Lookup is implemented by senders whose provider can be asked what it took:
// the way out of an answer that leaves open whether a message was accepted.
type Lookup interface {
	// Lookup asks the provider for a message with the address and body of m
	// that it took at or after since. The receipt carries m.Ref and an outcome
	// of Accepted or later. No receipt and no error means that the provider
	// answered and holds no such message now; it may still be on its way there.
	// An error proves nothing.
	Lookup(ctx context.Context, m Message, since time.Time) (*Receipt, error)
}
