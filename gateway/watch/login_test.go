package watch

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"loa/channels"
)

// account is a provider that can be asked about our account.
type account struct {
	mu    sync.Mutex
	err   error
	asked int
}

func (a *account) check(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return a.err
}

func (a *account) is(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
}

func (a *account) times() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

// Credentials that are revoked are found within the period without a send, told
// once as long as they are, though the engine finds the same, and their return
// is told; a provider that once does not answer wakes nobody, and one that is asked
// too often tells nothing.
func TestLogins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const part = "provider/sms/twilio"
		a := &account{}
		engine := Fine(part)
		var mu sync.Mutex
		w := newWatch(Options{
			Logins: []Login{{Part: part, Provider: "twilio", Check: a.check}},
			Probes: []Probe{func(context.Context) []Part {
				mu.Lock()
				defer mu.Unlock()
				return []Part{engine}
			}},
		})
		var pages []Page
		look := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(lookEvery) {
				pages = append(pages, w.pager.Step(time.Now(), w.Look(t.Context()))...)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go w.logins[0].run(ctx)
		look(time.Hour)
		if n := a.times(); n < 12 || n > 13 || len(pages) > 0 {
			t.Fatalf("in an hour asked %d times, %d pages", n, len(pages))
		}
		a.is(&channels.Error{Fault: channels.FaultTransient})
		for n := a.times(); a.times() == n; {
			look(lookEvery)
		}
		a.is(nil)
		look(loginEvery)
		if len(pages) > 0 {
			t.Fatalf("for one missing answer: %+v", pages)
		}

		throttled := &channels.Error{Fault: channels.FaultThrottled, Code: "20429"}
		a.is(throttled)
		n := a.times()
		look(time.Hour)
		if n = a.times() - n; n < 11 || n > 13 || len(pages) > 0 {
			t.Fatalf("throttled for an hour: asked %d times, %+v", n, pages)
		}

		a.is(&channels.Error{Fault: channels.FaultProvider, Code: "401"})
		began := time.Now()
		look(loginEvery + lookEvery)
		mu.Lock()
		engine = Fault(part, ProviderDown, "twilio refuses our account (401): nothing goes out through it.")
		mu.Unlock()
		look(45 * time.Minute)
		if len(pages) != 1 || pages[0].Cause != ProviderDown || pages[0].Resolved || pages[0].At.Sub(began) > loginEvery+lookEvery || pages[0].Parts[0].Part != part {
			t.Fatalf("revoked: %+v", pages)
		}
		a.is(throttled)
		if look(10 * loginAgain); len(pages) != 1 {
			t.Fatalf("revoked, then throttled: %+v", pages)
		}
		a.is(nil)
		mu.Lock()
		engine = Fine(part)
		mu.Unlock()
		look(loginAgain + Settle + 2*lookEvery)
		if len(pages) != 2 || !pages[1].Resolved {
			t.Fatalf("given back: %+v", pages)
		}

		a.is(errors.New("nobody answers"))
		look(loginEvery + loginAgain + settling + 2*lookEvery)
		if len(pages) != 3 || pages[2].Cause != BreakerOpen {
			t.Errorf("a provider that stays silent: %+v", pages)
		}
		cancel()
		synctest.Wait()
	})
}

// Run asks, and what it is told is on the board and in the notifications.
func TestRunProvesLogins(t *testing.T) {
	t.Parallel()
	told := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }))
	defer server.Close()
	a := &account{err: &channels.Error{Fault: channels.FaultProvider, Code: "20003"}}
	w := newWatch(Options{Origin: server.URL, Webhooks: []Webhook{{URL: channels.Secret(server.URL)}}, Logins: []Login{{Part: "provider/sms/twilio", Provider: "twilio", Check: a.check}}})
	stop := run(t, w)
	select {
	case <-told:
	case <-time.After(30 * time.Second):
		t.Error("nobody was told")
	}
	if x := stateOf(t, w, "provider/sms/twilio"); x.State != Bad || x.Cause != ProviderDown {
		t.Errorf("%+v", x)
	}
	stop()
}
