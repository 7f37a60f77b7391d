package sms_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
	"loa/channels/sms"
	"loa/channels/sms/standin"
)

// What Lookup says of an answer that left it open is what the carrier's books
// say.
func TestLookupAgreesWithTheBooks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault standin.Fault
		taken bool
	}{
		{standin.FaultHang, true}, {standin.FaultError, true}, {standin.FaultCut, true}, {standin.FaultSlow, true},
		{standin.FaultOutage, false},
	} {
		for _, delay := range []time.Duration{0, time.Hour} { // reported at once, or still queued
			t.Run(fmt.Sprintf("%s, reported after %v", c.fault, delay), func(t *testing.T) {
				t.Parallel()
				carrier, origin := serve(t, standin.Options{
					AccountSID: sms.Account, AuthToken: sms.Token, Fault: c.fault, Share: 1,
					Callbacks: standin.Callbacks{Delay: delay},
				}, nil)
				s := sms.OpenSender(t, sms.Section(origin, "timeout: 1s"), sms.DepsAt(origin))
				m, started := sms.NewMessage(t, ""), time.Now()
				if _, err := s.Send(t.Context(), m); err == nil || channels.AsError(err).Fault != channels.FaultAmbiguous {
					t.Fatalf("send: %v, want an ambiguous answer", err)
				}
				if carrier.Stats().Broken != 1 {
					t.Fatal("the fault did not happen")
				}
				carrier.Break(standin.FaultNone, 0)
				r, err := s.Lookup(t.Context(), m, started)
				if err != nil {
					t.Fatal(err)
				}
				if (r != nil) != c.taken || carrier.Books().Len() == 0 == c.taken {
					t.Fatalf("receipt is %+v, the books hold %d", r, carrier.Books().Len())
				}
				if r == nil {
					return
				}
				want := channels.Delivered
				if delay > 0 {
					want = channels.Accepted
				}
				if e, _ := carrier.Books().Find(r.ProviderRef); r.Ref != m.Ref || r.Outcome != want || r.Kind != channels.SMS || e.Ref != m.Ref {
					t.Errorf("receipt is %+v, the books say %+v", r, e)
				}
			})
		}
	}
}

// A message is the one asked for only when number, text and time agree.
func TestLookupMatches(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 9, 7, 13, 0, 0, 5e8, time.UTC)
	clock := &atomic.Int64{}
	clock.Store(now.UnixNano())
	var asks channels.Lookup
	carrier, origin := serve(t, standin.Options{
		AccountSID: sms.Account, AuthToken: sms.Token, Now: func() time.Time { return time.Unix(0, clock.Load()) },
	}, nil)
	d := sms.DepsAt(origin)
	d.Now = func() time.Time { return now }
	s := sms.OpenSender(t, sms.Section(origin), d)
	asks = s
	m := sms.NewMessage(t, "")
	m.Expires = now.Add(time.Hour)
	if _, err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*channels.Message)
		since  time.Time
		found  bool
	}{
		"the same":                {nil, now, true},
		"asked within the second": {nil, now.Add(400 * time.Millisecond), true},
		"our clock ahead":         {nil, now.Add(4 * time.Second), true},
		"an earlier copy":         {nil, now.Add(20 * time.Second), false},
		"another number":          {func(m *channels.Message) { m.To = "+84912000999" }, now, false},
		"another text":            {func(m *channels.Message) { m.Body = append([]byte("! "), m.Body...) }, now, false},
	} {
		ask := m
		if c.change != nil {
			c.change(&ask)
		}
		if r, err := asks.Lookup(t.Context(), ask, c.since); err != nil || (r != nil) != c.found {
			t.Errorf("%s: receipt %+v, %v", name, r, err)
		}
	}
	fill := func(n int) {
		for i := range n {
			other := m
			other.Body = fmt.Appendf(nil, "Bản tin số %d", i)
			if _, err := s.Send(t.Context(), other); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(60)
	if r, err := s.Lookup(t.Context(), m, now); err != nil || r == nil {
		t.Errorf("on the second page: %+v, %v", r, err)
	}
	ask := m
	ask.Body = []byte("never sent")
	if r, err := s.Lookup(t.Context(), ask, now); err != nil || r != nil {
		t.Errorf("not in two whole pages: %+v, %v", r, err)
	}
	fill(200)
	if r, err := s.Lookup(t.Context(), ask, now); err == nil {
		t.Errorf("a list that was not read whole proves %+v", r)
	}
	clock.Store(now.Add(time.Hour).UnixNano())
	fill(60)
	if r, err := s.Lookup(t.Context(), ask, now.Add(time.Hour)); err != nil || r != nil {
		t.Errorf("all that is left is older: %+v, %v", r, err)
	}
	if carrier.Books().Len() != 321 {
		t.Errorf("%d in the books: the pages were not as long as meant", carrier.Books().Len())
	}
}

// A carrier that took the message and failed it says why.
func TestLookupOfAFailedMessage(t *testing.T) {
	t.Parallel()
	_, origin := serve(t, standin.Options{AccountSID: sms.Account, AuthToken: sms.Token, Templates: []string{"other"}}, nil)
	s := sms.OpenSender(t, sms.Section(origin), sms.DepsAt(origin))
	m, started := sms.NewMessage(t, ""), time.Now()
	if _, err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	r, err := s.Lookup(t.Context(), m, started)
	if err != nil || r == nil || r.Outcome != channels.Failed || r.Fault != channels.FaultContent || r.Code != "30007" {
		t.Errorf("receipt is %+v, %v", r, err)
	}
}

// An answer that is no list, or one that cannot be read, proves nothing.
func TestLookupErrors(t *testing.T) {
	t.Parallel()
	entry := func(change string) string {
		return `{"messages":[{"sid":"` + sms.SIDText + `","status":"sent","to":"+84910000001","body":"x",` + change + `}]}`
	}
	for name, answer := range map[string]http.HandlerFunc{
		"revoked":       sms.RefusalOf(http.StatusUnauthorized, 20003),
		"broken":        sms.RefusalOf(http.StatusInternalServerError, 20500),
		"no list":       sms.Answer(http.StatusOK, map[string]any{}),
		"null":          sms.Answer(http.StatusOK, nil),
		"HTML":          plain("<!doctype html>"),
		"no date":       plain(entry(`"date_created":null`)),
		"date unknown":  plain(entry(`"date_created":"yesterday"`)),
		"cut":           plain(`{"messages":[{"sid":"SM`),
		"over the size": plain(`{"messages":[],"x":"` + strings.Repeat("x", 2<<20) + `"}`),
		"endless pages": func(w http.ResponseWriter, r *http.Request) {
			plain(strings.Replace(entry(`"date_created":"Sat, 07 Sep 2090 13:00:00 +0000"`), `{"messages"`, `{"next_page_uri":"/x?Page=1&PageToken=y","messages"`, 1))(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			carrier := listen(t, answer)
			s := sms.OpenSender(t, sms.Section(carrier), sms.DepsAt(carrier))
			m := sms.NewMessage(t, "")
			r, err := s.Lookup(t.Context(), m, time.Now())
			if err == nil || r != nil {
				t.Fatalf("receipt is %+v, %v", r, err)
			}
			for _, word := range []string{m.To.Reveal(), m.To.Reveal()[1:], sms.Token, string(m.Body)} {
				if strings.Contains(err.Error(), word) {
					t.Error("the error holds the number, the text or a secret")
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	carrier := listen(t, plain(`{"messages":[]}`))
	s := sms.OpenSender(t, sms.Section(carrier), sms.DepsAt(carrier))
	if r, err := s.Lookup(ctx, sms.NewMessage(t, ""), time.Now()); err == nil {
		t.Errorf("a cancelled look proves %+v", r)
	}
	if r, err := s.Lookup(t.Context(), sms.NewMessage(t, ""), time.Now()); err != nil || r != nil {
		t.Errorf("an empty list: %+v, %v", r, err)
	}
}

func listen(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func plain(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text)) // the driver may have hung up
	}
}
