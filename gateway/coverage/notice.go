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

// MaxNotices is how many faces ask for: every commune on every channel, and
// then some.
const MaxNotices = 20_000

// Gap is what several notices say together: the same code of one revision on
// one channel. It carries the first of them.
type Gap struct {
	Notice
	Communes []area.Code // empty: every commune
}

// Gaps puts together what says the same, in the order in which it was first
// seen.
func Gaps(all []Notice) []Gap {
	type same struct {
		revision int
		kind     channels.Kind
		code     string
	}
	var gaps []Gap
	at := map[same]int{}
	for _, n := range all {
		key := same{n.Revision, n.Kind, n.Code}
		i, seen := at[key]
		if !seen {
			i = len(gaps)
			at[key] = i
			gaps = append(gaps, Gap{Notice: n})
		}
		if n.Commune != "" {
			gaps[i].Communes = append(gaps[i].Communes, n.Commune)
		}
	}
	return gaps
}
