package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// gossip passes requests on to the carrier, notes their URLs, and answers some
// itself with errors that repeat all it was told.
type gossip struct {
	mu      sync.Mutex
	urls    bytes.Buffer
	n       atomic.Int64
	said    [len(tales)]atomic.Int64
	against atomic.Bool // it refuses every text
}

// The answers that repeat what was asked.
const (
	taleAddress = iota
	taleFailure
	taleThrottle
	taleText
	taleLogin
)

var tales = [...]struct{ status, code int }{
	taleAddress: {400, 21211}, taleFailure: {500, 20500}, taleThrottle: {429, 20429}, taleText: {400, 30007}, taleLogin: {401, 20003},
}

// before stands between a province and its carrier.
func (g *gossip) before(t testing.TB) func(carrier string) string {
	return func(carrier string) string {
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: carrier})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			g.note(r, form)
			_, password, _ := r.BasicAuth()
			kind := g.n.Add(1) % 40
			switch {
			case password == wrongPassword:
				g.repeat(w, r, taleLogin, form.Get("To"))
			case r.Method == http.MethodPost && g.against.Load():
				g.repeat(w, r, taleText, form.Get("To"))
			case kind < taleText:
				g.repeat(w, r, int(kind), form.Get("To"))
			default:
				r.Body = io.NopCloser(bytes.NewReader(body))
				proxy.ServeHTTP(w, r)
			}
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
}

// note keeps what a request shows on its way. Of a search the API's own query
// names the number that is asked about.
func (g *gossip) note(r *http.Request, form url.Values) {
	shown := *r.URL
	if r.Method == http.MethodGet {
		q := shown.Query()
		q.Del("To")
		shown.RawQuery = q.Encode()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = fmt.Fprintln(&g.urls, r.Method, &shown, form.Get("StatusCallback"), r.UserAgent(), r.Referer())
}

// repeat has the number and the password in its answer.
func (g *gossip) repeat(w http.ResponseWriter, r *http.Request, tale int, to string) {
	g.said[tale].Add(1)
	_, password, _ := r.BasicAuth()
	text := fmt.Sprintf("The 'To' number %s is not valid for %s (%s)", to, password, r.Header.Get("Authorization"))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Echo", text)
	w.WriteHeader(tales[tale].status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": tales[tale].code, "message": text, "more_info": "https://carrier.invalid/" + to, "status": tales[tale].status})
}

// monitor takes pages and heartbeats and notes what they say. While it is ill
// it hangs up on every other call and answers the rest with all it was told.
type monitor struct {
	url    string
	mu     sync.Mutex
	bodies bytes.Buffer
	ill    bool
	calls  map[string]int
	taken  map[string]int
}

func newMonitor(t testing.TB) *monitor {
	m := &monitor{ill: true, calls: map[string]int{}, taken: map[string]int{}}
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	m.url = s.URL
	return m
}

// section is that of the configuration which names it.
func (m *monitor) section() string {
	return fmt.Sprintf(`watch:
  origin: %[1]q
  heartbeat: {url: "%[1]s/%[2]s", every: 5s}
  webhooks: [{url: "%[1]s/%[3]s?key=%[4]s", token: %[4]q}]
  canaries: [{channel: sms, to: %[5]q}]
  duty: [{channel: sms, to: %[6]q}]
`, m.url, beatPath, hookPath, hookToken, canaryPhone, dutyPhone)
}

func (m *monitor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	told := r.Header.Get("Authorization")
	r.Header.Del("Authorization")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[r.URL.Path]++
	_, _ = fmt.Fprintln(&m.bodies, r.Method, r.Header, string(body))
	switch {
	case !m.ill:
		m.taken[r.URL.Path]++
	case m.calls[r.URL.Path]%2 == 1:
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprintln(w, r.URL, told)
	}
}

// heal ends its illness.
func (m *monitor) heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ill = false
}

// heard is how often each was called, and taken.
func (m *monitor) heard() (calls, taken [2]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, path := range []string{"/" + hookPath, "/" + beatPath} {
		calls[i], taken[i] = m.calls[path], m.taken[path]
	}
	return calls, taken
}

func (m *monitor) said() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.bodies.Bytes())
}
