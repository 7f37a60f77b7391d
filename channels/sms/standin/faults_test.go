package standin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
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
