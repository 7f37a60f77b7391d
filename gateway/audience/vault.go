package audience

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"sync"

	"loa/channels"
)

// SecretSize is how many bytes a vault's secret has.
const SecretSize = 32

// Refusals of the vault. None of them holds an address.
var (
	ErrSecret  = fmt.Errorf("audience: a vault's secret has %d bytes", SecretSize)
	ErrKeyID   = errors.New("audience: two secrets of the vault have the same key id; make a new one")
	ErrUnknown = errors.New("audience: the address was sealed with a secret that is not configured")
	ErrSealed  = errors.New("audience: the sealed address is damaged or belongs to another channel")
)

// Vault seals addresses with AES-256-GCM and finds them again by a keyed hash.
// A sealed address is one key id byte, a random nonce of 12 bytes and the
// ciphertext with its tag; the channel's kind is bound to it. Safe for
// concurrent use.
type Vault struct {
	current byte
	keys    map[byte]cipher.AEAD
	lookups sync.Pool // hash.Hash, keyed
}

// NewVault derives its keys from secrets of SecretSize bytes (HKDF-SHA256).
// The first seals, all open: so a secret is rotated by putting a new one in
// front. The last, which is the oldest, keys the lookup hash and must stay.
func NewVault(secrets ...[]byte) (*Vault, error) {
	if len(secrets) == 0 {
		return nil, ErrSecret
	}
	v := &Vault{keys: make(map[byte]cipher.AEAD, len(secrets))}
	for i, s := range secrets {
		id, aead, err := sealing(s)
		if err != nil {
			return nil, err
		}
		if _, taken := v.keys[id]; taken {
			return nil, ErrKeyID
		}
		v.keys[id] = aead
		if i == 0 {
			v.current = id
		}
	}
	key, err := hkdf.Key(sha256.New, secrets[len(secrets)-1], nil, "loa/audience/lookup", 32)
	if err != nil {
		return nil, fmt.Errorf("audience: lookup key: %w", err)
	}
	v.lookups.New = func() any { return hmac.New(sha256.New, key) }
	return v, nil
}

func sealing(secret []byte) (byte, cipher.AEAD, error) {
	if len(secret) != SecretSize {
		return 0, nil, ErrSecret
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "loa/audience/seal", 32+1)
	if err != nil {
		return 0, nil, fmt.Errorf("audience: sealing key: %w", err)
	}
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		return 0, nil, fmt.Errorf("audience: sealing key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return 0, nil, fmt.Errorf("audience: sealing key: %w", err)
	}
	return key[32], aead, nil
}

// Seal encrypts a normalised address.
func (v *Vault) Seal(kind channels.Kind, a channels.Address) []byte {
	aead := v.keys[v.current]
	out := make([]byte, 1, 1+len(a)+aead.Overhead())
	out[0] = v.current
	return aead.Seal(out, nil, []byte(a), []byte(kind)) //nolint:gosec // NewGCMWithRandomNonce draws the nonce and takes none
}

// Open decrypts what Seal made. It fails with ErrUnknown or ErrSealed.
func (v *Vault) Open(kind channels.Kind, sealed []byte) (channels.Address, error) {
	if len(sealed) == 0 {
		return "", ErrSealed
	}
	aead, ok := v.keys[sealed[0]]
	if !ok {
		return "", ErrUnknown
	}
	plain, err := aead.Open(nil, nil, sealed[1:], []byte(kind))
	if err != nil {
		return "", ErrSealed
	}
	return channels.Address(plain), nil
}

// Lookup is the keyed hash under which a normalised address is found:
// HMAC-SHA256 over the kind and the address's identity, cut to 16 bytes.
func (v *Vault) Lookup(kind channels.Kind, identity string) [16]byte {
	h, _ := v.lookups.Get().(hash.Hash)
	defer v.lookups.Put(h)
	h.Reset()
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(identity))
	var sum [sha256.Size]byte
	return [16]byte(h.Sum(sum[:0]))
}
