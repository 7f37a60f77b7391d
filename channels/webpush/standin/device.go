package standin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

var b64 = base64.RawURLEncoding

// device is the browser behind one subscription.
type device struct {
	key   *ecdh.PrivateKey
	point []byte // public key, uncompressed
	auth  []byte

	mu      sync.Mutex
	turned  bool             // was told once to come back later
	waiting map[string]Entry // by topic: what the browser would fetch now
	plain   []Entry          // waiting without a topic
}

// device makes or finds the browser with a number. Everything about it follows
// from the seed.
func (s *Service) device(index int) *device {
	if d, ok := s.devices.Load(index); ok {
		return d.(*device)
	}
	d := &device{auth: s.derive("auth", index, 0)[:16]}
	for try := 0; d.key == nil; try++ { // almost every 32 bytes are a P-256 key
		d.key, _ = ecdh.P256().NewPrivateKey(s.derive("key", index, try))
	}
	d.point = d.key.PublicKey().Bytes()
	have, _ := s.devices.LoadOrStore(index, d)
	return have.(*device)
}

func (s *Service) derive(use string, index, try int) []byte {
	m := hmac.New(sha256.New, []byte("web push stand-in "+s.opts.Seed))
	m.Write(fmt.Appendf(nil, "%s %d %d", use, index, try)) // a hash never fails
	return m.Sum(nil)
}

// path is the endpoint's path: the number and proof that we gave it out.
func (s *Service) path(index int) string {
	t := binary.BigEndian.AppendUint64(nil, uint64(index)) //nolint:gosec // never negative
	return "/push/" + b64.EncodeToString(append(t, s.derive("token", index, 0)[:16]...))
}

func (s *Service) indexOf(token string) (int, bool) {
	raw, err := b64.DecodeString(token)
	if err != nil || len(raw) != 24 {
		return 0, false
	}
	n := binary.BigEndian.Uint64(raw)
	if n > 1<<40 {
		return 0, false
	}
	index := int(n)
	return index, hmac.Equal(raw[8:], s.derive("token", index, 0)[:16])
}

// decrypt opens a push message as RFC 8291 section 4 tells the browser to:
// one aes128gcm record (RFC 8188 section 2).
func (d *device) decrypt(body []byte) ([]byte, error) {
	const header = 16 + 4 + 1 + 65
	if len(body) < header+17 {
		return nil, errors.New("too short")
	}
	size := binary.BigEndian.Uint32(body[16:])
	if body[20] != 65 || size < 18 || len(body)-header > int(size) {
		return nil, errors.New("header of the content coding is wrong")
	}
	sender, err := ecdh.P256().NewPublicKey(body[21:header])
	if err != nil {
		return nil, errors.New("sender key is not on the curve")
	}
	secret, err := d.key.ECDH(sender)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(d.point) + string(body[21:header])
	ikm, err := hkdf.Key(sha256.New, secret, d.auth, info, 32)
	if err != nil {
		return nil, err
	}
	cek, err := hkdf.Key(sha256.New, ikm, body[:16], "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, ikm, body[:16], "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	text, err := gcm.Open(nil, nonce, body[header:], nil)
	if err != nil {
		return nil, errors.New("authentication failed")
	}
	for i, b := range slices.Backward(text) {
		switch b {
		case 0:
		case 2:
			return text[:i], nil
		default:
			return nil, errors.New("padding is wrong")
		}
	}
	return nil, errors.New("no delimiter")
}

// hold keeps a message until the browser fetches it. One with the same topic
// replaces its predecessor (RFC 8030 section 5.4).
func (d *device) hold(e Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Topic == "" {
		d.plain = append(d.plain, e)
		return
	}
	if d.waiting == nil {
		d.waiting = map[string]Entry{}
	}
	d.waiting[e.Topic] = e
}

// Fetch gives what the browser of a subscription would get if it came online
// now, and forgets it.
func (s *Service) Fetch(index int) []Entry {
	d := s.device(index)
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.plain
	for _, e := range d.waiting {
		all = append(all, e)
	}
	d.plain, d.waiting = nil, nil
	live := all[:0]
	for _, e := range all {
		if s.opts.Now().Sub(e.At) <= max(e.TTL, time.Second) {
			live = append(live, e)
		}
	}
	return live
}
