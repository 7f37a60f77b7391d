package sms

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
)

// signature is Twilio's recipe, written from its description.
func signature(key, target string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(target))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		mac.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// desk is a driver whose sink records what it gets.
type desk struct {
	*sender
	got  []channels.Receipt
	fail error
	log  bytes.Buffer
	now  time.Time
}

func openDesk(t *testing.T, extra ...string) *desk {
	d := &desk{now: time.Date(2024, 9, 7, 13, 0, 0, 0, time.UTC)}
	set := deps(local)
	set.Now = func() time.Time { return d.now }
	set.Log = slog.New(slog.NewTextHandler(&d.log, nil))
	set.Sink = func(_ context.Context, rs ...channels.Receipt) error {
		d.got = append(d.got, rs...)
		return d.fail
	}
	d.sender = openSender(t, section(local, extra...), set)
	return d
}

// post calls the handler as the gateway mounts it.
func (d *desk) post(ref, key string, form url.Values, change func(*http.Request)) *httptest.ResponseRecorder {
	target := "https://loa.example/channels/twilio/callback/" + url.PathEscape(ref)
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", signature(key, target, form))
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	http.StripPrefix("/channels/twilio", d.Handler()).ServeHTTP(w, r)
	return w
}

func delivered() url.Values {
	return url.Values{"MessageSid": {sidText}, "MessageStatus": {"delivered"}, "To": {"+84912345678"}, "AccountSid": {account}}
}

func TestCallbackStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]channels.Outcome{
		"queued": channels.Accepted, "accepted": channels.Accepted, "sending": channels.Accepted, "sent": channels.Accepted,
		"scheduled": channels.Accepted, "a status of next year": channels.Accepted,
		"delivered": channels.Delivered, "read": channels.Delivered,
		"undelivered": channels.Failed, "failed": channels.Failed, "canceled": channels.Failed,
	} {
		d := openDesk(t)
		form := delivered()
		form.Set("MessageStatus", status)
		if w := d.post("r1", token, form, nil); w.Code != http.StatusNoContent {
			t.Errorf("%s: answered %d", status, w.Code)
		}
		r := channels.Receipt{Kind: channels.SMS, Ref: "r1", Outcome: want, ProviderRef: sidText, At: d.now}
		if want == channels.Failed {
			r.Fault = channels.FaultTransient
		}
		if diff := cmp.Diff([]channels.Receipt{r}, d.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", status, diff)
		}
	}
}

func TestCallbackRefSurvivesItsURL(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"812.3.1.aGVsbG8", "a/b", "a b+c", "50%", "ữ", "?q=1", "..", "a;b=c&d"} {
		d := openDesk(t)
		if w := d.post(ref, token, delivered(), nil); w.Code != http.StatusNoContent || len(d.got) != 1 || d.got[0].Ref != ref {
			t.Errorf("ref %q: answered %d, receipts %+v", ref, w.Code, d.got)
		}
	}
}

func TestCallbackTokensDuringRotation(t *testing.T) {
	t.Parallel()
	d := openDesk(t, "auth_token_previous: "+oldToken)
	for _, key := range []string{token, oldToken} {
		if w := d.post("r", key, delivered(), nil); w.Code != http.StatusNoContent {
			t.Errorf("answered %d to a token that still holds", w.Code)
		}
	}
	alone := openDesk(t)
	if w := alone.post("r", oldToken, delivered(), nil); w.Code != http.StatusForbidden || len(alone.got) != 0 {
		t.Errorf("answered %d to a token that was never ours, %d receipts", w.Code, len(alone.got))
	}
}

func TestCallbackForged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*http.Request){
		"unsigned":        func(r *http.Request) { r.Header.Del("X-Twilio-Signature") },
		"another body":    func(r *http.Request) { r.Body = http.NoBody },
		"another ref":     func(r *http.Request) { r.URL.Path += "x" },
		"a longer path":   func(r *http.Request) { r.URL.Path += "/x" },
		"no ref":          func(r *http.Request) { r.URL.Path = "/channels/twilio/callback/" },
		"signature empty": func(r *http.Request) { r.Header.Set("X-Twilio-Signature", "") },
	} {
		d := openDesk(t)
		w := d.post("r", token, delivered(), change)
		if w.Code != http.StatusForbidden && w.Code != http.StatusNotFound || len(d.got) != 0 {
			t.Errorf("%s: answered %d, %d receipts", name, w.Code, len(d.got))
		}
	}
}

// The URL that is signed is the configured one: a proxy's or an attacker's
// headers change nothing.
func TestCallbackIgnoresHostHeaders(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	w := d.post("r", token, delivered(), func(r *http.Request) {
		r.Host = "10.0.0.7:8080"
		r.Header.Set("X-Forwarded-Host", "evil.example")
		r.Header.Set("X-Forwarded-Proto", "http")
	})
	if w.Code != http.StatusNoContent {
		t.Errorf("answered %d behind a proxy", w.Code)
	}
	evil := "https://evil.example/channels/twilio/callback/r"
	w = d.post("r", token, delivered(), func(r *http.Request) {
		r.Host = "evil.example"
		r.Header.Set("X-Twilio-Signature", signature(token, evil, delivered()))
	})
	if w.Code != http.StatusForbidden {
		t.Errorf("answered %d to a signature over another URL", w.Code)
	}
}

func TestCallbackRefuses(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	if w := d.post("r", token, delivered(), func(r *http.Request) { r.Method = http.MethodGet }); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET answered %d", w.Code)
	}
	big := delivered()
	big.Set("Padding", strings.Repeat("x", maxCallback))
	if w := d.post("r", token, big, nil); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body over 64 KiB answered %d", w.Code)
	}
	bare := delivered()
	bare.Del("MessageStatus")
	if w := d.post("r", token, bare, nil); w.Code != http.StatusBadRequest {
		t.Errorf("no status answered %d", w.Code)
	}
	if len(d.got) != 0 {
		t.Errorf("%d receipts came of refused calls", len(d.got))
	}
}

func TestCallbackAnswersAfterTheSink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fail error
		want int
	}{
		{nil, http.StatusNoContent},
		{channels.ErrUnknownRef, http.StatusNotFound},
		{errors.Join(errors.New("index 4"), channels.ErrUnknownRef), http.StatusNotFound},
		{errors.New("ledger is locked"), http.StatusServiceUnavailable},
		{context.DeadlineExceeded, http.StatusServiceUnavailable},
	} {
		d := openDesk(t)
		d.fail = c.fail
		if w := d.post("r", token, delivered(), nil); w.Code != c.want {
			t.Errorf("sink error %v: answered %d, want %d", c.fail, w.Code, c.want)
		}
		if len(d.got) != 1 {
			t.Errorf("sink error %v: %d receipts", c.fail, len(d.got))
		}
	}
}

func TestForgedCallbacksAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for range 100 {
		d.post("r", oldToken, delivered(), nil)
	}
	if n := strings.Count(d.log.String(), "\n"); n != 1 {
		t.Errorf("%d log lines for 100 forged calls in one second", n)
	}
	d.now = d.now.Add(time.Minute)
	d.post("r", oldToken, delivered(), nil)
	if n := strings.Count(d.log.String(), "\n"); n != 2 {
		t.Errorf("%d log lines after a minute, want 2", n)
	}
	if strings.Contains(d.log.String(), "849") {
		t.Error("the log holds a number")
	}
}
