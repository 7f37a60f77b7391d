package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loa/channels"
	"loa/channels/sms"
	"loa/configs"
	"loa/gateway"
	"loa/gateway/config"
	"loa/gateway/web/api"
	"loa/templates"
)

// client speaks to the gateway of a data folder: over its socket when "loa
// serve" runs there, else to one that it opens in this process. Either way it
// is the same API.
type client struct {
	http    *http.Client
	running bool // "loa serve" answers; without it nothing is sent
	close   func() error
}

// configFlag is the flag that says whose data folder is meant.
func configFlag(cmd *cobra.Command, into *string) {
	cmd.PersistentFlags().StringVar(into, "config", os.Getenv("LOA_CONFIG"), "configuration `file` (else the environment's LOA_CONFIG, else embedded defaults and ./data)")
}

func loadConfig(path string) (*config.Config, error) {
	if path == "" {
		return config.Default(), nil
	}
	return config.Load(path)
}

func gatewayOptions(cfg *config.Config) gateway.Options {
	return gateway.Options{Config: cfg, Drivers: drivers(), Parts: sms.Parts, Templates: templates.FS, Facts: configs.Areas, Now: processClock}
}

// dial opens a client.
func dial(ctx context.Context, configPath string) (*client, error) {
	cfg, err := loadConfig(configPath)
	if err != nil {
		return nil, err
	}
	socket := gateway.SocketPath(cfg.Data)
	d := net.Dialer{Timeout: 2 * time.Second}
	if conn, err := d.DialContext(ctx, "unix", socket); err == nil {
		_ = conn.Close()
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		}}
		return &client{&http.Client{Transport: transport}, true, func() error { transport.CloseIdleConnections(); return nil }}, nil
	}
	alone := *cfg
	alone.Redis = config.Redis{None: true} // nothing is sent from here
	g, err := gateway.New(ctx, gatewayOptions(&alone))
	if errors.Is(err, gateway.ErrRunning) {
		return nil, fmt.Errorf("%w, but nobody answers on its socket %s", err, socket)
	}
	if err != nil {
		return nil, err
	}
	return &client{&http.Client{Transport: inProcess{g.LocalHandler()}}, false, g.Close}, nil
}

// request is one call of the API.
type request struct {
	method, path string
	query        url.Values
	token        channels.Secret
	key          string // empty: a new one for a write
	media        string // of body; empty: application/json
	body         io.Reader
}

// start sends a request and gives back the answer's body, or its problem.
func (c *client) start(ctx context.Context, r request) (io.ReadCloser, error) {
	target := url.URL{Scheme: "http", Host: "loa", Path: "/api/v1" + r.path, RawQuery: r.query.Encode()}
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), r.body)
	if err != nil {
		return nil, err
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token.Reveal())
	}
	if r.method != http.MethodGet {
		if r.key == "" {
			r.key = rand.Text()
		}
		req.Header.Set("Idempotency-Key", r.key)
	}
	if r.body != nil {
		if r.media == "" {
			r.media = "application/json"
		}
		req.Header.Set("Content-Type", r.media)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the gateway does not answer: %w", err)
	}
	if res.StatusCode < http.StatusMultipleChoices {
		return res.Body, nil
	}
	defer func() { _ = res.Body.Close() }()
	var p api.Problem
	if err := json.NewDecoder(io.LimitReader(res.Body, api.MaxBody)).Decode(&p); err != nil {
		return nil, fmt.Errorf("the gateway answered %s", res.Status)
	}
	return nil, &problem{p}
}

// call sends a request and decodes the answer into out.
func (c *client) call(ctx context.Context, r request, out any) error {
	body, err := c.start(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return fmt.Errorf("the gateway's answer cannot be read: %w", err)
	}
	return nil
}

// jsonBody encodes a document.
func jsonBody(v any) io.Reader {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types are always JSON
	}
	return bytes.NewReader(b)
}

// problem is a refusal as people read it.
type problem struct{ api.Problem }

func (p *problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Title)
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, f := range p.Errors {
		if p.Detail == f.Field+": "+f.Rule {
			continue
		}
		b.WriteString("\n  ")
		if f.Field != "" {
			b.WriteString(f.Field + ": ")
		}
		b.WriteString(f.Rule)
	}
	return b.String()
}

// about reports whether a field of the request is at fault.
func (p *problem) about(field string) bool {
	return slices.ContainsFunc(p.Errors, func(f api.Fault) bool { return f.Field == field })
}

// inProcess serves requests by a handler in this process, streaming both ways
// as a connection would.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	read, write := io.Pipe()
	w := &pipeWriter{header: http.Header{}, to: write, ready: make(chan struct{})}
	go func() {
		t.handler.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK)
		_ = r.Body.Close()
		_ = write.Close()
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
		_ = read.Close()
		return nil, r.Context().Err()
	}
	return &http.Response{
		StatusCode: w.status, Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Body: read, ContentLength: -1, Request: r,
	}, nil
}

type pipeWriter struct {
	header, sent http.Header
	status       int
	to           *io.PipeWriter
	ready        chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	}
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.to.Write(p)
}

// Flush does nothing: a pipe holds nothing back.
func (w *pipeWriter) Flush() {}

// EnableFullDuplex does nothing: a pipe has two directions.
func (w *pipeWriter) EnableFullDuplex() error { return nil }
