// Package standin is an independent web push service for demonstrations and
// tests: it hands out subscriptions, checks what is posted to them as a strict
// service would, decrypts it as a browser would, and keeps books of what
// arrived. It imports nothing of Loa, so that its books are evidence.
package standin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options describe a Service. The zero value serves from memory with a fixed
// seed and without faults.
type Options struct {
	Seed      string           // keys and tokens of all subscriptions follow from it, also after a restart
	Base      string           // scheme://host[:port] of the endpoints; the Host of the /subscribe request when empty
	ServerKey string           // the only application server key admitted, base64url; any when empty (RFC 8292 section 4)
	BooksFile string           // JSON lines, fsynced before a push is answered; read back at start; memory only when empty
	Shares    Shares           // subscriptions that fail
	Now       func() time.Time // time.Now when nil
}

// Service is a push service. It is an http.Handler:
//
//	POST /subscribe    {"count": n, "from": i} gives an array of n subscriptions
//	POST /push/{token} takes a push message
//	POST /faults       a Faults object replaces the switches
//	GET  /books        the books as JSON lines
//	GET  /counts       what was decided so far, by status
type Service struct {
	opts    Options
	mux     *http.ServeMux
	tokens  tokens
	books   *books
	devices sync.Map // index -> *device
	next    atomic.Int64

	mu     sync.Mutex
	faults Faults
	counts map[int]int
}

// New makes a Service. It fails only when the books file cannot be used.
func New(o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	b, err := openBooks(o.BooksFile)
	if err != nil {
		return nil, err
	}
	s := &Service{opts: o, books: b, mux: http.NewServeMux(), counts: map[int]int{}}
	s.mux.HandleFunc("POST /subscribe", s.serveSubscribe)
	s.mux.HandleFunc("/push/{token}", s.servePush)
	s.mux.HandleFunc("POST /faults", s.serveFaults)
	s.mux.HandleFunc("GET /books", s.serveBooks)
	s.mux.HandleFunc("GET /counts", s.serveCounts)
	return s, nil
}

// ServeHTTP answers as described at Service.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends the books file.
func (s *Service) Close() error { return s.books.close() }

// Subscription is what a browser hands to a page.
type Subscription struct {
	Endpoint string `json:"endpoint"`
	P256dh   string `json:"p256dh"` // base64url, 65 bytes
	Auth     string `json:"auth"`   // base64url, 16 bytes
}

// Subscribe hands out the next n subscriptions, numbered from 0. It needs
// Options.Base.
func (s *Service) Subscribe(n int) []Subscription {
	return s.subscriptions(s.opts.Base, int(s.next.Add(int64(n)))-n, n)
}

func (s *Service) subscriptions(base string, from, n int) []Subscription {
	out := make([]Subscription, n)
	for i := range out {
		d := s.device(from + i)
		out[i] = Subscription{Endpoint: base + s.path(from+i), P256dh: b64.EncodeToString(d.point), Auth: b64.EncodeToString(d.auth)}
	}
	return out
}

const (
	bodyMax  = 4096
	countMax = 100_000
)

func (s *Service) serveSubscribe(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Count int  `json:"count"`
		From  *int `json:"from"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&in)
	if err != nil || in.Count < 1 || in.Count > countMax || (in.From != nil && *in.From < 0) {
		http.Error(w, fmt.Sprintf("want {\"count\": 1 to %d, \"from\": 0 or more, or absent}", countMax), http.StatusBadRequest)
		return
	}
	base := s.opts.Base
	if base == "" {
		base = origin(r)
	}
	from := 0
	if in.From != nil {
		from = *in.From
	} else {
		from = int(s.next.Add(int64(in.Count))) - in.Count
	}
	writeJSON(w, s.subscriptions(base, from, in.Count))
}

// refusal is an answer other than 201.
type refusal struct {
	status     int
	retryAfter string
	reason     string
}

func (r *refusal) Error() string { return r.reason }

func (s *Service) servePush(w http.ResponseWriter, r *http.Request) {
	f := s.takeFault()
	err := s.push(r, f)
	status := http.StatusCreated
	var no *refusal
	switch {
	case err == nil:
		w.Header().Set("Location", origin(r)+"/message/"+strconv.FormatInt(s.books.size(), 10))
	case errors.As(err, &no):
		status = no.status
		if no.retryAfter != "" {
			w.Header().Set("Retry-After", no.retryAfter)
		}
	default:
		status = http.StatusInternalServerError
	}
	if err != nil {
		var to *int
		if index, ok := s.indexOf(r.PathValue("token")); ok {
			to = &index
		}
		s.books.refused(to, status, s.opts.Now())
	}
	s.mu.Lock()
	s.counts[status]++
	s.mu.Unlock()
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
		}
	}
	if f.Cut && err == nil {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	if f.Accept && f.Status != 0 && err == nil {
		status = f.Status
	}
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	w.WriteHeader(status)
}

// push checks one request in the order a push service would, and enters it in
// the books.
func (s *Service) push(r *http.Request, f Faults) error {
	if r.Method != http.MethodPost {
		return &refusal{status: http.StatusMethodNotAllowed, reason: "only POST"}
	}
	index, ok := s.indexOf(r.PathValue("token"))
	if !ok {
		return &refusal{status: http.StatusNotFound, reason: "no such subscription"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyMax+1))
	if err != nil {
		return &refusal{status: http.StatusBadRequest, reason: "body cut short"}
	}
	if len(body) > bodyMax {
		return &refusal{status: http.StatusRequestEntityTooLarge, reason: "body over 4096 bytes"}
	}
	if err := s.tokens.check(r.Header.Get("Authorization"), origin(r), s.opts.ServerKey, s.opts.Now()); err != nil {
		return err
	}
	h, err := readHeaders(r.Header)
	if err != nil {
		return &refusal{status: http.StatusBadRequest, reason: err.Error()}
	}
	d := s.device(index)
	if err := s.fail(d, index, f); err != nil {
		return err
	}
	text, err := d.decrypt(body)
	if err != nil {
		return &refusal{status: http.StatusBadRequest, reason: "cannot decrypt: " + err.Error()}
	}
	e := Entry{Subscription: index, Topic: h.topic, Urgency: h.urgency, TTL: h.ttl, At: s.opts.Now(), Mono: monotonic(), Answer: f.told(), Body: text}
	if e, err = s.books.add(e); err != nil {
		return fmt.Errorf("books: %w", err)
	}
	d.hold(e)
	return nil
}

// origin is the one a client of this request must name in its token.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

type headers struct {
	ttl            time.Duration
	topic, urgency string
}

func readHeaders(h http.Header) (headers, error) {
	ttl, err := strconv.ParseUint(h.Get("TTL"), 10, 31)
	if err != nil {
		return headers{}, errors.New("header TTL: want whole seconds (RFC 8030 section 5.2)")
	}
	if h.Get("Content-Encoding") != "aes128gcm" {
		return headers{}, errors.New("header Content-Encoding: want aes128gcm (RFC 8291 section 4)")
	}
	switch h.Get("Urgency") {
	case "", "very-low", "low", "normal", "high":
	default:
		return headers{}, errors.New("header Urgency: unknown word (RFC 8030 section 5.3)")
	}
	topic := h.Get("Topic")
	if _, err := b64.DecodeString(topic); len(topic) > 32 || (err != nil && len(topic)%4 != 1) {
		return headers{}, errors.New("header Topic: want at most 32 characters of base64url (RFC 8030 section 5.4)")
	}
	return headers{ttl: time.Duration(ttl) * time.Second, topic: topic, urgency: h.Get("Urgency")}, nil
}

func (s *Service) serveFaults(w http.ResponseWriter, r *http.Request) {
	var f Faults
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		http.Error(w, "faults: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.SetFaults(f)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Service) serveBooks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jsonl")
	var line bytes.Buffer
	for e := range s.Books() {
		line.Reset()
		_ = json.NewEncoder(&line).Encode(e.line())
		if _, err := w.Write(line.Bytes()); err != nil {
			return
		}
	}
}

func (s *Service) serveCounts(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Counts()) }

// Counts tells how often each status was decided. A message that was taken
// counts as 201 even when a switch changed or withheld the answer.
func (s *Service) Counts() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
