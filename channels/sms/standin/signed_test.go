package standin_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twilio/twilio-go/client"

	"loa/channels/sms/standin"
)

const (
	sid   = "AC00112233445566778899aabbccddeeff"
	token = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

// Twilio's own validator takes every signature, and the books keep the
// references the callbacks went to.
func TestCallbacksAreSigned(t *testing.T) {
	t.Parallel()
	validator := client.NewRequestValidator(token)
	var target string
	var statuses []string // one worker calls: no lock is needed
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if !validator.ValidateBody(target+r.URL.RequestURI(), body, r.Header.Get("X-Twilio-Signature")) {
			t.Errorf("the signature for %s is not Twilio's", r.URL.RequestURI())
		}
		f, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		statuses = append(statuses, f.Get("MessageStatus")+f.Get("ErrorCode"))
	}))
	t.Cleanup(gateway.Close)
	target = gateway.URL
	c, err := standin.New(standin.Options{
		AccountSID: sid, AuthToken: token, Templates: []string{"Bão số 3"}, Callbacks: standin.Callbacks{Workers: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range [][2]string{
		{target + "/channels/twilio/callback/812.1.1", "Bão số 3"}, {target + "/c/a%2Fb%3F", "Bão số 3"},
		{target + "/c/%E1%BB%AF?q=1", "Bão số 3"}, {target + "/c/4", "unregistered"}, {"", "Bão số 3"},
	} {
		f := url.Values{"To": {"+84912345678"}, "From": {"+84901234567"}, "Body": {m[1]}}
		if m[0] != "" {
			f.Set("StatusCallback", m[0])
		}
		r := httptest.NewRequest(http.MethodPost, "/2010-04-01/Accounts/"+sid+"/Messages.json", strings.NewReader(f.Encode()))
		r.SetBasicAuth(sid, token)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			t.Fatalf("answered %d", w.Code)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	want := []string{"sent", "delivered", "sent", "delivered", "sent", "delivered", "sent", "undelivered30007"}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if n := c.Stats().Called; n != 8 {
		t.Errorf("%d callbacks counted", n)
	}
	var refs []string
	for e := range c.Books().All() {
		refs = append(refs, e.Ref)
	}
	if diff := cmp.Diff([]string{"812.1.1", "a/b?", "ữ", "4", ""}, refs); diff != "" {
		t.Errorf("refs in the books (-want +got):\n%s", diff)
	}
}
