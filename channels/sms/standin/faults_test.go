package standin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Break strikes its share of the requests, and mending ends it.
func TestBreakStrikesItsShare(t *testing.T) {
	t.Parallel()
	c, base := open(t, nil)
	c.Break(FaultError, 0.3)
	broken := 0
	for range 300 {
		status, code, _ := post(t, base, form(nil))
		if status == http.StatusInternalServerError && code == 20500 {
			broken++
		}
	}
	if s := c.Stats(); int64(broken) != s.Broken || broken < 60 || broken > 120 {
		t.Errorf("%d of 300 requests broke, counted %d", broken, s.Broken)
	}
	if c.Books().Len() != 300 {
		t.Errorf("%d messages taken: this fault strikes after the message is in", c.Books().Len())
	}
	c.Break(FaultNone, 1)
	if status, _, _ := post(t, base, form(nil)); status != http.StatusCreated {
		t.Errorf("a mended carrier answered %d", status)
	}
}

// A hanging request ends with its sender or with the carrier, the message
// taken. TestMain would find it if it did not.
func TestHangEnds(t *testing.T) {
	t.Parallel()
	c, base := open(t, func(o *Options) { o.Fault, o.Share = FaultHang, 1 })
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/2010-04-01/Accounts/"+sid+"/Messages.json", strings.NewReader(form(nil).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(sid, token)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	returned := make(chan error, 1)
	go func() {
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		returned <- err
	}()
	for deadline := time.Now().Add(time.Minute); c.Books().Len() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the message was never taken")
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-returned; !errors.Is(err, context.Canceled) {
		t.Errorf("the sender got %v", err)
	}
}

func TestDelayHoldsReportsBack(t *testing.T) {
	t.Parallel()
	p := &phone{}
	at := p.serve(t)
	c, base := open(t, func(o *Options) { o.Callbacks.Delay = 20 * time.Millisecond })
	post(t, base, form(url.Values{"StatusCallback": {at + "/r"}}))
	settle(t, c)
	if n := len(p.statuses()); n != 2 {
		t.Errorf("%d statuses after the delay", n)
	}
}

func TestListNewestFirst(t *testing.T) {
	t.Parallel()
	_, base := open(t, nil)
	for _, to := range []string{"+84910000001", "+84910000002", "+84910000001"} {
		post(t, base, form(url.Values{"To": {to}}))
	}
	for query, want := range map[string]int{"": 3, "?PageSize=2": 2, "?To=%2B84910000001": 2, "?To=%2B84910000009": 0} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/2010-04-01/Accounts/"+sid+"/Messages.json"+query, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(sid, token)
		_, _, answer := do(t, req)
		messages, ok := answer["messages"].([]any)
		if !ok || len(messages) != want {
			t.Errorf("%q: %d messages, want %d", query, len(messages), want)
		}
	}
}

// What is switched on while the carrier serves is met from then on, and what was
// not taken stands in the books as that.
func TestSwitches(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "books.jsonl")
	c, base := open(t, func(o *Options) { o.BooksFile = path })
	flip := func(switches string, want int) {
		t.Helper()
		res, err := http.Post(base+"/faults", "application/json", strings.NewReader(switches))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", switches, res.StatusCode, want)
		}
	}
	for _, bad := range []string{`{`, `{"fault":"rain"}`, `{"fault":"outage","share":2}`, `{"codes":{"21211":0.7,"21610":0.7}}`, `{"other":1}`, `{"retry_after":-1}`} {
		flip(bad, http.StatusBadRequest)
	}
	send := func(to string) (status, code int) {
		r := httptest.NewRequest(http.MethodPost, base+"/2010-04-01/Accounts/"+sid+"/Messages.json", strings.NewReader(form(url.Values{"To": {to}}).Encode()))
		r.SetBasicAuth(sid, token)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		var answer struct{ Code int }
		_ = json.Unmarshal(w.Body.Bytes(), &answer) // an outage speaks no JSON
		return w.Code, answer.Code
	}
	for _, step := range []struct {
		switches, to string
		status, code int
	}{
		{`{"fault":"outage","share":1,"prefix":"+8496"}`, "+84961234567", 503, 0},
		{`{"fault":"outage","share":1,"prefix":"+8496"}`, "+84911234567", 201, 0},
		{`{"fault":"throttle","share":1,"retry_after":3}`, "+84911234567", 429, 20429},
		{`{"codes":{"21610":1}}`, "+84911234567", 400, 21610},
		{`{"once":{"21611":1}}`, "+84911234568", 400, 21611},
		{`{"once":{"21611":1}}`, "+84911234568", 201, 0},
		{`{"codes":{"30007":1}}`, "+84911234569", 201, 30007},
		{`{}`, "+84911234567", 201, 0},
	} {
		flip(step.switches, http.StatusNoContent)
		if status, code := send(step.to); status != step.status || status != http.StatusCreated && code != step.code {
			t.Errorf("%s, %s: %d, code %d", step.switches, step.to, status, code)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	refused, err := ReadRefusals(path)
	if err != nil || len(refused) != 4 {
		t.Fatalf("%d refusals, %v", len(refused), err)
	}
	for i, want := range []int{503, 429, 400, 400} {
		if r := refused[i]; r.Answer != want || r.To == "" || r.Mono == 0 || r.At.IsZero() {
			t.Errorf("refusal %d: %+v", i, r)
		}
	}
	taken, err := ReadBooks(path)
	if err != nil || len(taken) != 4 {
		t.Fatalf("%d entries, %v", len(taken), err)
	}
	if e := taken[2]; e.Code != 30007 || e.Status != "undelivered" || e.Answer != http.StatusCreated || e.Mono == 0 {
		t.Errorf("%+v", e)
	}
}

// A queue that drains slowly is full after a while, and what waits in it is
// reported when it leaves.
func TestQueueOverflows(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	q := queue{drain: 2, most: 3, at: now}
	for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 1500 * time.Millisecond} {
		if wait, ok := q.enter(now); !ok || wait != want {
			t.Errorf("message %d: %v, %v", i, wait, ok)
		}
	}
	if _, ok := q.enter(now); ok {
		t.Error("a fourth was taken")
	}
	if wait, ok := q.enter(now.Add(time.Second)); !ok || wait != time.Second || q.deepest() != 3 {
		t.Errorf("a second later: %v, %v, deepest %d", wait, ok, q.deepest())
	}
}
