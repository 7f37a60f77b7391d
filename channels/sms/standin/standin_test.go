package standin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	sid   = "AC00112233445566778899aabbccddeeff"
	token = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

func open(t testing.TB, change func(*Options)) (*Carrier, string) {
	t.Helper()
	opt := Options{AccountSID: sid, AuthToken: token}
	if change != nil {
		change(&opt)
	}
	c, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
	})
	return c, server.URL
}

func form(change url.Values) url.Values {
	f := url.Values{"To": {"+84912345678"}, "From": {"+84901234567"}, "Body": {"Bão số 3"}}
	for k, v := range change {
		f[k] = v
		if len(v) == 0 {
			delete(f, k)
		}
	}
	return f
}

// post sends a form and returns the status, Twilio's code and the answer.
func post(t testing.TB, base string, f url.Values) (status, code int, answer map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, base+"/2010-04-01/Accounts/"+sid+"/Messages.json", strings.NewReader(f.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(sid, token)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, req)
}

func do(t testing.TB, req *http.Request) (status, code int, answer map[string]any) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatalf("answer: %v", err)
	}
	if n, ok := answer["code"].(float64); ok {
		code = int(n)
	}
	return res.StatusCode, code, answer
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c, base := open(t, func(o *Options) { o.Templates = []string{`Bão số \d+`}; o.RefuseAtCreation = true })
	for name, want := range map[string]struct {
		change url.Values
		code   int
	}{
		"no number":            {url.Values{"To": nil}, 21604},
		"local number":         {url.Values{"To": {"0912345678"}}, 21211},
		"no sender":            {url.Values{"From": nil}, 21603},
		"no body":              {url.Values{"Body": nil}, 21602},
		"long body":            {url.Values{"Body": {strings.Repeat("a", 1601)}}, 21617},
		"callback not a URL":   {url.Values{"StatusCallback": {"nowhere"}}, 21609},
		"callback of ftp":      {url.Values{"StatusCallback": {"ftp://h/x"}}, 21609},
		"validity of 0":        {url.Values{"ValidityPeriod": {"0"}}, 20001},
		"validity of 11 hours": {url.Values{"ValidityPeriod": {"39600"}}, 20001},
		"unregistered body":    {url.Values{"Body": {"Bão số 3. Mua ngay!"}}, 30007},
		"body longer by lines": {url.Values{"Body": {"Bão số 3\n"}}, 30007},
	} {
		if status, code, _ := post(t, base, form(want.change)); status != http.StatusBadRequest || code != want.code {
			t.Errorf("%s: answered %d with %d, want %d", name, status, code, want.code)
		}
	}
	if c.Books().Len() != 0 || c.Stats().Refused != 11 {
		t.Errorf("%d entries, %+v", c.Books().Len(), c.Stats())
	}
	if status, _, _ := post(t, base, form(nil)); status != http.StatusCreated {
		t.Errorf("a good message was answered %d", status)
	}
}

func TestCredentialsAndPaths(t *testing.T) {
	t.Parallel()
	_, base := open(t, nil)
	for name, c := range map[string]struct {
		method, path, user, token string
		status, code              int
	}{
		"no such path":     {http.MethodGet, "/2010-04-01/Calls.json", sid, token, 404, 20404},
		"wrong token":      {http.MethodGet, "/2010-04-01/Accounts/" + sid + ".json", sid, token + "0", 401, 20003},
		"no credentials":   {http.MethodPost, "/2010-04-01/Accounts/" + sid + "/Messages.json", "", "", 401, 20003},
		"another account":  {http.MethodPost, "/2010-04-01/Accounts/" + sid[:33] + "0/Messages.json", sid, token, 404, 20404},
		"unknown account":  {http.MethodGet, "/2010-04-01/Accounts/" + sid[:33] + "0.json", sid, token, 404, 20404},
		"no such message":  {http.MethodGet, "/2010-04-01/Accounts/" + sid + "/Messages/SM0.json", sid, token, 404, 20404},
		"page size absurd": {http.MethodGet, "/2010-04-01/Accounts/" + sid + "/Messages.json?PageSize=9999", sid, token, 400, 20001},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(c.user, c.token)
		if status, code, _ := do(t, req); status != c.status || code != c.code {
			t.Errorf("%s: answered %d with %d", name, status, code)
		}
	}
}

func TestRateAndBurst(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	c, base := open(t, func(o *Options) {
		o.Rate, o.Burst, o.RetryAfter, o.Now = 2, 3, 1500*time.Millisecond, func() time.Time { return now }
	})
	taken := func() (n int) {
		for range 10 {
			if status, code, _ := post(t, base, form(nil)); status == http.StatusCreated {
				n++
			} else if status != http.StatusTooManyRequests || code != 20429 {
				t.Errorf("answered %d with %d", status, code)
			}
		}
		return n
	}
	if n := taken(); n != 3 {
		t.Errorf("%d taken of a burst of 3", n)
	}
	now = now.Add(time.Second)
	if n := taken(); n != 2 {
		t.Errorf("%d taken in the second after, at 2 a second", n)
	}
	if s := c.Stats(); s.Throttled != 15 || s.Accepted != 5 || s.Requests != 20 {
		t.Errorf("%+v", s)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	counts := map[int]int{}
	const numbers, share = 20000, 0.07
	for i := range numbers {
		number := fmt.Sprintf("+8490%07d", i)
		bad, is := Verdict(number, 1, share)
		if again, same := Verdict(number, 1, share); again != bad || same != is {
			t.Fatal("a number's verdict changed")
		}
		if is {
			counts[bad.Code]++
		}
		if _, none := Verdict(number, 1, 0); none {
			t.Fatal("a bad number where none is wanted")
		}
		if _, all := Verdict(number, 1, 1); !all {
			t.Fatal("a good number where none is wanted")
		}
	}
	total := 0
	for _, code := range badCodes {
		if counts[code.Code] < numbers*share/7/2 {
			t.Errorf("code %d came %d times", code.Code, counts[code.Code])
		}
		total += counts[code.Code]
	}
	if total < numbers*share*0.9 || total > numbers*share*1.1 {
		t.Errorf("%d bad numbers of %d, want about %v", total, numbers, numbers*share)
	}
}

// phone is a gateway that takes callbacks.
type phone struct {
	mu     sync.Mutex
	got    []url.Values
	refuse int // answers of 503 before the rest
}

func (p *phone) serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.refuse > 0 {
			p.refuse--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		f, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		p.got = append(p.got, f)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func (p *phone) statuses() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.got {
		all = append(all, f.Get("MessageStatus")+f.Get("ErrorCode"))
	}
	return all
}

func settle(t *testing.T, c *Carrier) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Settled(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestCallbacksAreRetried(t *testing.T) {
	t.Parallel()
	p := &phone{refuse: 3}
	at := p.serve(t)
	c, base := open(t, func(o *Options) { o.Callbacks.Backoff = time.Millisecond })
	post(t, base, form(url.Values{"StatusCallback": {at + "/r"}}))
	settle(t, c)
	if n := len(p.statuses()); n != 2 || p.refuse != 0 || c.Stats().Undone != 0 {
		t.Errorf("%d statuses came through, %d refusals left, %+v", n, p.refuse, c.Stats())
	}
}

func TestCallbacksAreGivenUp(t *testing.T) {
	t.Parallel()
	p := &phone{refuse: 1000}
	at := p.serve(t)
	c, base := open(t, func(o *Options) { o.Callbacks = Callbacks{Backoff: time.Millisecond, Retries: 2} })
	post(t, base, form(url.Values{"StatusCallback": {at + "/r"}}))
	settle(t, c)
	if s := c.Stats(); s.Undone != 2 || s.Called != 0 || p.refuse != 1000-2*3 {
		t.Errorf("%+v after %d calls", s, 1000-p.refuse)
	}
}

func TestChaosReordersAndRepeats(t *testing.T) {
	t.Parallel()
	p := &phone{}
	at := p.serve(t)
	c, base := open(t, func(o *Options) { o.Callbacks = Callbacks{Chaos: true, Workers: 1} })
	for range 20 {
		post(t, base, form(url.Values{"StatusCallback": {at + "/r"}}))
	}
	settle(t, c)
	if got := p.statuses(); got[0] != "delivered" || len(got) <= 40 {
		t.Errorf("%d statuses, the first %s", len(got), got[0])
	}
}

// Close does not wait for a gateway that is gone.
func TestCloseWithCallbacksWaiting(t *testing.T) {
	t.Parallel()
	c, err := New(Options{AccountSID: sid, AuthToken: token, Callbacks: Callbacks{Backoff: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/2010-04-01/Accounts/"+sid+"/Messages.json",
		strings.NewReader(form(url.Values{"StatusCallback": {"http://127.0.0.1:1/r"}}).Encode()))
	r.SetBasicAuth(sid, token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		t.Fatalf("answered %d", w.Code)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := Options{AccountSID: sid, AuthToken: token}
	for name, spoil := range map[string]func(*Options){
		"account":  func(o *Options) { o.AccountSID = "AC1" },
		"token":    func(o *Options) { o.AuthToken = "" },
		"bad":      func(o *Options) { o.Bad = 1.5 },
		"share":    func(o *Options) { o.Share = -1 },
		"template": func(o *Options) { o.Templates = []string{"("} },
		"fault":    func(o *Options) { o.Fault = "gremlins" },
		"books":    func(o *Options) { o.BooksFile = "/nowhere/at/all" },
	} {
		opt := good
		spoil(&opt)
		if c, err := New(opt); err == nil {
			t.Errorf("%s: taken", name)
			_ = c.Close()
		}
	}
}
