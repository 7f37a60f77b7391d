package gateway

import (
	"encoding/base64"
	"errors"
	"testing"

	"loa/channels"
)

func TestKeyBelongsToFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	derive := func(text string) keys {
		k, err := deriveKeys(channels.Secret(base64.StdEncoding.EncodeToString([]byte(text))))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first, other := derive("0123456789abcdefghijklmnopqrstuv"), derive("vutsrqponmlkjihgfedcba9876543210")
	for range 2 {
		if err := first.belongTo(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.belongTo(dir); !errors.Is(err, ErrOtherKey) {
		t.Errorf("another key was taken: %v", err)
	}
}
