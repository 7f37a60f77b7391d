package sms_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"loa/channels"
	"loa/channels/sms"
	"loa/channels/sms/standin"
)

// serve runs a stand-in until the test ends and returns its origin.
func serve(t *testing.T, opt standin.Options, change func(*standin.Options)) (*standin.Carrier, string) {
	t.Helper()
	if change != nil {
		change(&opt)
	}
	c, err := standin.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return c, server.URL
}

// ledger keeps what comes back, by reference.
type ledger struct {
	mu   sync.Mutex
	best map[string]channels.Receipt
	seen int
}

func (l *ledger) sink(_ context.Context, rs ...channels.Receipt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rs {
		l.seen++
		if old, ok := l.best[r.Ref]; !ok || old.Outcome == channels.Accepted {
			l.best[r.Ref] = r
		}
	}
	return nil
}

// Messages go out through the driver, callbacks come back through its handler,
// and at the end both sides' records are the same, message by message.
func TestBooksAgree(t *testing.T) {
	t.Parallel()
	l := &ledger{best: map[string]channels.Receipt{}}
	mux := http.NewServeMux()
	gateway := httptest.NewServer(mux)
	t.Cleanup(gateway.Close)
	const seed, bad, sends = 7, 0.3, 600
	carrier, origin := serve(t, standin.Options{
		AccountSID: sms.Account, AuthToken: sms.Token, Seed: seed, Bad: bad,
		Callbacks: standin.Callbacks{Chaos: true, Workers: 4},
	}, nil)
	d := sms.DepsAt(origin)
	d.Sink, d.Public = l.sink, gateway.URL
	s := sms.OpenSender(t, sms.Section(origin), d)
	mux.Handle("/channels/twilio/", http.StripPrefix("/channels/twilio", s.Handler()))

	var mu sync.Mutex
	taken := map[string]string{} // our reference to theirs
	refused := map[string]int{}
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range sends {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			m := sms.NewMessage(t, "")
			m.Ref, m.To = fmt.Sprintf("b.%d.1", i), channels.Address(fmt.Sprintf("+84961%06d", i))
			ack, err := s.Send(t.Context(), m)
			mu.Lock()
			defer mu.Unlock()
			var e *channels.Error
			switch {
			case err == nil:
				taken[m.Ref] = ack.ProviderRef
			case errors.As(err, &e) && e.Fault == channels.FaultAddress:
				refused[e.Code]++
			default:
				t.Errorf("send: %v", err)
			}
		})
	}
	all.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := carrier.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	codes := map[int]string{30003: "30003", 30005: "30005", 30006: "30006", 30008: "30008"}
	entries := 0
	for e := range carrier.Books().All() {
		entries++
		if taken[e.Ref] != e.SID {
			t.Errorf("their %s is our %s", e.SID, taken[e.Ref])
		}
		r := l.best[e.Ref]
		want := channels.Delivered
		if e.Status != "delivered" {
			want = channels.Failed
		}
		if r.Outcome != want || r.Code != codes[e.Code] || r.ProviderRef != e.SID {
			t.Errorf("books say %s %d, the receipt %v %s", e.Status, e.Code, r.Outcome, r.Code)
		}
	}
	if entries != len(taken) || entries != len(l.best) {
		t.Errorf("books hold %d, acknowledged %d, receipts for %d", entries, len(taken), len(l.best))
	}
	if l.seen < 2*entries {
		t.Errorf("%d receipts of %d messages: chaos and both statuses were expected", l.seen, entries)
	}
	for _, code := range []string{"21211", "21610", "21614"} {
		if refused[code] == 0 {
			t.Errorf("no number was refused with %s", code)
		}
	}
	if n := entries + refused["21211"] + refused["21610"] + refused["21614"]; n != sends {
		t.Errorf("%d messages are accounted for, %d were sent", n, sends)
	}
}

// Each way a carrier can break is told for what it is, and the carrier's books
// say whether the message was taken.
func TestCarrierFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*standin.Options)
		want   channels.Fault
		taken  int
	}{
		"hangs":        {func(o *standin.Options) { o.Fault = standin.FaultHang }, channels.FaultAmbiguous, 1},
		"breaks":       {func(o *standin.Options) { o.Fault = standin.FaultError }, channels.FaultAmbiguous, 1},
		"cuts":         {func(o *standin.Options) { o.Fault = standin.FaultCut }, channels.FaultAmbiguous, 1},
		"drips":        {func(o *standin.Options) { o.Fault = standin.FaultSlow }, channels.FaultAmbiguous, 1},
		"is down":      {func(o *standin.Options) { o.Fault = standin.FaultOutage }, channels.FaultAmbiguous, 0},
		"revokes":      {func(o *standin.Options) { o.Fault = standin.FaultRevoked }, channels.FaultProvider, 0},
		"unregistered": {func(o *standin.Options) { o.Templates = []string{"no such text"}; o.RefuseAtCreation = true }, channels.FaultContent, 0},
		"throttles": {func(o *standin.Options) {
			o.Rate, o.Burst, o.RetryAfter = 0.001, 1, 3*time.Second
			o.Now = func() time.Time { return time.Unix(1e9, 0) }
		}, channels.FaultThrottled, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			carrier, origin := serve(t, standin.Options{AccountSID: sms.Account, AuthToken: sms.Token, Share: 1}, c.change)
			s := sms.OpenSender(t, sms.Section(origin, "timeout: 1s"), sms.DepsAt(origin))
			d := sms.NewMessage(t, "")
			if name == "throttles" {
				if _, err := s.Send(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
			_, err := s.Send(t.Context(), sms.NewMessage(t, ""))
			e := channels.AsError(err)
			if err == nil || e.Fault != c.want {
				t.Fatalf("error is %v, want %v", err, c.want)
			}
			if name == "throttles" && e.RetryAfter != 3*time.Second {
				t.Errorf("retry after %v", e.RetryAfter)
			}
			if n := carrier.Books().Len(); n != c.taken {
				t.Errorf("%d entries in the books, want %d", n, c.taken)
			}
			st := carrier.Stats()
			if st.Broken+st.Throttled+st.Refused != 1 {
				t.Errorf("the fault did not happen once: %+v", st)
			}
		})
	}
}

func TestCheckCredentials(t *testing.T) {
	t.Parallel()
	carrier, origin := serve(t, standin.Options{AccountSID: sms.Account, AuthToken: sms.Token}, nil)
	good := sms.OpenSender(t, sms.Section(origin), sms.DepsAt(origin))
	if err := good.Check(t.Context()); err != nil {
		t.Errorf("good credentials: %v", err)
	}
	carrier.Break(standin.FaultRevoked, 1)
	err := good.Check(t.Context())
	if e := channels.AsError(err); err == nil || e.Fault != channels.FaultProvider || e.Code != "20003" {
		t.Errorf("revoked credentials: %v", err)
	}
	if carrier.Stats().Requests != 0 {
		t.Error("checking credentials tried to send")
	}
}
