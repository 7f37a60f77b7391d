package sms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"loa/channels"
)

const (
	account  = "AC00112233445566778899aabbccddeeff"
	token    = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
	oldToken = "ffeeddccbbaa99887766554433221100"
	sidText  = "SM0123456789abcdef0123456789abcdef"
)

func section(baseURL string, extra ...string) string {
	return strings.Join(append([]string{
		"account_sid: " + account, "auth_token: " + token, "from: \"+84901234567\"", "base_url: " + baseURL,
	}, extra...), "\n")
}

// decode reads strictly, and leaves the source out of its errors: it may hold
// a token beside the line that is wrong.
func decode(text string) func(any) error {
	return func(v any) error {
		err := yaml.UnmarshalWithOptions([]byte(text), v, yaml.Strict())
		if err != nil {
			return errors.New(yaml.FormatError(err, false, false))
		}
		return nil
	}
}

func deps(originURL string) channels.Deps {
	return channels.Deps{
		Sink:   func(context.Context, ...channels.Receipt) error { return nil },
		Public: "https://loa.example", Origin: originURL, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

func openSender(t testing.TB, text string, d channels.Deps) *sender {
	t.Helper()
	v, err := Driver().Open(decode(text), d)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	s, ok := v.(*sender)
	if !ok {
		t.Fatalf("open returned a %T", v)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var sequence atomic.Int64

func message(testing.TB, string) channels.Message {
	n := sequence.Add(1)
	return channels.Message{
		Ref: fmt.Sprintf("ref-%d", n), Alert: "VN-1", Revision: 1, Status: channels.Test, Language: "vi",
		Expires: time.Now().Add(time.Hour), To: channels.Address(fmt.Sprintf("+8491%07d", n)),
		Body: []byte("Cảnh báo lũ quét, hãy rời khỏi bờ suối ngay"),
	}
}

func accepted(w http.ResponseWriter, r *http.Request) {
	answer(http.StatusCreated, map[string]any{"sid": sidText, "status": "queued", "error_code": nil})(w, r)
}

func answer(status int, v any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // reads the request whole
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the driver may have hung up
	}
}

func refusalOf(status, code int) http.HandlerFunc {
	return answer(status, map[string]any{"code": code, "message": "no", "status": status, "more_info": ""})
}
