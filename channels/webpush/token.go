package webpush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"loa/channels"
)

const (
	tokenLife  = 12 * time.Hour // RFC 8292 section 2 allows 24
	maxOrigins = 1024           // tokens kept; beyond it the cache starts over
)

var b64 = base64.RawURLEncoding

// GenerateKey makes a VAPID key pair: the private key for the configuration,
// and the public key that a page hands to the browser as its application
// server key. Both are base64url without padding.
func GenerateKey() (private channels.Secret, public string, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("webpush: new key: %w", err)
	}
	raw, err := k.Bytes()
	if err != nil {
		return "", "", fmt.Errorf("webpush: new key: %w", err)
	}
	private = channels.Secret(b64.EncodeToString(raw))
	public, err = PublicKey(private)
	return private, public, err
}

// PublicKey derives the application server key from a private key.
func PublicKey(private channels.Secret) (string, error) {
	k, err := parseKey(private)
	if err != nil {
		return "", err
	}
	return publicKey(k)
}

func publicKey(k *ecdsa.PrivateKey) (string, error) {
	point, err := k.PublicKey.Bytes()
	if err != nil {
		return "", fmt.Errorf("webpush: public key: %w", err)
	}
	return b64.EncodeToString(point), nil
}

func parseKey(private channels.Secret) (*ecdsa.PrivateKey, error) {
	raw, err := decodeKey(private.Reveal())
	if err != nil || len(raw) != 32 {
		return nil, errors.New("private_key: want 32 bytes of base64url, as written by the key generator")
	}
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return nil, errors.New("private_key: not a P-256 private key")
	}
	return k, nil
}

// signer makes Authorization headers (RFC 8292) and keeps one per origin until
// half its life is over: a signature costs as much as half an encryption.
type signer struct {
	key     *ecdsa.PrivateKey
	public  string
	subject string
	now     func() time.Time

	mu     sync.RWMutex
	tokens map[string]token
}

type token struct {
	header string
	made   time.Time
}

func newSigner(private channels.Secret, subject string, now func() time.Time) (*signer, error) {
	k, err := parseKey(private)
	if err != nil {
		return nil, err
	}
	public, err := publicKey(k)
	if err != nil {
		return nil, err
	}
	return &signer{key: k, public: public, subject: subject, now: now, tokens: map[string]token{}}, nil
}

// header returns the Authorization value for an origin. A clock that was set
// back makes a new token, because the old one's expiry may now be too far.
func (s *signer) header(origin string) (string, error) {
	now := s.now()
	s.mu.RLock()
	t, ok := s.tokens[origin]
	s.mu.RUnlock()
	if age := now.Sub(t.made); ok && age >= 0 && age < tokenLife/2 {
		return t.header, nil
	}
	h, err := s.sign(origin, now)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) >= maxOrigins {
		clear(s.tokens)
	}
	s.tokens[origin] = token{header: h, made: now}
	return h, nil
}

func (s *signer) sign(origin string, now time.Time) (string, error) {
	claims, err := json.Marshal(struct {
		Aud string `json:"aud"`
		Exp int64  `json:"exp"`
		Sub string `json:"sub"`
	}{origin, now.Add(tokenLife).Unix(), s.subject})
	if err != nil {
		return "", fmt.Errorf("webpush: token: %w", err)
	}
	text := b64.EncodeToString([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + b64.EncodeToString(claims)
	digest := sha256.Sum256([]byte(text))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", fmt.Errorf("webpush: token: %w", err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	v.FillBytes(sig[32:])
	return "vapid t=" + text + "." + b64.EncodeToString(sig[:]) + ", k=" + s.public, nil
}
