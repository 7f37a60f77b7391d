package rig

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Pages is the webhook of somebody on duty.
type Pages struct {
	Extra string // the section of the configuration that names it

	mu     sync.Mutex
	causes []string
}

// NewPages starts one.
func NewPages(t testing.TB) *Pages {
	t.Helper()
	p := &Pages{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n struct { // as Alertmanager's format 4 has it
			Status       string            `json:"status"`
			CommonLabels map[string]string `json:"commonLabels"`
		}
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if n.Status == "firing" {
			p.causes = append(p.causes, n.CommonLabels["cause"])
		}
	}))
	t.Cleanup(s.Close)
	p.Extra = fmt.Sprintf("watch: {origin: %q, webhooks: [{url: %q}]}", s.URL, s.URL+"/pages")
	return p
}

// Of reports whether somebody was paged for the cause, and for what at all.
func (p *Pages) Of(cause string) (bool, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.causes, cause), strings.Join(p.causes, " ")
}
