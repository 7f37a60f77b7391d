package audience

import (
	"bytes"
	"errors"
	"testing"

	"loa/channels"
)

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, SecretSize) }

func vault(t *testing.T, secrets ...[]byte) *Vault {
	t.Helper()
	v, err := NewVault(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVaultOpensWhatItSealed(t *testing.T) {
	t.Parallel()
	v := vault(t, secret(1))
	a := v.Seal(channels.SMS, "+84912345678")
	if bytes.Contains(a, []byte("912345678")) {
		t.Error("the sealed address shows the number")
	}
	if b := v.Seal(channels.SMS, "+84912345678"); bytes.Equal(a, b) {
		t.Error("two seals of one address are equal: the nonce is not random")
	}
	got, err := v.Open(channels.SMS, a)
	if err != nil || got.Reveal() != "+84912345678" {
		t.Errorf("Open: %v", err)
	}
	if _, err := v.Open(channels.WebPush, a); !errors.Is(err, ErrSealed) {
		t.Errorf("opened as another channel: %v, want ErrSealed", err)
	}
	for i := range a {
		bad := bytes.Clone(a)
		bad[i] ^= 0x40
		if _, err := v.Open(channels.SMS, bad); !errors.Is(err, ErrSealed) && !errors.Is(err, ErrUnknown) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for _, short := range [][]byte{nil, a[:1], a[:12], a[:len(a)-1]} {
		if _, err := v.Open(channels.SMS, short); !errors.Is(err, ErrSealed) {
			t.Errorf("%d bytes: %v, want ErrSealed", len(short), err)
		}
	}
}

func TestVaultRotation(t *testing.T) {
	t.Parallel()
	old, both, fresh := vault(t, secret(1)), vault(t, secret(2), secret(1)), vault(t, secret(2))
	sealed := old.Seal(channels.App, "install")
	if got, err := both.Open(channels.App, sealed); err != nil || got.Reveal() != "install" {
		t.Errorf("an address sealed before the rotation: %v", err)
	}
	renewed := both.Seal(channels.App, "install")
	if got, err := fresh.Open(channels.App, renewed); err != nil || got.Reveal() != "install" {
		t.Errorf("after the rotation it is not the new secret that seals: %v", err)
	}
	if _, err := fresh.Open(channels.App, sealed); !errors.Is(err, ErrUnknown) {
		t.Errorf("old secret taken away: %v, want ErrUnknown", err)
	}
	if old.Lookup(channels.App, "install") != both.Lookup(channels.App, "install") {
		t.Error("rotation changed the lookup hash: known people would be added again")
	}
	if old.Lookup(channels.App, "install") == fresh.Lookup(channels.App, "install") {
		t.Error("the lookup hash does not depend on the secret")
	}
	if old.Lookup(channels.App, "x") == old.Lookup(channels.SMS, "x") {
		t.Error("the lookup hash does not depend on the channel")
	}
}

func TestVaultRefusesSecrets(t *testing.T) {
	t.Parallel()
	for name, in := range map[string][][]byte{
		"none": nil, "empty": {{}}, "short": {secret(1)[:31]}, "long": {append(secret(1), 0)}, "second short": {secret(1), secret(2)[:16]},
	} {
		if _, err := NewVault(in...); !errors.Is(err, ErrSecret) {
			t.Errorf("%s: %v, want ErrSecret", name, err)
		}
	}
	if _, err := NewVault(secret(1), secret(1)); !errors.Is(err, ErrKeyID) {
		t.Errorf("same secret twice: %v, want ErrKeyID", err)
	}
}
