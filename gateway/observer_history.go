//go:build history

package gateway

import "loa/gateway/ledger"

// Truth is the ledger, for tests that judge a run when it is over.
func (g *Gateway) Truth() *ledger.Ledger { return g.ledger }
