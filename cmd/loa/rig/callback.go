package rig

import (
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- the signature Twilio prescribes
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Callback tells a gateway what became of a message, as the carrier does, signed
// or with a signature that is not the carrier's, and returns the status of the
// answer.
func (r *Rig) Callback(ref, sid, status string, code int, signed bool) int {
	r.Helper()
	at := "http://" + r.Door.Addr() + "/channels/twilio/callback/" + url.PathEscape(ref)
	form := url.Values{"MessageSid": {sid}, "MessageStatus": {status}}
	said := at + "MessageSid" + sid + "MessageStatus" + status
	if code != 0 {
		form.Set("ErrorCode", strconv.Itoa(code))
		said = at + "ErrorCode" + form.Get("ErrorCode") + "MessageSid" + sid + "MessageStatus" + status
	}
	key := AuthToken
	if !signed {
		key = strings.Repeat("0", len(AuthToken))
	}
	mac := hmac.New(sha1.New, []byte(key))
	_, _ = mac.Write([]byte(said)) // a hash never fails
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		r.Fatal(err)
	}
	return resp.StatusCode
}
