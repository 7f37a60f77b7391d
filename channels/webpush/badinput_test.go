package webpush

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
)

// Answers of a push service that are not what they should be. Status alone is
// read: no word of a body changes what it says, and none gets into an error.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	const page = "<!doctype html><title>Sign in</title>"
	var elsewhere atomic.Int64
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(trap.Close)
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   channels.Fault
		least  time.Duration // of RetryAfter
		most   time.Duration
	}{
		{"P06 401 with a page", 401, nil, page, channels.FaultProvider, 0, 0},
		{"P06 403 with a page", 403, nil, page, channels.FaultProvider, 0, 0},
		{"P08 Retry-After -1", 429, http.Header{"Retry-After": {"-1"}}, "", channels.FaultThrottled, time.Second, time.Second},
		{"P08 Retry-After 1e9", 429, http.Header{"Retry-After": {"1e9"}}, "", channels.FaultThrottled, 5 * time.Minute, 5 * time.Minute},
		{"P08 Retry-After a past date", 429, http.Header{"Retry-After": {"Sat, 07 Sep 2024 11:00:00 GMT"}}, "", channels.FaultThrottled, time.Second, time.Second},
		{"P08 Retry-After a far date", 503, http.Header{"Retry-After": {"Sun, 07 Sep 2124 11:00:00 GMT"}}, "", channels.FaultTransient, 5 * time.Minute, 5 * time.Minute},
		{"P08 Retry-After infinite", 429, http.Header{"Retry-After": {"+Inf"}}, "", channels.FaultThrottled, 5 * time.Minute, 5 * time.Minute},
		{"P08 Retry-After twice", 429, http.Header{"Retry-After": {"7", "1000000000"}}, "", channels.FaultThrottled, 7 * time.Second, 7 * time.Second},
		{"P11 an error in text", 410, nil, `{"errno":"106","code":"410"}`, channels.FaultAddress, 0, 0},
		{"P13 redirect to another host", 302, http.Header{"Location": {trap.URL + "/push/x"}}, "", channels.FaultTransient, 0, 0},
		{"P13 permanent redirect to another host", 308, http.Header{"Location": {trap.URL + "/push/x"}}, "", channels.FaultTransient, 0, 0},
		{"P14 200 with an error inside", 200, nil, `{"code":401,"errno":109,"error":"Unauthorized"}`, channels.FaultAmbiguous, 0, 0},
		{"P14 200 with a page", 200, nil, page, channels.FaultAmbiguous, 0, 0},
		{"P14 204", 204, nil, "", channels.FaultAmbiguous, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				maps.Copy(w.Header(), c.header)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			t.Cleanup(server.Close)
			ack, e := send(t, openFor(t, server.URL, nil), message(channels.Address(doc(server.URL+"/push/x", goodPoint, goodAuth))))
			if e == nil {
				t.Fatalf("accepted as %v", ack)
			}
			if e.Fault != c.want || e.RetryAfter < c.least || e.RetryAfter > c.most {
				t.Errorf("%v, wait %v; want %v, %v to %v", e.Fault, e.RetryAfter, c.want, c.least, c.most)
			}
			if asked.Load() != 1 || elsewhere.Load() != 0 {
				t.Errorf("asked %d times, another host %d times", asked.Load(), elsewhere.Load())
			}
			if strings.Contains(e.Error(), "Sign in") || strings.Contains(e.Error(), "errno") {
				t.Errorf("the error quotes the answer: %v", e)
			}
		})
	}
}
