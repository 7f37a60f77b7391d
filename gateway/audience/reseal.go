package audience

import (
	"loa/channels"
	"loa/gateway/area"
)

// Reseal opens what one vault sealed, or the other already has, and seals it
// with the other: for a change of secrets. sealed is nil if nothing is to be
// done. The vaults must have different key ids: NewVault of both secrets says so.
// origin is that of the Book.
func Reseal(from, to *Vault, kind channels.Kind, commune area.Code, origin string, cipher []byte) (sealed []byte, lookup [16]byte, err error) {
	if _, err := to.Open(kind, cipher); err == nil {
		return nil, lookup, nil
	}
	a, err := from.Open(kind, cipher)
	if err != nil {
		return nil, lookup, err
	}
	_, identity, err := normalize(kind, a.Reveal(), origin)
	if err != nil {
		// By the rules of today it would not be taken; it is still reached.
		identity = "former " + a.Reveal()
	}
	if commune.Reserved() {
		identity = string(commune) + " " + identity
	}
	return to.Seal(kind, a), to.Lookup(kind, identity), nil
}
