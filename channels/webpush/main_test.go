package webpush

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"loa/channels"
	"loa/channels/webpush/standin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testKey makes a private key for one test.
func testKey(t testing.TB) channels.Secret {
	t.Helper()
	private, _, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return private
}

// openFor makes a Sender whose one admitted origin is given.
func openFor(t testing.TB, origin string, change func(*Config)) *Sender {
	t.Helper()
	c := Config{Subject: "mailto:truc-ban@example.vn", PrivateKey: testKey(t)}
	if change != nil {
		change(&c)
	}
	s, err := Open(c, channels.Deps{Origin: origin, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// service starts a stand-in and gives its address.
func service(t testing.TB, o standin.Options) (*standin.Service, string) {
	t.Helper()
	s, err := standin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, srv.URL
}

// address subscribes the device with a number at a stand-in.
func address(t testing.TB, s *standin.Service, base string, index int) channels.Address {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/subscribe", jsonBody(t, map[string]int{"count": 1, "from": index}))
	r.Host = base[len("http://"):]
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var subs []json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &subs); err != nil || len(subs) != 1 {
		t.Fatalf("subscribe: %v %s", err, w.Body)
	}
	return channels.Address(subs[0])
}

func message(to channels.Address) channels.Message {
	return channels.Message{
		Ref: "r1", Alert: "loa-2026-0001", Revision: 1, Code: "QN7K", Status: channels.Actual, Urgent: true, Language: "vi",
		Expires: time.Now().Add(time.Hour), To: to,
		Body: []byte(`{"alert":"loa-2026-0001","revision":1,"title":"Bão khẩn cấp","text":"Ở yên trong nhà, tránh xa cửa kính."}`),
	}
}

func send(t testing.TB, s *Sender, m channels.Message) (channels.Ack, *channels.Error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ack, err := s.Send(ctx, m)
	return ack, channels.AsError(err)
}
