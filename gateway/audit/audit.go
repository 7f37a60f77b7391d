// Package audit is the append-only record of who did what. It is a leaf: it
// must never import another room, and what it records holds no address.
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Hash seals a record and, through Prev, every record before it.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Record is one act. The ledger gives Seq, Prev and Hash in the transaction
// that makes the act durable.
type Record struct {
	Seq    int64
	At     time.Time
	Actor  string // person id, or "system"
	Act    string // "alert.approve", "person.add", …
	Object string // what it was done to: "alert/…", "person/…"
	Detail string // JSON, no addresses, no secrets
	Prev   Hash
	Hash   Hash
}

// Seal computes the hash of rec as successor of prev: SHA-256 over prev and
// the length-prefixed fields, time in UTC nanoseconds. It is pure.
func Seal(prev Hash, rec Record) Hash {
	h := sha256.New()
	h.Write(prev[:])
	var n [8]byte
	put := func(v int64) {
		binary.BigEndian.PutUint64(n[:], uint64(v)) //nolint:gosec // the bit pattern is what is sealed
		h.Write(n[:])
	}
	put(rec.Seq)
	put(rec.At.UTC().UnixNano())
	for _, s := range []string{rec.Actor, rec.Act, rec.Object, rec.Detail} {
		put(int64(len(s)))
		h.Write([]byte(s))
	}
	return Hash(h.Sum(nil))
}

// Verify walks records in order, starting after prev, and returns the sequence
// number of the first that does not fit, or 0 if all do.
func Verify(prev Hash, recs []Record) int64 {
	for _, r := range recs {
		if r.Prev != prev || Seal(prev, r) != r.Hash {
			return r.Seq
		}
		prev = r.Hash
	}
	return 0
}
