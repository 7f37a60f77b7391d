package account_test

import (
	"bytes"
	"testing"
)

// A passkey that the old key sealed is sealed by the new one, also when it is
// done twice; one that neither sealed stays nobody's.
func TestReseal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.first(t)
	k, err := w.Store.Passkey(t.Context(), d.ID)
	ok(t, err)
	old, next := w.Keys[0], []byte("another key of thirty-two bytes!")
	anew, done := k.Reseal(old, next)
	if !done || bytes.Equal(anew.Seal, k.Seal) {
		t.Error("not sealed anew")
	}
	if again, done := anew.Reseal(old, next); !done || !bytes.Equal(again.Seal, anew.Seal) {
		t.Error("the second time it is another")
	}
	k.Person = "p_other"
	if forged, done := k.Reseal(old, next); done || !bytes.Equal(forged.Seal, k.Seal) {
		t.Error("a forged seal was renewed")
	}
}
