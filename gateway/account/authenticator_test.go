package account_test

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

	"loa/gateway/account"
)

// Flags of authenticator data (WebAuthn level 3, section 6.1).
const (
	present  = 0x01
	verified = 0x04
	eligible = 0x08
	backed   = 0x10
	attested = 0x40
)

// authenticator is a device with one passkey, and the browser before it. It
// shares no code with the gateway. A test sets its fields to make it lie.
type authenticator struct {
	key     *ecdsa.PrivateKey
	id      []byte
	handle  string
	rp      string
	origin  string
	flags   byte
	counter uint32
	cross   bool
}

func newAuthenticator(t *testing.T) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := &authenticator{key: key, id: make([]byte, 32), rp: "loa.test", origin: "https://loa.test", flags: present | verified}
	if _, err := rand.Read(d.id); err != nil {
		t.Fatal(err)
	}
	return d
}

// asked is what the authenticator reads of the options.
type asked struct {
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

func read(t *testing.T, o account.Options) asked {
	t.Helper()
	var a asked
	if err := json.Unmarshal(o.Public, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (d *authenticator) client(kind, challenge string) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": d.origin, "crossOrigin": d.cross}) //nolint:errchkjson // plain strings
	return b
}

func (d *authenticator) data(flags byte) []byte {
	id := sha256.Sum256([]byte(d.rp))
	return binary.BigEndian.AppendUint32(append(id[:], flags), d.counter)
}

// create answers navigator.credentials.create with attestation "none".
func (d *authenticator) create(t *testing.T, o account.Options) []byte {
	t.Helper()
	a := read(t, o)
	handle, err := base64.RawURLEncoding.DecodeString(a.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.handle = string(handle)
	public, err := d.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	data := append(d.data(d.flags|attested), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(d.id))), d.id...)
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32)
	data = append(append(data, public[1:33]...), 0x22, 0x58, 32)
	data = append(data, public[33:]...)
	object := append([]byte{0xa3, 0x63}, "fmt\x64none\x67attStmt\xa0\x68authData\x58"...)
	object = append(append(object, byte(len(data))), data...)
	return d.answer(map[string]any{"clientDataJSON": b64(d.client("webauthn.create", a.Challenge)), "attestationObject": b64(object)})
}

// get answers navigator.credentials.get.
func (d *authenticator) get(t *testing.T, o account.Options) []byte {
	t.Helper()
	return d.sign(t, "webauthn.get", read(t, o).Challenge)
}

func (d *authenticator) sign(t *testing.T, kind, challenge string) []byte {
	t.Helper()
	client, data := d.client(kind, challenge), d.data(d.flags)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(slices.Clip(data), hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, d.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return d.answer(map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(sig), "userHandle": b64([]byte(d.handle))})
}

func (d *authenticator) answer(response map[string]any) []byte {
	b, _ := json.Marshal(map[string]any{"id": b64(d.id), "rawId": b64(d.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}}) //nolint:errchkjson // plain strings
	return b
}
