//go:build history

package delivery

import "time"

// LeaseFor is how long the ledger lets a lease stand without progress, HoldFor
// how long its holder may start sends on it, RenewEvery how often it renews.
var (
	LeaseFor   = 10 * time.Second
	HoldFor    = 8 * time.Second
	RenewEvery = 2 * time.Second
)

// When a provider is asked about a doubt unless the options say otherwise.
var (
	firstLookup  = 20 * time.Second
	secondLookup = time.Minute
)

// SetLease makes the leases of a test shorter, in the same proportions. It is
// called before an engine or a ledger is opened.
func SetLease(d time.Duration) { LeaseFor, HoldFor, RenewEvery = d, d*8/10, d/5 }

// SetLookups has providers be asked about doubts so long after them, and three
// times as long.
func SetLookups(after time.Duration) { firstLookup, secondLookup = after, 3*after }
