package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"loa/channels"
)

// never stands for an expiry that is not set.
const never = math.MaxInt64

// ns is t as it is stored: nanoseconds since 1970, 0 for the zero time.
func ns(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNS(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func expiryNS(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixNano()
}

func fromExpiry(n int64) time.Time {
	if n == never {
		return time.Time{}
	}
	return fromNS(n)
}

// Kinds are stored as these codes: never renumber.
var kindCodes = map[channels.Kind]int64{
	channels.SMS:         1,
	channels.WebPush:     2,
	channels.App:         3,
	channels.Loudspeaker: 4,
	channels.Handoff:     5,
}

var kindNames = func() map[int64]channels.Kind {
	names := make(map[int64]channels.Kind, len(kindCodes))
	for k, c := range kindCodes {
		names[c] = k
	}
	return names
}()

func kindCode(k channels.Kind) (int64, error) {
	c, ok := kindCodes[k]
	if !ok {
		return 0, fmt.Errorf("ledger: channel kind %q has no code", k)
	}
	return c, nil
}

// packIDs writes strictly ascending positive ids as varints of their distances.
func packIDs(ids []int64) ([]byte, error) {
	b := make([]byte, 0, 2*len(ids)+8)
	var prev int64
	for i, id := range ids {
		if id <= prev {
			return nil, fmt.Errorf("ledger: recipients must be ascending, each once, from 1: place %d", i)
		}
		b = binary.AppendUvarint(b, uint64(id-prev)) //nolint:gosec // positive: id > prev ≥ 0
		prev = id
	}
	return b, nil
}

var errPacked = errors.New("ledger: damaged list of recipients")

func unpackIDs(b []byte, count int) ([]int64, error) {
	ids := make([]int64, 0, count)
	var id int64
	for len(b) > 0 {
		d, n := binary.Uvarint(b)
		if n <= 0 || d > math.MaxInt64 {
			return nil, errPacked
		}
		id += int64(d)
		ids = append(ids, id)
		b = b[n:]
	}
	if len(ids) != count {
		return nil, errPacked
	}
	return ids, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
