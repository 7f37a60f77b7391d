package sms

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
)

// The policy as it was decided, written down a second time, so that neither
// list can change alone.
var decided = map[channels.Fault][]int{
	channels.FaultProvider:  {20003, 20404, 21212, 21408, 21603, 21606, 21609, 21659, 21701, 21703, 30002},
	channels.FaultThrottled: {14107, 20429, 21611, 30001},
	channels.FaultAddress:   {21211, 21604, 21610, 21614, 30006},
	channels.FaultContent:   {21602, 21617, 30007},
	channels.FaultTransient: {21612, 30003, 30005, 30008, 30036},
	channels.FaultAmbiguous: {20500, 20503},
}

func TestPoliciesAreAsDecided(t *testing.T) {
	t.Parallel()
	want := map[int]channels.Fault{}
	for fault, codes := range decided {
		for _, code := range codes {
			want[code] = fault
		}
	}
	got := map[int]channels.Fault{}
	for code, p := range policies {
		got[code] = p.Fault
		if p.Account != (code == 20003 || code == 30002) {
			t.Errorf("code %d is about the account: %v", code, p.Account)
		}
		waits := code == 30003 || code == 30005
		if waits != (p.Wait == 10*time.Minute) || !waits && p.Wait != 0 {
			t.Errorf("code %d waits %v", code, p.Wait)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies differ from what was decided (-want +got):\n%s", diff)
	}
}

func TestEveryFaultHasARow(t *testing.T) {
	t.Parallel()
	seen := map[channels.Fault]bool{}
	for _, p := range policies {
		seen[p.Fault] = true
	}
	for _, f := range channels.AllFaults() {
		if !seen[f] {
			t.Errorf("no code means %v", f)
		}
	}
}

// A code is not believed over a status that says the message may be queued.
func TestServerErrorsAreAmbiguousWhateverTheCode(t *testing.T) {
	t.Parallel()
	for code := range policies {
		for _, status := range []int{200, 302, 408, 500, 502, 503, 504} {
			if f := classify(status, code).Fault; f != channels.FaultAmbiguous {
				t.Errorf("status %d with code %d is %v", status, code, f)
			}
		}
		if f := classify(http.StatusTooManyRequests, code).Fault; f != channels.FaultThrottled {
			t.Errorf("429 with code %d is %v", code, f)
		}
	}
}

func TestEveryCodeInACallback(t *testing.T) {
	t.Parallel()
	s := openSender(t, section("http://127.0.0.1:1"), deps("http://127.0.0.1:1"))
	for _, status := range []string{"failed", "undelivered", "canceled"} {
		for code, p := range policies {
			form := url.Values{"MessageStatus": {status}, "ErrorCode": {fmt.Sprint(code)}, "MessageSid": {sidText}}
			r, err := s.receipt("ref", []byte(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.At = time.Time{}
			want := channels.Receipt{
				Kind: channels.SMS, Ref: "ref", Outcome: channels.Failed, Fault: p.Fault,
				Code: fmt.Sprint(code), RetryAfter: p.Wait, ProviderRef: sidText,
			}
			if diff := cmp.Diff(want, r); diff != "" {
				t.Errorf("%s with code %d (-want +got):\n%s", status, code, diff)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 9, 7, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0,
		"99999999": maxRetryAfter, "99999999999999999999": 0,
		"Sat, 07 Sep 2024 12:00:30 GMT": 30 * time.Second,
		"Sat, 07 Sep 2024 11:00:00 GMT": 0,
		"Sun, 08 Sep 2024 12:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("Retry-After %q: %v, want %v", header, got, want)
		}
	}
}

// What says that no message would be taken says so with and without a code.
func TestRefusedCredentialsAreTheAccounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, code int
		account      bool
	}{{401, 20003, true}, {401, 0, true}, {403, 20003, true}, {403, 0, false}, {404, 20404, false}, {400, 21606, false}, {500, 20003, false}} {
		if p := classify(c.status, c.code); p.Account != c.account {
			t.Errorf("%d with %d: %+v", c.status, c.code, p)
		}
	}
}
