package sms

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
)

// Callbacks that somebody else made, or that come about nothing.
func TestBadCallbacks(t *testing.T) {
	t.Parallel()
	const target = "https://loa.example/channels/twilio/callback/r"
	resign := func(key, url string, form url.Values) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Twilio-Signature", signature(key, url, form)) }
	}
	replace := func(form url.Values) func(*http.Request) {
		return func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(form.Encode())) }
	}
	with := func(name, value string) url.Values {
		f := delivered()
		f.Add(name, value)
		return f
	}
	for _, c := range []struct {
		name    string
		form    url.Values
		change  func(*http.Request)
		fail    error
		status  int
		reached int // receipts that the sink got
	}{
		{"P01 signed for http", delivered(), resign(token, strings.Replace(target, "https", "http", 1), delivered()), nil, http.StatusForbidden, 0},
		{"P01 signed for another port", delivered(), resign(token, strings.Replace(target, "example", "example:8443", 1), delivered()), nil, http.StatusForbidden, 0},
		{"P02 one parameter more", delivered(), replace(with("ErrorCode", "30006")), nil, http.StatusForbidden, 0},
		{"P02 a status before ours", delivered(), func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("MessageStatus=failed&" + delivered().Encode()))
		}, nil, http.StatusForbidden, 0},
		{"P02 one parameter less", with("ErrorCode", "30006"), replace(delivered()), nil, http.StatusForbidden, 0},
		{"P04 a reference that nobody gave", delivered(), nil, channels.ErrUnknownRef, http.StatusNotFound, 1},
		{"P04 a message identifier that nobody knows", url.Values{"MessageSid": {"SM" + strings.Repeat("f", 32)}, "MessageStatus": {"delivered"}}, nil, nil, http.StatusNoContent, 1},
		{"P11 a code that is no number", url.Values{"MessageSid": {sidText}, "MessageStatus": {"failed"}, "ErrorCode": {"30003x"}}, nil, nil, http.StatusNoContent, 1},
		{"P11 a code that is a phone number", url.Values{"MessageSid": {sidText}, "MessageStatus": {"failed"}, "ErrorCode": {"84912345678"}}, nil, nil, http.StatusNoContent, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := openDesk(t)
			d.fail = c.fail
			if w := d.post("r", token, c.form, c.change); w.Code != c.status || len(d.got) != c.reached {
				t.Errorf("answered %d with %d receipts, want %d with %d", w.Code, len(d.got), c.status, c.reached)
			}
			for _, r := range d.got {
				if r.Outcome == channels.Failed && (r.Code != "" || r.Fault != channels.FaultTransient) {
					t.Errorf("receipt %v %q of a code that is none", r.Fault, r.Code)
				}
			}
			if strings.Contains(d.log.String(), "849") {
				t.Error("the log holds a number")
			}
		})
	}
}

// P05: the driver hands on every repeat, each answered with success, and each
// says the same; that they make one transition is delivery's part.
func TestRepeatedCallback(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for range 50 {
		if w := d.post("r", token, delivered(), nil); w.Code != http.StatusNoContent {
			t.Fatalf("P05: answered %d", w.Code)
		}
	}
	for _, r := range d.got {
		if r != d.got[0] {
			t.Fatalf("P05: %+v after %+v", r, d.got[0])
		}
	}
	if len(d.got) != 50 {
		t.Errorf("P05: %d receipts", len(d.got))
	}
}

// Answers that are not what they should be: what each is taken for. Never is
// one of them a message that was accepted.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	text := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm() // reads the request whole
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	retry := func(status int, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", after)
			refusalOf(status, 20429)(w, r)
		}
	}
	const page = "<!doctype html><title>Sign in</title>"
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   channels.Fault
		code   string
		most   time.Duration // of RetryAfter
	}{
		{"P06 401 with a page", text(401, "text/html", page), channels.FaultProvider, "", 0},
		{"P06 403 with a page", text(403, "text/html", page), channels.FaultProvider, "", 0},
		{"P07 another recipient", answer(201, map[string]any{"sid": sidText, "status": "queued", "to": "+84900000000"}), channels.FaultAmbiguous, "", 0},
		{"P07 another recipient, failed", answer(201, map[string]any{"sid": sidText, "status": "failed", "error_code": 21211, "to": "+84900000000"}), channels.FaultAmbiguous, "", 0},
		{"P08 Retry-After -1", retry(429, "-1"), channels.FaultThrottled, "20429", 0},
		{"P08 Retry-After 1e9", retry(429, "1e9"), channels.FaultThrottled, "20429", 0},
		{"P08 Retry-After 1000000000", retry(429, "1000000000"), channels.FaultThrottled, "20429", 300 * time.Second},
		{"P08 Retry-After a past date", retry(429, "Sat, 07 Sep 2024 11:00:00 GMT"), channels.FaultThrottled, "20429", 0},
		{"P11 the code of a refusal as text", answer(400, map[string]any{"code": "21211", "status": "400"}), channels.FaultTransient, "", 0},
		{"P11 the code of a throttle as text", answer(429, map[string]any{"code": "20429"}), channels.FaultThrottled, "", 0},
		{"P11 the code of a success as text", answer(201, map[string]any{"sid": sidText, "status": "failed", "error_code": "21211"}), channels.FaultAmbiguous, "", 0},
		{"P11 a status that is a number", answer(201, map[string]any{"sid": sidText, "status": 7}), channels.FaultAmbiguous, "", 0},
		{"P14 200 with an error inside", refusalOf(200, 20429), channels.FaultAmbiguous, "", 0},
		{"P14 201 with an error inside", refusalOf(201, 20003), channels.FaultAmbiguous, "", 0},
		{"P14 200 with a page", text(200, "text/html", page), channels.FaultAmbiguous, "", 0},
		{"P14 200 with a list", text(200, "application/json", "[]"), channels.FaultAmbiguous, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			t.Cleanup(server.Close)
			s := openSender(t, section(server.URL), deps(server.URL))
			_, err := s.Send(t.Context(), message(t, ""))
			if err == nil {
				t.Fatal("accepted")
			}
			e := channels.AsError(err)
			if e.Fault != c.want || e.Code != c.code || e.RetryAfter < 0 || e.RetryAfter > c.most {
				t.Errorf("%v, code %q, wait %v; want %v, %q, at most %v", e.Fault, e.Code, e.RetryAfter, c.want, c.code, c.most)
			}
			if text := e.Error(); strings.Contains(text, "+84") || strings.Contains(text, "Sign in") {
				t.Errorf("the error quotes the answer: %s", text)
			}
		})
	}
}

// P07: an answer that names our own recipient is the usual one.
func TestAnswerNamesTheRecipient(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := r.PostFormValue("To")
		answer(201, map[string]any{"sid": sidText, "status": "queued", "to": to})(w, r)
	}))
	t.Cleanup(server.Close)
	s := openSender(t, section(server.URL), deps(server.URL))
	if ack, err := s.Send(t.Context(), message(t, "")); err != nil || ack.Outcome != channels.Accepted {
		t.Errorf("P07: %v, %v", ack, err)
	}
}

// P13: a redirect to another host is not followed, and that host sees neither
// our credentials nor the number.
func TestRedirectElsewhere(t *testing.T) {
	t.Parallel()
	var heard atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		var asked atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
		}))
		s := openSender(t, section(server.URL), deps(server.URL))
		_, err := s.Send(t.Context(), message(t, ""))
		if err == nil || channels.AsError(err).Fault != channels.FaultAmbiguous || asked.Load() != 1 {
			t.Errorf("P13 %d: error is %v after %d requests", status, err, asked.Load())
		}
		server.Close()
	}
	if heard.Load() != 0 {
		t.Errorf("P13: the other host was asked %d times", heard.Load())
	}
}
