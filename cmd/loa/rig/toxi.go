package rig

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"
)

// Toxi is a proxy before one server that makes the network as bad as told.
type Toxi struct {
	Addr string // where it listens

	t   testing.TB
	api string
}

// NewToxi starts one before upstream, host:port.
func NewToxi(t testing.TB, upstream string) *Toxi {
	t.Helper()
	port := FreePort(t)
	x := &Toxi{t: t, api: "http://127.0.0.1:" + port, Addr: "127.0.0.1:" + FreePort(t)}
	p := Start(t, nil, Tool(t, "github.com/Shopify/toxiproxy/v2/cmd/server"), "-host", "127.0.0.1", "-port", port)
	go drain(p)
	Eventually(t, 20*time.Second, "toxiproxy to answer", func() (bool, string) {
		status, err := x.call(http.MethodGet, "/version", nil)
		return status == http.StatusOK, err
	})
	x.do(http.MethodPost, "/proxies", map[string]any{"name": "redis", "listen": x.Addr, "upstream": upstream, "enabled": true})
	return x
}

func (x *Toxi) call(method, path string, body any) (status int, said string) {
	x.t.Helper()
	src, err := json.Marshal(body)
	if err != nil {
		x.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(x.t.Context(), method, x.api+path, bytes.NewReader(src))
	if err != nil {
		x.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "loa-rig")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

func (x *Toxi) do(method, path string, body any) {
	x.t.Helper()
	if status, said := x.call(method, path, body); status/100 != 2 {
		x.t.Fatalf("toxiproxy: %s %s: %d %s", method, path, status, said)
	}
}

// Add makes what the server answers suffer from a toxic.
func (x *Toxi) Add(kind string, attributes map[string]any) {
	x.t.Helper()
	x.do(http.MethodPost, "/proxies/redis/toxics", map[string]any{"name": kind, "type": kind, "stream": "downstream", "toxicity": 1, "attributes": attributes})
}

// Remove takes the toxic away.
func (x *Toxi) Remove(kind string) {
	x.t.Helper()
	x.do(http.MethodDelete, "/proxies/redis/toxics/"+kind, nil)
}
