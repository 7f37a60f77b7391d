package webpush

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
	"loa/channels/webpush/standin"
)

func TestAnswersOfAPushService(t *testing.T) {
	t.Parallel()
	date := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		status     int
		retryAfter string
		fault      channels.Fault
		least      time.Duration // of RetryAfter
		most       time.Duration
	}{
		{status: 400, fault: channels.FaultTransient},
		{status: 401, fault: channels.FaultProvider},
		{status: 403, fault: channels.FaultProvider},
		{status: 404, fault: channels.FaultAddress},
		{status: 410, fault: channels.FaultAddress},
		{status: 413, fault: channels.FaultContent},
		{status: 418, fault: channels.FaultTransient},
		{status: 429, fault: channels.FaultThrottled},
		{status: 429, retryAfter: "7", fault: channels.FaultThrottled, least: 7 * time.Second, most: 7 * time.Second},
		{status: 429, retryAfter: date, fault: channels.FaultThrottled, least: 60 * time.Second, most: 90 * time.Second},
		{status: 429, retryAfter: "-1", fault: channels.FaultThrottled, least: time.Second, most: time.Second},
		{status: 429, retryAfter: "1000000000", fault: channels.FaultThrottled, least: 5 * time.Minute, most: 5 * time.Minute},
		{status: 429, retryAfter: "Thu, 01 Jan 1970 00:00:00 GMT", fault: channels.FaultThrottled, least: time.Second, most: time.Second},
		{status: 429, retryAfter: "NaN", fault: channels.FaultThrottled},
		{status: 429, retryAfter: "soon", fault: channels.FaultThrottled},
		{status: 500, fault: channels.FaultAmbiguous},
		{status: 502, fault: channels.FaultAmbiguous},
		{status: 503, fault: channels.FaultTransient},
		{status: 503, retryAfter: "30", fault: channels.FaultTransient, least: 30 * time.Second, most: 30 * time.Second},
		{status: 504, fault: channels.FaultAmbiguous},
		{status: 200, fault: channels.FaultAmbiguous},
		{status: 301, fault: channels.FaultTransient},
		{status: 307, fault: channels.FaultTransient},
	} {
		t.Run(fmt.Sprint(c.status, c.retryAfter), func(t *testing.T) {
			t.Parallel()
			svc, base := service(t, standin.Options{})
			svc.SetFaults(standin.Faults{Status: c.status, RetryAfter: c.retryAfter})
			ack, e := send(t, openFor(t, base, nil), message(address(t, svc, base, 1)))
			if e == nil {
				t.Fatalf("accepted as %v", ack)
			}
			if e.Fault != c.fault || e.Code != fmt.Sprint(c.status) || e.RetryAfter < c.least || e.RetryAfter > c.most {
				t.Errorf("fault %v, code %q, wait %v", e.Fault, e.Code, e.RetryAfter)
			}
			if got := svc.Counts()[c.status]; got != 1 {
				t.Errorf("service answered %d %d times, want once", c.status, got)
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	svc, base := service(t, standin.Options{})
	s := openFor(t, base, nil)
	if s.Live() {
		t.Error("a sender that is held to one origin reaches nobody real")
	}
	m := message(address(t, svc, base, 7))
	m.Expires = time.Now().Add(90 * time.Minute)
	ack, e := send(t, s, m)
	if e != nil || ack != (channels.Ack{Outcome: channels.Accepted}) {
		t.Fatalf("%v, %v", ack, e)
	}
	for entry := range svc.Books() {
		if entry.Subscription != 7 || entry.Alert != m.Alert || entry.Revision != 1 || entry.Urgency != "high" ||
			entry.TTL > 90*time.Minute || entry.TTL < 89*time.Minute || len(entry.Topic) != 32 {
			t.Errorf("books: %+v", entry)
		}
	}
}

// An update replaces what a sleeping device has not fetched; another alert does not.
func TestTopicFoldsRevisions(t *testing.T) {
	t.Parallel()
	svc, base := service(t, standin.Options{})
	s := openFor(t, base, nil)
	m := message(address(t, svc, base, 0))
	for _, v := range []struct {
		alert    string
		revision int
	}{{"a", 1}, {"a", 2}, {"b", 1}} {
		m.Alert, m.Revision = v.alert, v.revision
		m.Body = fmt.Appendf(nil, `{"alert":%q,"revision":%d}`, v.alert, v.revision)
		m.Urgent = false
		if _, e := send(t, s, m); e != nil {
			t.Fatal(e)
		}
	}
	got := map[string]int{}
	for _, e := range svc.Fetch(0) {
		got[e.Alert] = e.Revision
		if e.Urgency != "normal" {
			t.Errorf("urgency %q for a message that may not wake a device", e.Urgency)
		}
	}
	if len(got) != 2 || got["a"] != 2 || got["b"] != 1 {
		t.Errorf("device fetches %v", got)
	}
}

func TestRefusedBeforeTheWire(t *testing.T) {
	t.Parallel()
	svc, base := service(t, standin.Options{})
	s := openFor(t, base, nil)
	good := message(address(t, svc, base, 0))
	for name, c := range map[string]struct {
		change func(*channels.Message)
		fault  channels.Fault
	}{
		"no status":     {func(m *channels.Message) { m.Status = channels.StatusUnset }, channels.FaultContent},
		"empty body":    {func(m *channels.Message) { m.Body = nil }, channels.FaultContent},
		"body too long": {func(m *channels.Message) { m.Body = make([]byte, MaxBody+1) }, channels.FaultContent},
		"expired":       {func(m *channels.Message) { m.Expires = time.Now() }, channels.FaultTransient},
		"no expiry":     {func(m *channels.Message) { m.Expires = time.Time{} }, channels.FaultTransient},
		"no address":    {func(m *channels.Message) { m.To = "" }, channels.FaultAddress},
		"somebody else's": {func(m *channels.Message) {
			m.To = channels.Address(doc("https://fcm.googleapis.com/x", goodPoint, goodAuth))
		}, channels.FaultAddress},
		"broken p256dh": {func(m *channels.Message) { m.To = channels.Address(doc(base+"/push/x", "AAAA", goodAuth)) }, channels.FaultAddress},
	} {
		m := good
		c.change(&m)
		if _, e := send(t, s, m); e == nil || e.Fault != c.fault {
			t.Errorf("%s: %v, want %v", name, e, c.fault)
		}
	}
	if n := svc.Counts(); len(n) != 0 {
		t.Errorf("the service was asked: %v", n)
	}
}

// What fails before a byte of the body is taken was certainly not accepted;
// what fails after may have been.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	svc, base := service(t, standin.Options{})
	to := address(t, svc, base, 0)

	t.Run("cut after taking", func(t *testing.T) {
		t.Parallel()
		svc, base := service(t, standin.Options{})
		svc.SetFaults(standin.Faults{Cut: true})
		_, e := send(t, openFor(t, base, nil), message(address(t, svc, base, 0)))
		if e == nil || e.Fault != channels.FaultAmbiguous {
			t.Errorf("%v, want ambiguous", e)
		}
		n := 0
		for range svc.Books() {
			n++
		}
		if n != 1 {
			t.Errorf("the fault did not happen: %d messages taken", n)
		}
	})
	t.Run("no answer in time", func(t *testing.T) {
		t.Parallel()
		svc, base := service(t, standin.Options{})
		svc.SetFaults(standin.Faults{Delay: time.Minute})
		s := openFor(t, base, func(c *Config) { c.ConnectTimeout, c.Timeout = 50*time.Millisecond, 50*time.Millisecond })
		if _, e := send(t, s, message(address(t, svc, base, 0))); e == nil || e.Fault != channels.FaultAmbiguous {
			t.Errorf("%v, want ambiguous", e)
		}
	})
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		origin := "http://" + l.Addr().String()
		_ = l.Close()
		m := message(channels.Address(strings.ReplaceAll(to.Reveal(), base, origin)))
		if _, e := send(t, openFor(t, origin, nil), m); e == nil || e.Fault != channels.FaultTransient {
			t.Errorf("%v, want transient", e)
		}
	})
	t.Run("call cancelled before it began", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := openFor(t, base, nil).Send(ctx, message(to))
		if e := channels.AsError(err); e == nil || e.Fault != channels.FaultTransient {
			t.Errorf("%v, want transient", e)
		}
	})
	t.Run("certificate of an unknown issuer", func(t *testing.T) {
		t.Parallel()
		var calls atomic.Int32
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		srv.StartTLS()
		defer srv.Close()
		m := message(channels.Address(strings.ReplaceAll(to.Reveal(), base, srv.URL)))
		if _, e := send(t, openFor(t, srv.URL, nil), m); e == nil || e.Fault != channels.FaultTransient {
			t.Errorf("%v, want transient", e)
		}
		if calls.Load() != 0 {
			t.Error("something was sent to a service that could not prove itself")
		}
	})
}

// Hostile answers end within the call's limit and are never read whole.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	var redirected atomic.Int32
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { redirected.Add(1) }))
	defer trap.Close()
	var sent atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/push/endless", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		for buf := make([]byte, 32<<10); ; {
			n, err := w.Write(buf)
			sent.Add(int64(n))
			if err != nil || r.Context().Err() != nil {
				return
			}
		}
	})
	mux.HandleFunc("/push/drip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusGone)
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	mux.HandleFunc("/push/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, trap.URL+"/push/x", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/push/headers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Filler", strings.Repeat("a", 64<<10))
		w.WriteHeader(http.StatusCreated)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	s := openFor(t, srv.URL, func(c *Config) { c.ConnectTimeout, c.Timeout = 300*time.Millisecond, 300*time.Millisecond })
	for path, want := range map[string]string{
		"endless": "accepted", "drip": "address", "redirect": "transient", "headers": "ambiguous",
	} {
		ack, e := send(t, s, message(channels.Address(doc(srv.URL+"/push/"+path, goodPoint, goodAuth))))
		got := ack.Outcome.String()
		if e != nil {
			got = e.Fault.String()
		}
		if got != want {
			t.Errorf("%s: %s (%v), want %s", path, got, e, want)
		}
	}
	if redirected.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if n := sent.Load(); n > 16<<20 {
		t.Errorf("%d bytes of an endless answer were taken", n)
	}
}

func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	svc, base := service(t, standin.Options{})
	key := testKey(t)
	s := openFor(t, base, func(c *Config) {
		c.PrivateKey, c.ConnectTimeout, c.Timeout = key, 50*time.Millisecond, 50*time.Millisecond
	})
	m := message(address(t, svc, base, 0))
	sub, err := s.Parse(m.To.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []standin.Faults{{Status: 404}, {Status: 500}, {Status: 403}, {Cut: true}, {Delay: time.Minute}} {
		svc.SetFaults(f)
		_, e := send(t, s, m)
		if e == nil {
			t.Fatalf("%+v: no error", f)
		}
		for _, secret := range []string{sub.Endpoint, sub.Endpoint[len(base):], b64.EncodeToString(sub.auth), b64.EncodeToString(sub.point), key.Reveal(), "vapid t="} {
			if text := fmt.Sprintf("%v %+v", e, e); strings.Contains(text, secret) {
				t.Errorf("%+v: error shows what it must not", f)
			}
		}
	}
	c := Config{PrivateKey: key}
	if text := fmt.Sprintf("%v %+v %#v %v %#v", c, c, c, s, s); strings.Contains(text, key.Reveal()) {
		t.Error("printed configuration or sender shows the private key")
	}
}

// A share of the crowd is gone, missing, refuses, throttles: only the gone
// are for removal, and everybody else is reached after at most one wait.
func TestCrowdWithFailures(t *testing.T) {
	t.Parallel()
	const n = 400
	svc, base := service(t, standin.Options{Seed: "crowd", Shares: standin.Shares{
		Gone: 0.20, Missing: 0.05, TooLarge: 0.02, Throttled: 0.10, Unavailable: 0.05}})
	s := openFor(t, base, nil)
	removed, content, waited := 0, 0, 0
	want := map[int]int{}
	for i := range n {
		want[svc.Fate(i)]++
		m := message(address(t, svc, base, i))
		_, e := send(t, s, m)
		if e != nil && (e.Fault == channels.FaultThrottled || e.Code == "503") {
			waited++
			if e.RetryAfter != time.Second {
				t.Errorf("waits %v, was told 1 s", e.RetryAfter)
			}
			_, e = send(t, s, m)
		}
		switch {
		case e == nil:
		case e.Fault == channels.FaultAddress:
			removed++
		case e.Fault == channels.FaultContent:
			content++
		default:
			t.Errorf("subscription %d: %v", i, e)
		}
	}
	if removed != want[410]+want[404] || content != want[413] || waited != want[429]+want[503] || removed < n/8 {
		t.Errorf("removed %d, content %d, waited %d; fates %v", removed, content, waited, want)
	}
	reached := map[int]int{}
	for e := range svc.Books() {
		reached[e.Subscription]++
	}
	if len(reached) != want[201]+want[429]+want[503] {
		t.Errorf("%d reached; fates %v", len(reached), want)
	}
	for i, k := range reached {
		if k != 1 {
			t.Errorf("subscription %d was given %d copies", i, k)
		}
	}
}

func TestTopicIsLawful(t *testing.T) {
	t.Parallel()
	of := func(alert, body string) string { return topic(channels.Message{Alert: alert, Body: []byte(body)}) }
	for _, alert := range []string{"", "a", strings.Repeat("x", 500), "cảnh báo / 1"} {
		for _, body := range []string{"", "{}", `{"tag":"bão"}`, `{"tag":"` + strings.Repeat("x", 33) + `"}`, `{"tag":7}`, `{"tag":"abc-_"}`} {
			got := of(alert, body)
			if _, err := b64.DecodeString(got); err != nil && got != "abc-_" || len(got) == 0 || len(got) > 32 {
				t.Errorf("topic of %q, %s is %q", alert, body, got)
			}
		}
	}
	if of("a", "{}") == of("b", "{}") {
		t.Error("two alerts fold into one topic")
	}
	if of("a", `{"tag":"x"}`) != of("b", `{"tag":"x"}`) || of("a", `{"tag":"x"}`) == of("a", `{"tag":"y"}`) {
		t.Error("what takes an alert's place does not fold into its topic")
	}
}
