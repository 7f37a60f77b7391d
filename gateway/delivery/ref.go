package delivery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"

	"loa/channels"
)

// A reference is batch (8 bytes, big-endian), index (2), attempt (1) and the
// first 13 bytes of their HMAC-SHA256, in URL-safe base64: 32 characters.
const (
	refFacts = 11
	refBytes = 24
	refChars = 32
)

var refDomain = []byte("loa delivery reference v1\x00")

// signer makes and checks references. It keeps its HMAC state and is not safe
// for concurrent use.
type signer struct {
	mac hash.Hash
	raw [refFacts + sha256.Size]byte
}

func newSigner(key []byte) *signer { return &signer{mac: hmac.New(sha256.New, key)} }

func (s *signer) fill(b BatchID, index int, attempt uint8) {
	binary.BigEndian.PutUint64(s.raw[:], uint64(b))      //nolint:gosec // batch ids are positive
	binary.BigEndian.PutUint16(s.raw[8:], uint16(index)) //nolint:gosec // a batch has at most 1,000 recipients
	s.raw[10] = attempt
	s.mac.Reset()
	s.mac.Write(refDomain)
	s.mac.Write(s.raw[:refFacts])
	s.mac.Sum(s.raw[:refFacts])
}

// append adds the reference to dst.
func (s *signer) append(dst []byte, b BatchID, index int, attempt uint8) []byte {
	s.fill(b, index, attempt)
	return base64.RawURLEncoding.AppendEncode(dst, s.raw[:refBytes])
}

// open checks a reference and says what it refers to.
func (s *signer) open(ref string) (b BatchID, index int, attempt uint8, err error) {
	var in [refBytes]byte
	if len(ref) != refChars {
		return 0, 0, 0, channels.ErrUnknownRef
	}
	if _, err := base64.RawURLEncoding.Strict().Decode(in[:], []byte(ref)); err != nil {
		return 0, 0, 0, channels.ErrUnknownRef
	}
	b = BatchID(binary.BigEndian.Uint64(in[:])) //nolint:gosec // checked by the HMAC below
	index, attempt = int(binary.BigEndian.Uint16(in[8:])), in[10]
	s.fill(b, index, attempt)
	if !hmac.Equal(in[:], s.raw[:refBytes]) {
		return 0, 0, 0, channels.ErrUnknownRef
	}
	return b, index, attempt, nil
}
