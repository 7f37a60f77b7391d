package sms

import (
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	var got url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		got = r.PostForm
		if r.URL.Path != "/2010-04-01/Accounts/"+account+"/Messages.json" || r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("path %s, headers %v", r.URL.Path, r.Header)
		}
		if user, key, ok := r.BasicAuth(); !ok || user != account || key != token {
			t.Error("credentials are not ours")
		}
		accepted(w, r)
	}))
	t.Cleanup(server.Close)
	now := time.Date(2024, 9, 7, 13, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		section  string
		left     time.Duration
		from     url.Values
		validity int
	}{
		{section(server.URL), 90 * time.Second, url.Values{"From": {"+84901234567"}}, 90},
		{section(server.URL), 300 * time.Millisecond, url.Values{"From": {"+84901234567"}}, 1},
		{
			strings.Replace(section(server.URL), `from: "+84901234567"`, "messaging_service_sid: MG00112233445566778899aabbccddeeff", 1),
			48 * time.Hour, url.Values{"MessagingServiceSid": {"MG00112233445566778899aabbccddeeff"}}, 36000,
		},
	} {
		d := deps(server.URL)
		d.Now = func() time.Time { return now }
		s := openSender(t, c.section, d)
		ack, err := s.Send(t.Context(), channels.Message{
			Ref: "812.17.1/+", Status: channels.Actual, Expires: now.Add(c.left), To: "+84912345678", Body: []byte("Bão số 3"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if ack != (channels.Ack{Outcome: channels.Accepted, ProviderRef: sidText}) {
			t.Errorf("ack is %+v", ack)
		}
		want := url.Values{
			"To": {"+84912345678"}, "Body": {"Bão số 3"}, "ValidityPeriod": {strconv.Itoa(c.validity)},
			"StatusCallback": {"https://loa.example/channels/twilio/callback/812.17.1%2F+"},
		}
		maps.Copy(want, c.from)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
	}
}

// The pool is the concurrency: no more connections, and the same ones again.
func TestConnections(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	opened := map[net.Conn]bool{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(accepted))
	server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if state == http.StateNew {
			opened[c] = true
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s := openSender(t, section(server.URL, "concurrency: 4"), deps(server.URL))
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, err := s.Send(t.Context(), message(t, "")); err != nil {
				t.Errorf("send: %v", err)
			}
		})
	}
	all.Wait()
	mu.Lock()
	defer mu.Unlock()
	if len(opened) == 0 || len(opened) > 4 {
		t.Errorf("%d connections for a concurrency of 4", len(opened))
	}
}

// A setting of Twilio's library in the environment must not send our
// credentials elsewhere.
func TestEnvironmentChangesNothing(t *testing.T) {
	t.Setenv("TWILIO_EDGE", "ashburn")
	t.Setenv("TWILIO_REGION", "us1")
	server := httptest.NewServer(http.HandlerFunc(accepted))
	t.Cleanup(server.Close)
	s := openSender(t, section(server.URL), deps(server.URL))
	if _, err := s.Send(t.Context(), message(t, "")); err != nil {
		t.Errorf("send: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The transport looks for another connection only when nothing was written on
// the one before; when it then finds none, nothing was sent.
func TestConnectionLostBeforeWriting(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		again bool
		want  channels.Fault
	}{
		"looked for another": {true, channels.FaultTransient},
		"gave up on the one": {false, channels.FaultAmbiguous},
	} {
		s := openSender(t, section(local), deps(local))
		s.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			trace := httptrace.ContextClientTrace(r.Context())
			trace.GetConn("")
			trace.GotConn(httptrace.GotConnInfo{Reused: true})
			if c.again {
				trace.GetConn("")
			}
			return nil, syscall.ECONNREFUSED
		})
		if _, err := s.Send(t.Context(), message(t, "")); err == nil || channels.AsError(err).Fault != c.want {
			t.Errorf("%s: error is %v, want %v", name, err, c.want)
		}
	}
}
