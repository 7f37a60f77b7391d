package webpush

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"loa/channels"
	"loa/channels/webpush/standin"
)

// Every call is counted once by its answer, and every connection until it is
// closed, whoever closes it.
func TestMetrics(t *testing.T) {
	t.Parallel()
	svc, base := service(t, standin.Options{})
	s := openFor(t, base, nil)
	to := address(t, svc, base, 1)
	for _, status := range []int{0, 0, http.StatusGone, http.StatusTeapot, 599} {
		svc.SetFaults(standin.Faults{Status: status})
		_, _ = send(t, s, message(to))
	}
	want := `
		# HELP loa_webpush_answers_total Messages posted, by the push service's answer: an HTTP status, other, or none.
		# TYPE loa_webpush_answers_total counter
		loa_webpush_answers_total{status="201"} 2
		loa_webpush_answers_total{status="410"} 1
		loa_webpush_answers_total{status="other"} 2
		# HELP loa_webpush_connections Connections to push services open now.
		# TYPE loa_webpush_connections gauge
		loa_webpush_connections 1
	`
	if err := testutil.CollectAndCompare(s, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); s.did.connections.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections after the close", s.did.connections.Load())
		}
	}

	gone := httptest.NewServer(http.NotFoundHandler())
	lost := openFor(t, gone.URL, nil)
	away := strings.Replace(to.Reveal(), base, gone.URL, 1)
	gone.Close()
	if _, e := send(t, lost, message(channels.Address(away))); e == nil || lost.did.answers["none"] != 1 {
		t.Errorf("nobody answers: %v, %v", e, lost.did.answers)
	}
}
