// Package audience holds endpoints (phone, push subscription, app install),
// the basis on which each may be addressed, and the answer to "who must hear".
// It seals addresses before they are stored. It must never import delivery or
// web.
package audience

import (
	"time"

	"loa/channels"
	"loa/gateway/area"
)

// Basis is why an endpoint may be addressed (Law 91/2025/QH15).
type Basis string

// The bases.
const (
	Consent        Basis = "consent"
	Duty           Basis = "duty"
	EmergencyOrder Basis = "emergency_order"
)

// Endpoint is one person–address. Its id is never reused; a new address is a
// new endpoint.
type Endpoint struct {
	ID          int64
	Kind        channels.Kind
	Commune     area.Code
	Language    string // "vi", "en"
	Basis       Basis
	ConsentText string // version of the text that was agreed to
	ConsentAt   time.Time
	Roster      bool // a person with a role, or a canary: may be addressed by tests
	Address     channels.Address
}

// Sealed is an endpoint as stored: its address only encrypted, found again
// only by a keyed hash.
type Sealed struct {
	Endpoint          // Address is empty
	Cipher   []byte   // key id, nonce, AEAD ciphertext bound to Kind: see Vault
	Lookup   [16]byte // keyed hash of (Kind, normalised address)
}
