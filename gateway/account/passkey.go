package account

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"
)

// Site is where passkeys are used (WebAuthn level 3: the relying party).
type Site struct {
	ID          string   // its domain
	Name        string   // as a person's device shows it
	Origins     []string // scheme, host and port of its pages
	Environment string   // live, drill or demo: part of everything signed
}

// Refusals of passkeys and of what is signed with them. None tells what was
// expected.
var (
	ErrCeremony       = errors.New("account: this challenge is unknown, used or expired: begin again")
	ErrMalformed      = errors.New("account: not the answer of an authenticator")
	ErrChallenge      = errors.New("account: signed another challenge")
	ErrOrigin         = errors.New("account: signed on another site")
	ErrUnverified     = errors.New("account: the authenticator did not verify who holds it")
	ErrForged         = errors.New("account: the signature is not this passkey's")
	ErrUnknownPasskey = errors.New("account: nobody has this passkey")
	ErrRevokedPasskey = errors.New("account: the passkey is revoked")
	ErrPasskeyTaken   = errors.New("account: this passkey is somebody's already")
	ErrCloned         = errors.New("account: the passkey's counter went back: there may be a copy of it")
	ErrSeal           = errors.New("account: the passkey was not registered here")
	ErrEnvironment    = errors.New("account: signed for another environment")
	ErrOtherAct       = errors.New("account: signed for another act")
	ErrOtherRevision  = errors.New("account: signed another revision")
	ErrOtherPerson    = errors.New("account: signed by another person")
	ErrNoPasskey      = errors.New("account: the person has no passkey")
	ErrNotSignable    = errors.New("account: a signature names an act, an object and a revision")
	ErrSiteIncomplete = errors.New("account: passkeys need a site with id, origin and environment, and a key")
	ErrChanged        = errors.New("account: changed meanwhile: load it again")
	ErrSetupOver      = errors.New("account: the set-up phase has ended")
	ErrLink           = errors.New("account: the link is unknown, used or expired: ask for another")
	ErrHasPasskey     = errors.New("account: who has a passkey needs no link")
)

// Passkey is a credential of a person (WebAuthn level 3, section 4: credential
// record). Eligible and Backed are its flags BE and BS.
type Passkey struct {
	ID        []byte
	Person    string
	Key       []byte // COSE_Key
	Counter   uint32
	Eligible  bool
	Backed    bool
	AAGUID    []byte
	Seal      []byte
	CreatedAt time.Time
	UsedAt    time.Time
	ClonedAt  time.Time // when its counter first went back
	RevokedAt time.Time
}

// LogValue shows whose it is.
func (k Passkey) LogValue() slog.Value {
	return slog.GroupValue(slog.String("person", k.Person), slog.Time("created", k.CreatedAt))
}

// Use is one use of a passkey.
type Use struct {
	Passkey []byte
	Counter uint32
	Backed  bool
	At      time.Time
}

// sealOf binds a passkey to its person with a key that the ledger does not
// have: a row written past the gateway has no seal.
func (k Passkey) sealOf(key []byte) []byte {
	var eligible byte
	if k.Eligible {
		eligible = 1
	}
	at := binary.BigEndian.AppendUint64(nil, uint64(k.CreatedAt.UnixNano()))
	m := hmac.New(sha256.New, key)
	m.Write(encode("loa passkey 1", []byte(k.Person), k.ID, k.Key, []byte{eligible}, at))
	return m.Sum(nil)
}

// sealed tells whether one of the keys sealed the passkey.
func (k Passkey) sealed(keys [][]byte) bool {
	for _, key := range keys {
		if len(key) > 0 && hmac.Equal(k.Seal, k.sealOf(key)) {
			return true
		}
	}
	return false
}

// usable refuses a passkey that signs nothing any more, or never did.
func (k Passkey) usable(keys [][]byte) error {
	switch {
	case !k.sealed(keys):
		return ErrSeal
	case !k.RevokedAt.IsZero():
		return ErrRevokedPasskey
	}
	return nil
}

// encode writes the domain and each field with its length before it, so that no
// two lists of fields are the same bytes.
func encode(domain string, fields ...[]byte) []byte {
	var b bytes.Buffer
	for _, f := range append([][]byte{[]byte(domain)}, fields...) {
		b.Write(binary.BigEndian.AppendUint64(nil, uint64(len(f))))
		b.Write(f)
	}
	return b.Bytes()
}
