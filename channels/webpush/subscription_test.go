package webpush

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"loa/channels/webpush/standin"
)

func jsonBody(t testing.TB, v any) io.Reader {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b)
}

const (
	goodPoint = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
	goodAuth  = "BTBZMqHH6r4Tts7J_aSIgg"
)

func doc(endpoint, p256dh, auth string) string {
	b, _ := json.Marshal(document{endpoint, p256dh, auth})
	return string(b)
}

func TestParseSubscription(t *testing.T) {
	t.Parallel()
	const fcm = "https://fcm.googleapis.com/fcm/send/abc"
	for _, c := range []struct {
		name, address, origin, refused string // refused: the field that the error names
	}{
		{name: "Chrome", address: doc(fcm, goodPoint, goodAuth)},
		{name: "Firefox", address: doc("https://updates.push.services.mozilla.com/wpush/v2/x", goodPoint, goodAuth)},
		{name: "Safari", address: doc("https://web.push.apple.com/QGx", goodPoint, goodAuth)},
		{name: "Safari, other host", address: doc("https://api.push.apple.com/QGx", goodPoint, goodAuth)},
		{name: "Edge", address: doc("https://wns2-par02p.notify.windows.com/w/?token=BQ%3d", goodPoint, goodAuth)},
		{name: "padded keys", address: doc(fcm, goodPoint+"=", goodAuth+"==")},
		{name: "drill", address: doc("http://127.0.0.1:8090/push/x", goodPoint, goodAuth), origin: "http://127.0.0.1:8090"},

		{name: "not JSON", address: fcm, refused: "subscription"},
		{name: "array", address: "[]", refused: "subscription"},
		{name: "too long a document", address: doc(fcm, goodPoint, strings.Repeat("A", 5000)), refused: "subscription"},
		{name: "http", address: doc("http://fcm.googleapis.com/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "loopback", address: doc("https://127.0.0.1/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "localhost", address: doc("https://localhost/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "private", address: doc("https://10.0.0.1/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "IPv6", address: doc("https://[::1]/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "IPv4 in IPv6", address: doc("https://[::ffff:127.0.0.1]/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "decimal IPv4", address: doc("https://2130706433/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "octal IPv4", address: doc("https://0177.0.0.1/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "hex IPv4", address: doc("https://0x7f.0.0.1/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "service in the path", address: doc("https://evil.example/fcm.googleapis.com", goodPoint, goodAuth), refused: "endpoint"},
		{name: "service in the path, wildcard", address: doc("https://evil.example/a.push.apple.com", goodPoint, goodAuth), refused: "endpoint"},
		{name: "service as user", address: doc("https://fcm.googleapis.com@evil.example/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "user at the service", address: doc("https://a:b@fcm.googleapis.com/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "longer name", address: doc("https://evilfcm.googleapis.com.evil.example/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "same letters, no label", address: doc("https://evilpush.apple.com/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "wildcard alone", address: doc("https://notify.windows.com/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "empty label", address: doc("https://.push.apple.com/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "below an exact name", address: doc("https://a.fcm.googleapis.com/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "trailing dot", address: doc("https://fcm.googleapis.com./x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "port 8443", address: doc("https://fcm.googleapis.com:8443/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "empty port", address: doc("https://fcm.googleapis.com:/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "4,000 characters", address: doc(fcm+strings.Repeat("a", 3700), goodPoint, goodAuth), refused: "endpoint"},
		{name: "line break", address: doc("https://fcm.googleapis.com/x\r\nHost: evil", goodPoint, goodAuth), refused: "endpoint"},
		{name: "NUL", address: doc("https://fcm.googleapis.com/x\x00", goodPoint, goodAuth), refused: "endpoint"},
		{name: "fragment", address: doc(fcm+"#x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "relative", address: doc("/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "opaque", address: doc("https:fcm.googleapis.com/x", goodPoint, goodAuth), refused: "endpoint"},
		{name: "empty endpoint", address: doc("", goodPoint, goodAuth), refused: "endpoint"},
		{name: "real service in a drill", address: doc(fcm, goodPoint, goodAuth), origin: "http://127.0.0.1:8090", refused: "endpoint"},
		{name: "drill, other port", address: doc("http://127.0.0.1:8091/x", goodPoint, goodAuth), origin: "http://127.0.0.1:8090", refused: "endpoint"},
		{name: "drill, origin as prefix", address: doc("http://127.0.0.1:8090.evil/x", goodPoint, goodAuth), origin: "http://127.0.0.1:8090", refused: "endpoint"},
		{name: "drill, other scheme", address: doc("https://127.0.0.1:8090/x", goodPoint, goodAuth), origin: "http://127.0.0.1:8090", refused: "endpoint"},
		{name: "point not on the curve", address: doc(fcm, "B"+strings.Repeat("A", 86), goodAuth), refused: "p256dh"},
		{name: "compressed point", address: doc(fcm, goodPoint[:44], goodAuth), refused: "p256dh"},
		{name: "no point", address: doc(fcm, "", goodAuth), refused: "p256dh"},
		{name: "auth of 15 bytes", address: doc(fcm, goodPoint, "BTBZMqHH6r4Tts7J_aSI"), refused: "auth"},
		{name: "auth not base64url", address: doc(fcm, goodPoint, "!!!!MqHH6r4Tts7J_aSIgg"), refused: "auth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := ParseSubscription(c.address, DefaultHosts(), c.origin)
			if c.refused == "" {
				if err != nil {
					t.Fatal(err)
				}
				again, err := ParseSubscription(s.Address().Reveal(), DefaultHosts(), c.origin)
				if err != nil || again.Address() != s.Address() {
					t.Errorf("canonical form does not read back: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "webpush: "+c.refused) {
				t.Fatalf("error %v, want one about %s", err, c.refused)
			}
			for _, part := range []string{goodAuth, goodPoint, "evil", "fcm/send"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("error shows %q", part)
				}
			}
		})
	}
}

func TestCanonicalAddress(t *testing.T) {
	t.Parallel()
	svc, base := service(t, standin.Options{})
	a := address(t, svc, base, 3)
	spaced := strings.Replace(a.Reveal(), ",", ",\n  ", 1)
	spaced = strings.Replace(spaced, "{", `{"expirationTime":null,`, 1)
	x, err := ParseSubscription(a.Reveal(), nil, base)
	if err != nil {
		t.Fatal(err)
	}
	y, err := ParseSubscription(spaced, nil, base)
	if err != nil {
		t.Fatal(err)
	}
	if x.Address() != y.Address() {
		t.Error("two spellings of one subscription have two addresses")
	}
}

func FuzzParseSubscription(f *testing.F) {
	f.Add(doc("https://fcm.googleapis.com/x", goodPoint, goodAuth))
	f.Add(`{"endpoint":"https://web.push.apple.com/","p256dh":1}`)
	f.Fuzz(func(t *testing.T, address string) {
		s, err := ParseSubscription(address, DefaultHosts(), "")
		if err == nil && !strings.HasPrefix(s.Endpoint, "https://") && !strings.HasPrefix(strings.ToLower(s.Endpoint), "https://") {
			t.Errorf("admitted %q", s.Endpoint)
		}
	})
}
