package standin

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 9, 7, 6, 0, 0, 0, time.UTC)

const base = "http://push.test"

func open(t testing.TB, o Options) *Service {
	t.Helper()
	o.Base = base
	if o.Now == nil {
		o.Now = func() time.Time { return start }
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// jwt signs a VAPID header with a key of its own.
func jwt(t testing.TB, key *ecdsa.PrivateKey, head, claims string) string {
	t.Helper()
	text := b64.EncodeToString([]byte(head)) + "." + b64.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return "vapid t=" + text + "." + b64.EncodeToString(sig[:]) + ", k=" + b64.EncodeToString(point)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func claimsOf(aud string, exp time.Time, sub string) string {
	return fmt.Sprintf(`{"aud":%q,"exp":%d,"sub":%q}`, aud, exp.Unix(), sub)
}

const head = `{"typ":"JWT","alg":"ES256"}`

// sealFor is a sender of its own (RFC 8291), so that the service is not only
// checked against the driver it stands in for.
func sealFor(t testing.TB, s Subscription, text []byte) []byte {
	t.Helper()
	point, _ := b64.DecodeString(s.P256dh)
	auth, _ := b64.DecodeString(s.Auth)
	to, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		t.Fatal(err)
	}
	from, _ := ecdh.P256().GenerateKey(rand.Reader)
	secret, _ := from.ECDH(to)
	me := from.PublicKey().Bytes()
	ikm, _ := hkdf.Key(sha256.New, secret, auth, "WebPush: info\x00"+string(point)+string(me), 32)
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	cek, _ := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	nonce, _ := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	block, _ := aes.NewCipher(cek)
	gcm, _ := cipher.NewGCM(block)
	out := append(append(salt, 0, 0, 16, 0, 65), me...)
	return gcm.Seal(out, nonce, append(bytes.Clone(text), 2), nil)
}

func request(t testing.TB, key *ecdsa.PrivateKey, s Subscription, text string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, s.Endpoint, bytes.NewReader(sealFor(t, s, []byte(text))))
	r.Header.Set("Authorization", jwt(t, key, head, claimsOf(base, start.Add(time.Hour), "mailto:a@example.vn")))
	r.Header.Set("TTL", "60")
	r.Header.Set("Content-Encoding", "aes128gcm")
	return r
}

func do(s *Service, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	token := func(t *testing.T, head, claims string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", jwt(t, key, head, claims)) }
	}
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	hour := start.Add(time.Hour)
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"good":             {func(*http.Request) {}, 201},
		"good topic":       {header("Topic", strings.Repeat("a", 32)), 201},
		"GET":              {func(r *http.Request) { r.Method = http.MethodGet }, 405},
		"token of nobody":  {func(r *http.Request) { r.URL.Path = "/push/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }, 404},
		"no Authorization": {func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"Bearer":           {header("Authorization", "Bearer x"), 403},
		"other audience":   {token(t, head, claimsOf("http://push.test:80", hour, "mailto:a@example.vn")), 403},
		"expired":          {token(t, head, claimsOf(base, start, "mailto:a@example.vn")), 403},
		"over a day":       {token(t, head, claimsOf(base, start.Add(25*time.Hour), "mailto:a@example.vn")), 403},
		"bare subject":     {token(t, head, claimsOf(base, hour, "a@example.vn")), 403},
		"alg none":         {token(t, `{"alg":"none"}`, claimsOf(base, hour, "mailto:a@example.vn")), 403},
		"broken signature": {func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "vapid t=e", "vapid t=f", 1))
		}, 403},
		"no TTL":            {func(r *http.Request) { r.Header.Del("TTL") }, 400},
		"TTL of minus one":  {header("TTL", "-1"), 400},
		"old encoding":      {header("Content-Encoding", "aesgcm"), 400},
		"unknown urgency":   {header("Urgency", "extreme"), 400},
		"topic too long":    {header("Topic", strings.Repeat("a", 33)), 400},
		"topic with spaces": {header("Topic", "a b"), 400},
		"body too long":     {func(r *http.Request) { r.Body = http.NoBody; r.Body = readCloser(make([]byte, 4097)) }, 413},
		"not encrypted":     {func(r *http.Request) { r.Body = readCloser(make([]byte, 200)) }, 400},
		"empty":             {func(r *http.Request) { r.Body = http.NoBody }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Options{})
			r := request(t, key, s.Subscribe(1)[0], `{"alert":"a","revision":2}`)
			c.change(r)
			w := do(s, r)
			if w.Code != c.want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, c.want)
			}
			taken := 0
			for range s.Books() {
				taken++
			}
			if (taken == 1) != (c.want == 201) {
				t.Errorf("%d messages in the books", taken)
			}
		})
	}
}

type body struct{ *bytes.Reader }

func (body) Close() error      { return nil }
func readCloser(b []byte) body { return body{bytes.NewReader(b)} }

// entries gives the books by subscription; pushes that run together may stand
// in any order.
func entries(s *Service) []Entry {
	return slices.SortedStableFunc(s.Books(), func(a, b Entry) int { return a.Subscription - b.Subscription })
}

func TestServerKey(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	point, _ := key.PublicKey.Bytes()
	s := open(t, Options{ServerKey: b64.EncodeToString(point)})
	sub := s.Subscribe(1)[0]
	if w := do(s, request(t, other, sub, "x")); w.Code != 403 {
		t.Errorf("another key: %d", w.Code)
	}
	if w := do(s, request(t, key, sub, "x")); w.Code != 201 {
		t.Errorf("own key: %d %s", w.Code, w.Body)
	}
}

// A service that is started again knows the subscriptions it gave out and the
// messages it took, and drops a line that a crash left half written.
func TestRestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "books.jsonl")
	key := newKey(t)
	s := open(t, Options{Seed: "s", BooksFile: file})
	subs := s.Subscribe(20)
	var wg sync.WaitGroup
	for i, sub := range subs {
		wg.Go(func() {
			r := request(t, key, sub, fmt.Sprintf(`{"alert":"a","revision":%d}`, i+1))
			r.Header.Set("Topic", "abcd")
			if w := do(s, r); w.Code != 201 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	before := entries(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if w := do(s, request(t, key, subs[0], "x")); w.Code != 500 {
		t.Errorf("closed books: %d", w.Code)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"subscription":3,"ale`)
	_ = f.Close()

	again := open(t, Options{Seed: "s", BooksFile: file})
	defer func() { _ = again.Close() }()
	for i := range before {
		before[i].Body = nil
	}
	if diff := cmp.Diff(before, entries(again)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(subs, again.Subscribe(20)); diff != "" {
		t.Error(diff)
	}
	if w := do(again, request(t, key, subs[4], `{"alert":"b","revision":1}`)); w.Code != 201 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := len(entries(again)); n != 21 {
		t.Errorf("%d messages after the restart, want 21", n)
	}
	if other := open(t, Options{Seed: "other"}); other.Subscribe(1)[0] == subs[0] {
		t.Error("two seeds give one subscription")
	}
}

func TestDamagedBooksAreRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "books.jsonl")
	if err := os.WriteFile(file, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{BooksFile: file}); err == nil || !strings.Contains(err.Error(), "byte 0") {
		t.Errorf("error %v", err)
	}
}

func TestSwitches(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	key, sub := newKey(t), s.Subscribe(1)[0]
	set := func(v any) {
		b, _ := json.Marshal(v)
		if w := do(s, httptest.NewRequest(http.MethodPost, "/faults", bytes.NewReader(b))); w.Code != 204 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	set(Faults{Status: 429, RetryAfter: "9", Times: 2})
	for i, want := range []int{429, 429, 201} {
		w := do(s, request(t, key, sub, "x"))
		if w.Code != want || (want == 429 && w.Header().Get("Retry-After") != "9") {
			t.Errorf("push %d: %d %q, want %d", i, w.Code, w.Header().Get("Retry-After"), want)
		}
	}
	set(Faults{Status: 500, Accept: true})
	if w := do(s, request(t, key, sub, "x")); w.Code != 500 || len(entries(s)) != 2 {
		t.Errorf("%d and %d messages; want 500 for a second message that was taken", w.Code, len(entries(s)))
	}
	if w := do(s, httptest.NewRequest(http.MethodPost, "/faults", strings.NewReader(`{"statsu":500}`))); w.Code != 400 {
		t.Errorf("misspelt switch: %d", w.Code)
	}
	if diff := cmp.Diff(map[int]int{429: 2, 201: 2}, s.Counts()); diff != "" {
		t.Error(diff)
	}
}

func TestFatesFollowTheShares(t *testing.T) {
	t.Parallel()
	const n = 4000
	shares := Shares{Gone: 0.20, Missing: 0.05, TooLarge: 0.01, Forbidden: 0.01, Throttled: 0.10, Unavailable: 0.02}
	s, again := open(t, Options{Seed: "f", Shares: shares}), open(t, Options{Seed: "f", Shares: shares})
	got := map[int]int{}
	for i := range n {
		got[s.Fate(i)]++
		if s.Fate(i) != again.Fate(i) {
			t.Fatalf("subscription %d has two fates", i)
		}
	}
	for status, share := range map[int]float64{410: .20, 404: .05, 413: .01, 403: .01, 429: .10, 503: .02, 201: .61} {
		if part := float64(got[status]) / n; part < share*0.6 || part > share*1.4 {
			t.Errorf("%d: %.3f of all, want about %.3f", status, part, share)
		}
	}
}

func TestSubscribeOverHTTP(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	ask := func(in string) (subs []Subscription, code int) {
		w := do(s, httptest.NewRequest(http.MethodPost, "/subscribe", strings.NewReader(in)))
		_ = json.Unmarshal(w.Body.Bytes(), &subs)
		return subs, w.Code
	}
	first, _ := ask(`{"count":3}`)
	second, _ := ask(`{"count":2}`)
	both, _ := ask(`{"count":5,"from":0}`)
	if diff := cmp.Diff(both, append(first, second...)); diff != "" || len(both) != 5 {
		t.Error(diff)
	}
	for _, bad := range []string{``, `{"count":0}`, `{"count":-1}`, `{"count":1000000}`, `{"count":1,"from":-1}`} {
		if _, code := ask(bad); code != 400 {
			t.Errorf("%s: %d", bad, code)
		}
	}
}

func TestBooksOverHTTP(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	key := newKey(t)
	for i, sub := range s.Subscribe(3) {
		do(s, request(t, key, sub, `{"alert":"a","revision":`+strconv.Itoa(i)+`}`))
	}
	w := do(s, httptest.NewRequest(http.MethodGet, "/books", nil))
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	var l entryLine
	if err := json.Unmarshal([]byte(lines[2]), &l); err != nil || l.Subscription != 2 || l.Alert != "a" || l.Revision != 2 || len(l.Hash) != 64 {
		t.Errorf("%+v %v", l, err)
	}
}

// What waits longer than its TTL is not shown any more.
func TestFetchDropsExpired(t *testing.T) {
	t.Parallel()
	now := start
	s := open(t, Options{Now: func() time.Time { return now }})
	key, sub := newKey(t), s.Subscribe(1)[0]
	do(s, request(t, key, sub, "first"))
	now = now.Add(59 * time.Second)
	do(s, request(t, key, sub, "second"))
	now = now.Add(2 * time.Second)
	if got := s.Fetch(0); len(got) != 1 || string(got[0].Body) != "second" {
		t.Errorf("%v", got)
	}
	if got := s.Fetch(0); len(got) != 0 {
		t.Errorf("fetched twice: %v", got)
	}
}
