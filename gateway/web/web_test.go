package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"loa/gateway/web"
)

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := web.Headers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for path, cache := range map[string]string{"/": "", "/api/v1/alerts": "no-store"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		got := rec.Header()
		policy := got.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if got.Get("X-Content-Type-Options") != "nosniff" || got.Get("Referrer-Policy") != "no-referrer" || got.Get("Cross-Origin-Opener-Policy") != "same-origin" || got.Get("Cross-Origin-Resource-Policy") != "same-origin" || got.Get("Cache-Control") != cache {
			t.Errorf("%s: %v", path, got)
		}
	}
}
