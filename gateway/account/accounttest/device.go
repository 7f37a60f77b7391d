// Package accounttest is a software authenticator for tests: a device with one
// passkey, and the browser before it. It shares no code with the gateway and
// must import nothing of ours.
package accounttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"
)

// Flags of authenticator data (WebAuthn level 3, section 6.1).
const (
	Present  = 0x01
	Verified = 0x04
	Eligible = 0x08
	Backed   = 0x10
	attested = 0x40
)

// Device is an authenticator with one ES256 passkey. A test sets its fields to
// make it lie.
type Device struct {
	Key     *ecdsa.PrivateKey
	ID      []byte
	Handle  string // the person that Create was asked for
	RP      string
	Origin  string
	Flags   byte
	Counter uint32
	Cross   bool
}

// New makes a device in a browser at an origin of the relying party.
func New(t testing.TB, rp, origin string) *Device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := &Device{Key: key, ID: make([]byte, 32), RP: rp, Origin: origin, Flags: Present | Verified}
	if _, err := rand.Read(d.ID); err != nil {
		t.Fatal(err)
	}
	return d
}

// Asked is what a device reads of the options of a ceremony.
type Asked struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID string `json:"id"`
	} `json:"user"`
	UserVerification string           `json:"userVerification"`
	Allow            []map[string]any `json:"allowCredentials"`
	Exclude          []map[string]any `json:"excludeCredentials"`
	Selection        struct {
		Resident         string `json:"residentKey"`
		UserVerification string `json:"userVerification"`
	} `json:"authenticatorSelection"`
}

// Read reads the options that a browser is given as publicKey.
func Read(t testing.TB, public []byte) Asked {
	t.Helper()
	var a Asked
	if err := json.Unmarshal(public, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// B64 writes bytes as WebAuthn does.
func B64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (d *Device) client(kind, challenge string) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": d.Origin, "crossOrigin": d.Cross}) //nolint:errchkjson // plain strings
	return b
}

func (d *Device) data(flags byte) []byte {
	id := sha256.Sum256([]byte(d.RP))
	return binary.BigEndian.AppendUint32(append(id[:], flags), d.Counter)
}

// Create answers navigator.credentials.create with attestation "none".
func (d *Device) Create(t testing.TB, public []byte) []byte {
	t.Helper()
	a := Read(t, public)
	handle, err := base64.RawURLEncoding.DecodeString(a.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.Handle = string(handle)
	point, err := d.Key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	data := append(d.data(d.Flags|attested), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(d.ID))), d.ID...) //nolint:gosec // 32
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32)
	data = append(append(data, point[1:33]...), 0x22, 0x58, 32)
	data = append(data, point[33:]...)
	object := append([]byte{0xa3, 0x63}, "fmt\x64none\x67attStmt\xa0\x68authData\x58"...)
	object = append(append(object, byte(len(data))), data...) //nolint:gosec // under 256
	return d.answer(map[string]any{"clientDataJSON": B64(d.client("webauthn.create", a.Challenge)), "attestationObject": B64(object)})
}

// Get answers navigator.credentials.get.
func (d *Device) Get(t testing.TB, public []byte) []byte {
	t.Helper()
	return d.Sign(t, "webauthn.get", Read(t, public).Challenge)
}

// Sign is Get for any type of client data and any challenge.
func (d *Device) Sign(t testing.TB, kind, challenge string) []byte {
	t.Helper()
	client, data := d.client(kind, challenge), d.data(d.Flags)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(slices.Clip(data), hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, d.Key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return d.answer(map[string]any{"clientDataJSON": B64(client), "authenticatorData": B64(data), "signature": B64(sig), "userHandle": B64([]byte(d.Handle))})
}

func (d *Device) answer(response map[string]any) []byte {
	b, _ := json.Marshal(map[string]any{"id": B64(d.ID), "rawId": B64(d.ID), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}}) //nolint:errchkjson // plain strings
	return b
}
