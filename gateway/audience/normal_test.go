package audience

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"loa/channels"
)

func TestNormalizePhone(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"0912345678", "+84912345678", "84912345678", "0084912345678", "０９１２３４５６７８", "＋８４９１２３４５６７８",
		"0912 345 678", "0912.345.678", "(091) 234-5678", " 0912345678 ", "0912\u00a0345\u00a0678", "912345678", "+84 (0) 912 345 678",
	} {
		if got, err := NormalizePhone(s); err != nil || got != "+84912345678" {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
}

func TestNormalizePhoneRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, rule string }{
		{"", "empty"},
		{" ", "empty"},
		{"01234567890", "before 2018"},
		{"01691234567", "before 2018"},
		{"02438255555", "landline"},
		{"19001234", "not a mobile"},
		{"113", "too short"},
		{"+8491234567", "too short"},
		{"+849123456789", "too long"},
		{"0101234567", "no Vietnamese carrier"},
		{"+19002345678", "not a Vietnamese number"},
		{"+85512345678", "not a Vietnamese number"},
		{"0912345678\n", "only digits"},
		{"09123\r\n45678", "only digits"},
		{"0912345678 ext 5", "only digits"},
		{"0912345678;ext=5", "only digits"},
		{"091234567O", "only digits"},
		{"0912+345678", "only digits"},
		{"=0912345678", "only digits"},
		{"091\u200b2345678", "only digits"},
		{"++84912345678", "only digits"},
		{strings.Repeat("0", 40), "too long"},
		{strings.Repeat("0", 4000), "too long"},
	} {
		got, err := NormalizePhone(tc.in)
		var bad *AddressError
		if !errors.As(err, &bad) || !strings.Contains(bad.Rule, tc.rule) || got != "" {
			t.Errorf("%q: %q, %v; want rule %q", tc.in, got, err, tc.rule)
		}
		for i := 0; err != nil && i+5 <= len(tc.in); i++ {
			if part := tc.in[i : i+5]; strings.TrimSpace(part) == part && strings.Contains(err.Error(), part) {
				t.Errorf("the error shows a part of the number")
			}
		}
	}
}

func pushSubscription(t testing.TB, endpoint string) string {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	return fmt.Sprintf(`{"endpoint":%q,"expirationTime":null,"keys":{"p256dh":%q,"auth":%q}}`,
		endpoint, enc.EncodeToString(key.PublicKey().Bytes()), enc.EncodeToString(make([]byte, 16)))
}

func TestNormalizePush(t *testing.T) {
	t.Parallel()
	const origin = "http://127.0.0.1:9000"
	good := pushSubscription(t, "https://push.example/a?b=c&d")
	a, id, err := normalize(channels.WebPush, good, "")
	if err != nil || id != "https://push.example/a?b=c&d" {
		t.Fatalf("%q, %v", id, err)
	}
	if again, _, err := normalize(channels.WebPush, a.Reveal(), ""); err != nil || again != a {
		t.Errorf("the canonical form is not its own canonical form: %v", err)
	}
	if _, _, err := normalize(channels.WebPush, pushSubscription(t, origin+"/x"), origin); err != nil {
		t.Errorf("the configured origin is refused: %v", err)
	}
	for _, tc := range []struct{ in, rule string }{
		{"nonsense", "JSON"},
		{good + "{}", "JSON"},
		{pushSubscription(t, "http://push.example/a"), "https"},
		{pushSubscription(t, origin+"1/x"), "https"},
		{pushSubscription(t, "https:///nohost"), "absolute"},
		{pushSubscription(t, "https://user:pass@push.example/"), "user"},
		{pushSubscription(t, "https://push.example/#f"), "fragment"},
		{pushSubscription(t, "https://push.example/a b"), "white space"},
		{pushSubscription(t, "https://push.example/"+strings.Repeat("a", 4000)), "longer"},
		{strings.Replace(good, `"p256dh":"B`, `"p256dh":"C`, 1), "P-256"},
		{strings.Replace(good, `"auth":"AAAA`, `"auth":"`, 1), "16 bytes"},
	} {
		if _, _, err := normalize(channels.WebPush, tc.in, origin); err == nil || !strings.Contains(err.Error(), tc.rule) {
			t.Errorf("%.60q: %v, want rule %q", tc.in, err, tc.rule)
		}
	}
}

func TestNormalizeInstall(t *testing.T) {
	t.Parallel()
	key := base64.URLEncoding.EncodeToString(secret(7))
	a, id, err := normalize(channels.App, key, "")
	if err != nil || id != strings.TrimRight(key, "=") || a.Reveal() != id {
		t.Errorf("%q: %v", key, err)
	}
	for _, bad := range []string{"", "AAAA", key + "A", key[:20] + "\n" + key[20:], strings.ReplaceAll(key, "H", "+")} {
		if _, _, err := normalize(channels.App, bad, ""); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	if _, _, err := normalize(channels.Loudspeaker, "x", ""); err == nil {
		t.Error("a loudspeaker accepted as a subscriber")
	}
}

func FuzzNormalizePhone(f *testing.F) {
	f.Add("0912345678")
	f.Add("+84 912 345 678")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := NormalizePhone(s)
		if err != nil {
			return
		}
		if !strings.HasPrefix(n, "+84") || len(n) != 12 {
			t.Errorf("normalised to a form that is not +84 and nine digits")
		}
		if again, err := NormalizePhone(n); err != nil || again != n {
			t.Errorf("normalising is not idempotent: %v", err)
		}
	})
}
