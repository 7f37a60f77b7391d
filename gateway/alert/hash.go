package alert

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"maps"
	"math"
	"slices"
	"time"
)

// Hash is the SHA-256 of a revision's canonical encoding: what people sign
// when they sign a text.
type Hash [sha256.Size]byte

// String writes the hash as 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash as String does.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(h) {
		return errors.New("alert: a hash has 64 hexadecimal digits")
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// hashVersion opens the encoding. A change of the encoding is a new version,
// never the same one with another meaning.
const hashVersion = "loa/alert.Revision/1"

// Hash is the revision's content hash.
//
// The encoding, version 1: the version's name, then every field of Revision in
// the order of its declaration, structures field by field. Text is its length
// in bytes and the bytes; a list is its length and its items in their order; a
// map is a list of key and value sorted by key; lengths and whole numbers are
// 8 bytes big-endian; a fraction is its IEEE 754 bits, minus zero written as
// zero; an optional fraction has a byte before it, 1 if it is there; a time is
// its instant, seconds since 1970 and nanoseconds, a byte 0 alone if it is not
// set. So nil and empty are the same, and the offset in which an instant is
// written is not content.
func (r *Revision) Hash() Hash {
	e := encoder{sha256.New()}
	e.text(hashVersion)
	e.revision(r)
	return Hash(e.to.Sum(nil))
}

type encoder struct{ to hash.Hash }

func (e encoder) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // the bits are wanted, not the value
	e.to.Write(b[:])
}

func (e encoder) text(s string) {
	e.number(int64(len(s)))
	e.to.Write([]byte(s))
}

func (e encoder) fraction(f float64) {
	if f == 0 {
		f = 0
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], math.Float64bits(f))
	e.to.Write(b[:])
}

func (e encoder) optional(f *float64) {
	if f == nil {
		e.to.Write([]byte{0})
		return
	}
	e.to.Write([]byte{1})
	e.fraction(*f)
}

func (e encoder) time(t time.Time) {
	if t.IsZero() {
		e.to.Write([]byte{0})
		return
	}
	e.to.Write([]byte{1})
	e.number(t.Unix())
	e.number(int64(t.Nanosecond()))
}

func list[T any](e encoder, items []T, one func(T)) {
	e.number(int64(len(items)))
	for i := range items {
		one(items[i])
	}
}

func texts[T ~string](e encoder, items []T) {
	list(e, items, func(s T) { e.text(string(s)) })
}

func (e encoder) revision(r *Revision) {
	e.text(string(r.Alert))
	e.number(int64(r.Number))
	e.text(r.Code)
	e.text(r.Identifier)
	e.text(r.Sender)
	e.time(r.Sent)
	e.text(string(r.Status))
	e.text(string(r.MsgType))
	e.text(string(r.Scope))
	e.text(r.Source)
	e.text(r.Restriction)
	texts(e, r.Addresses)
	texts(e, r.Codes)
	e.text(r.Note)
	list(e, r.References, func(ref Reference) {
		e.text(ref.Sender)
		e.text(ref.Identifier)
		e.time(ref.Sent)
	})
	texts(e, r.Incidents)
	list(e, r.Infos, e.info)
}

func (e encoder) info(in Info) {
	e.text(in.Language)
	texts(e, in.Categories)
	e.text(in.Event)
	texts(e, in.ResponseTypes)
	e.text(string(in.Urgency))
	e.text(string(in.Severity))
	e.text(string(in.Certainty))
	e.text(in.Audience)
	list(e, in.EventCodes, e.pair)
	e.time(in.Effective)
	e.time(in.Onset)
	e.time(in.Expires)
	for _, s := range []string{in.SenderName, in.Headline, in.Description, in.Instruction, in.Web, in.Contact} {
		e.text(s)
	}
	list(e, in.Parameters, e.pair)
	list(e, in.Resources, func(x Resource) {
		e.text(x.Desc)
		e.text(x.MIMEType)
		e.number(x.Size)
		e.text(x.URI)
		e.text(x.Digest)
	})
	list(e, in.Areas, e.area)
	e.text(in.Template)
	list(e, slices.Sorted(maps.Keys(in.Slots)), func(k string) { e.pair(NamedValue{k, in.Slots[k]}) })
}

func (e encoder) pair(v NamedValue) {
	e.text(v.Name)
	e.text(v.Value)
}

func (e encoder) point(p Point) {
	e.fraction(p.Lat)
	e.fraction(p.Lon)
}

func (e encoder) area(a Area) {
	e.text(a.Desc)
	list(e, a.Polygons, func(ring []Point) { list(e, ring, e.point) })
	list(e, a.Circles, func(c Circle) {
		e.point(c.Center)
		e.fraction(c.Radius)
	})
	list(e, a.Geocodes, e.pair)
	e.optional(a.Altitude)
	e.optional(a.Ceiling)
}
