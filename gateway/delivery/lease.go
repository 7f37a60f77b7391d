//go:build !history

package delivery

import "time"

// LeaseFor is how long the ledger lets a lease stand without progress, HoldFor
// how long its holder may start sends on it, RenewEvery how often it renews.
const (
	LeaseFor   = 10 * time.Second
	HoldFor    = 8 * time.Second
	RenewEvery = 2 * time.Second
)

// When a provider is asked about a doubt unless the options say otherwise.
const (
	firstLookup  = 20 * time.Second
	secondLookup = time.Minute
)
