package webpush

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
	"loa/channels/channelstest"
)

func statusOnly(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// Not parallel: the suite looks for goroutines left behind.
func TestVerify(t *testing.T) {
	key := testKey(t)
	var count atomic.Int64
	var faults []channelstest.Case
	for status, want := range map[int]channels.Fault{
		400: channels.FaultTransient, 401: channels.FaultProvider, 403: channels.FaultProvider,
		404: channels.FaultAddress, 410: channels.FaultAddress, 413: channels.FaultContent,
	} {
		faults = append(faults, channelstest.Case{Name: fmt.Sprint(status), Answer: statusOnly(status), Want: want, Code: fmt.Sprint(status)})
	}
	faults = append(faults, channelstest.Case{Name: http.StatusText(http.StatusServiceUnavailable), Answer: statusOnly(http.StatusServiceUnavailable), Want: channels.FaultTransient, Code: "503"})
	channelstest.Verify(t, channelstest.Config{
		Kind: channels.WebPush,
		Open: func(t testing.TB, p channelstest.Provider) channels.Sender {
			s, err := Open(Config{Subject: "mailto:truc-ban@example.vn", PrivateKey: key, ConnectTimeout: p.Timeout, Timeout: p.Timeout}, p.Deps())
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Message: func(_ testing.TB, origin string) channels.Message {
			m := message(channels.Address(doc(fmt.Sprintf("%s/push/secret-%d", origin, count.Add(1)), goodPoint, goodAuth)))
			m.Expires = time.Now().Add(time.Hour)
			return m
		},
		Accept:        statusOnly(http.StatusCreated),
		Faults:        faults,
		ServerError:   channels.FaultAmbiguous,
		Redirect:      channels.FaultTransient,
		StatusIsProof: true,
		Secrets:       []string{key.Reveal()},
		Private: func(channels.Message) []string {
			return []string{"/push/secret", goodAuth, goodPoint, "vapid t="}
		},
	})
}
