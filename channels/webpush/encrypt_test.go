package webpush

import (
	"bytes"
	"crypto/ecdh"
	"testing"

	"github.com/google/go-cmp/cmp"

	"loa/channels/webpush/standin"
)

// The example of RFC 8291 appendix A.
func TestSealRFC8291Example(t *testing.T) {
	t.Parallel()
	dec := func(s string) []byte {
		b, err := b64.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	point := dec("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
	key, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := ecdh.P256().NewPrivateKey(dec("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	sub := Subscription{key: key, point: point, auth: dec("BTBZMqHH6r4Tts7J_aSIgg")}
	text := []byte("When I grow up, I want to be a watermelon")
	got, err := seal(text, sub, sender, [saltSize]byte(dec("DGv6ra1nlYgDCS1FRnbzlw")), len(text)+1)
	if err != nil {
		t.Fatal(err)
	}
	want := "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	if diff := cmp.Diff(want, b64.EncodeToString(got)); diff != "" {
		t.Error(diff)
	}
}

func TestSealedSizes(t *testing.T) {
	t.Parallel()
	svc, base := service(t, standin.Options{})
	sub, err := ParseSubscription(address(t, svc, base, 0).Reveal(), nil, base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, sealed int }{
		{1, headerSize + 128 + tagSize},
		{127, headerSize + 128 + tagSize},
		{128, headerSize + 256 + tagSize},
		{2048, headerSize + 2176 + tagSize},
		{MaxBody - 1, bodyMax},
		{MaxBody, bodyMax},
	} {
		got, err := encrypt(make([]byte, c.text), sub)
		if err != nil || len(got) != c.sealed {
			t.Errorf("text of %d bytes: sealed %d (%v), want %d", c.text, len(got), err, c.sealed)
		}
	}
}

// A body is shared by a whole batch: even its spare capacity must stay as it is.
func TestBodyIsOnlyRead(t *testing.T) {
	t.Parallel()
	svc, base := service(t, standin.Options{})
	s := openFor(t, base, nil)
	whole := bytes.Repeat([]byte{0xAA}, 4096)
	copy(whole, `{"alert":"a","revision":1}`)
	before := bytes.Clone(whole)
	m := message(address(t, svc, base, 0))
	m.Body = whole[:26]
	if _, err := send(t, s, m); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, whole) {
		t.Error("the shared body or the bytes behind it changed")
	}
	n := 0
	for e := range svc.Books() {
		n++
		if string(e.Body) != string(before[:26]) {
			t.Errorf("arrived as %q", e.Body)
		}
	}
	if n != 1 {
		t.Errorf("books hold %d messages, want 1", n)
	}
}
