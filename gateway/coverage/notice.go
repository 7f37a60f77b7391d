package coverage

import (
	"context"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
)

// Notice is something of an alert that is not sent, which people must hear of:
// a commune without a text, a provider that takes the text from nobody, a
// request that was refused.
type Notice struct {
	Alert    alert.ID
	Revision int           // 0: it could not be read
	Kind     channels.Kind // empty: every channel
	Commune  area.Code     // empty: every commune
	// Code says what it is, for faces to translate: "render" (no text could be
	// made), "request" (the request may not be sent as it is), "unreadable" (the
	// stored request cannot be read), "status" (a message that is not Actual would
	// have reached the public), "content/" and the provider's code (the provider
	// refuses the text).
	Code string
	Text string    // the first error, for engineers; holds no address
	At   time.Time // when it was first seen
}

// Notices tells what of an alert is not sent; filled by the ledger.
type Notices interface {
	// Notices lists those of an alert, oldest first, at most limit.
	Notices(ctx context.Context, id alert.ID, limit int) ([]Notice, error)
}
