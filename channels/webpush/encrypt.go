package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

const (
	pointSize  = 65 // an uncompressed P-256 point
	authSize   = 16 // RFC 8291 section 3.2
	saltSize   = 16 // RFC 8188 section 2.1
	headerSize = saltSize + 4 + 1 + pointSize
	tagSize    = 16
	bodyMax    = 4096 // what every push service must take (RFC 8030 section 7.2)
	padStep    = 128  // bytes; hides the length of a text, not that one was sent

	// MaxBody is the longest Message.Body that fits: one record with its
	// header, its delimiter and its tag.
	MaxBody = bodyMax - headerSize - tagSize - 1
)

// encrypt seals text for a subscription with a fresh sender key (RFC 8291,
// content coding aes128gcm of RFC 8188). text is only read.
func encrypt(text []byte, s Subscription) ([]byte, error) {
	sender, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("webpush: sender key: %w", err)
	}
	var salt [saltSize]byte
	_, _ = rand.Read(salt[:]) // never fails (crypto/rand)
	return seal(text, s, sender, salt, padded(len(text)))
}

// padded is the size of the plain record: text, delimiter, zeros.
func padded(n int) int {
	return min((n+1+padStep-1)/padStep*padStep, MaxBody+1)
}

// seal is encrypt with everything random handed in.
func seal(text []byte, s Subscription, sender *ecdh.PrivateKey, salt [saltSize]byte, size int) ([]byte, error) {
	secret, err := sender.ECDH(s.key)
	if err != nil {
		return nil, fmt.Errorf("webpush: key agreement: %w", err)
	}
	point := sender.PublicKey().Bytes()
	ikm, err := hkdf.Key(sha256.New, secret, s.auth, "WebPush: info\x00"+string(s.point)+string(point), 32)
	if err != nil {
		return nil, fmt.Errorf("webpush: key derivation: %w", err)
	}
	prk, err := hkdf.Extract(sha256.New, ikm, salt[:])
	if err != nil {
		return nil, fmt.Errorf("webpush: key derivation: %w", err)
	}
	key, err := hkdf.Expand(sha256.New, prk, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, fmt.Errorf("webpush: key derivation: %w", err)
	}
	nonce, err := hkdf.Expand(sha256.New, prk, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, fmt.Errorf("webpush: key derivation: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("webpush: cipher: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("webpush: cipher: %w", err)
	}

	out := make([]byte, headerSize+size, headerSize+size+tagSize)
	copy(out, salt[:])
	binary.BigEndian.PutUint32(out[saltSize:], bodyMax)
	out[saltSize+4] = pointSize
	copy(out[saltSize+5:], point)
	plain := out[headerSize:]
	copy(plain, text)
	plain[len(text)] = 2 // the last record's delimiter (RFC 8188 section 2)
	return gcm.Seal(out[:headerSize], nonce, plain, nil), nil
}
