package sms_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"loa/channels"
	"loa/channels/channelstest"
	"loa/channels/sms"
)

func TestDriverConforms(t *testing.T) {
	var table []channelstest.Case
	for code, p := range sms.Policies {
		status, wait := http.StatusBadRequest, p.Wait
		if p.Fault == channels.FaultThrottled {
			status = http.StatusTooManyRequests
		}
		table = append(table,
			channelstest.Case{Name: fmt.Sprintf("code %d", code), Answer: sms.RefusalOf(status, code), Want: p.Fault, Code: strconv.Itoa(code), RetryAfter: wait},
			channelstest.Case{Name: fmt.Sprintf("failed at once %d", code), Want: p.Fault, Code: strconv.Itoa(code), RetryAfter: wait,
				Answer: sms.Answer(http.StatusCreated, map[string]any{"sid": sms.SIDText, "status": "failed", "error_code": code})})
	}
	table = append(table,
		channelstest.Case{Name: "unknown code", Answer: sms.RefusalOf(400, 29999), Want: channels.FaultTransient, Code: "29999"},
		channelstest.Case{Name: "400 without code", Answer: sms.Answer(400, "no"), Want: channels.FaultTransient},
		channelstest.Case{Name: "401 without code", Answer: sms.Answer(401, "no"), Want: channels.FaultProvider},
		channelstest.Case{Name: "403 of a proxy", Answer: sms.Answer(403, nil), Want: channels.FaultProvider},
		channelstest.Case{Name: "404 of a proxy", Answer: sms.Answer(404, nil), Want: channels.FaultProvider},
		channelstest.Case{Name: "408", Answer: sms.Answer(408, nil), Want: channels.FaultAmbiguous},
		channelstest.Case{Name: "500 with a permanent code", Answer: sms.RefusalOf(500, 21211), Want: channels.FaultAmbiguous, Code: "21211"},
		channelstest.Case{Name: "failed without code", Want: channels.FaultTransient,
			Answer: sms.Answer(http.StatusCreated, map[string]any{"sid": sms.SIDText, "status": "failed"})},
		channelstest.Case{Name: "no identifier", Want: channels.FaultAmbiguous,
			Answer: sms.Answer(http.StatusCreated, map[string]any{"status": "queued"})},
		channelstest.Case{Name: "somebody else's identifier", Want: channels.FaultAmbiguous,
			Answer: sms.Answer(http.StatusCreated, map[string]any{"sid": "ORDER-17", "status": "queued"})},
	)
	channelstest.Verify(t, channelstest.Config{
		Kind: channels.SMS,
		Open: func(t testing.TB, p channelstest.Provider) channels.Sender {
			return sms.OpenSender(t, sms.Section(p.Origin, "timeout: "+p.Timeout.String()), p.Deps())
		},
		Message:     sms.NewMessage,
		Accept:      sms.Taken,
		Faults:      table,
		ServerError: channels.FaultAmbiguous,
		Redirect:    channels.FaultAmbiguous,
		Secrets:     []string{sms.Token, base64.StdEncoding.EncodeToString([]byte(sms.Account + ":" + sms.Token))},
		Private: func(m channels.Message) []string {
			digits := strings.TrimPrefix(m.To.Reveal(), "+")
			return []string{digits, strings.TrimPrefix(digits, "84")}
		},
	})
}
