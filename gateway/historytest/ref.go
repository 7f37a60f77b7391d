package historytest

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Ref is what a delivery reference says in the clear.
type Ref struct {
	Batch   int64
	Index   int
	Attempt uint8
}

const refBytes = 24

// ReadRef reads a delivery reference: batch (8 bytes, big-endian), index (2),
// attempt (1) and a seal (13) in URL-safe base64. The seal is not checked: that
// it was refused or believed is what the history shows.
func ReadRef(s string) (Ref, error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) != refBytes {
		return Ref{}, fmt.Errorf("historytest: ref: must be %d bytes of base64", refBytes)
	}
	return Ref{
		Batch: int64(binary.BigEndian.Uint64(raw)), //nolint:gosec // an id that overflows names no batch
		Index: int(binary.BigEndian.Uint16(raw[8:])), Attempt: raw[10],
	}, nil
}
