package desk

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"maps"
	"slices"

	"loa/channels"
)

// String writes the hash as 64 lower-case hexadecimal digits.
func (h SubmissionHash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String wrote.
func ParseHash(s string) (SubmissionHash, error) {
	var h SubmissionHash
	if len(s) != hex.EncodedLen(len(h)) {
		return h, errors.New("desk: a hash has 64 hexadecimal digits")
	}
	_, err := hex.Decode(h[:], []byte(s))
	return h, err
}

// hashVersion opens the encoding; another encoding is another version.
const hashVersion = "loa/desk.Submission/1"

// Hash is what people sign: SHA-256 over the version's name, the revision's
// hash, the cause, what is replaced, and the channels, communes and head-count,
// each sorted, and then, if there are any, who cannot be reached. Text is its length in bytes and the bytes; a list is its length
// and its items; numbers are 8 bytes big-endian.
func (s *Submission) Hash() SubmissionHash {
	e := encoder{sha256.New()}
	e.text(hashVersion)
	revision := s.Revision.Hash()
	e.to.Write(revision[:])
	e.text(string(s.Cause))
	if s.Replaces == nil {
		e.number(0)
	} else {
		e.number(1)
		e.text(string(s.Replaces.Alert))
		e.number(s.Replaces.Revision)
	}
	sortedTexts(e, s.Kinds)
	sortedTexts(e, s.Communes)
	counts(e, s.HeadCount)
	if len(s.Unheard) > 0 {
		counts(e, s.Unheard)
	}
	return SubmissionHash(e.to.Sum(nil))
}

type encoder struct{ to hash.Hash }

func (e encoder) number(n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // lengths and counts are never negative
	e.to.Write(b[:])
}

func (e encoder) text(s string) {
	e.number(len(s))
	e.to.Write([]byte(s))
}

func counts(e encoder, heads map[channels.Kind]int) {
	e.number(len(heads))
	for _, k := range slices.Sorted(maps.Keys(heads)) {
		e.text(string(k))
		e.number(heads[k])
	}
}

func sortedTexts[T ~string](e encoder, items []T) {
	e.number(len(items))
	for _, s := range slices.Sorted(slices.Values(items)) {
		e.text(string(s))
	}
}
