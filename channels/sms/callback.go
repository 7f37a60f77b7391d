package sms

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twilio/twilio-go/client"

	"loa/channels"
)

const (
	maxCallback    = 64 << 10
	callbackBudget = 5 * time.Second // Twilio waits little longer
)

// Handler takes status callbacks at /callback/{ref}. It answers 2xx only when
// the sink has the evidence; 503 asks Twilio to call again.
func (s *sender) Handler() http.Handler { return http.HandlerFunc(s.serveCallback) }

func (s *sender) serveCallback(w http.ResponseWriter, r *http.Request) {
	escaped, ours := strings.CutPrefix(r.URL.EscapedPath(), callbackPath)
	ref, err := url.PathUnescape(escaped)
	if !ours || err != nil || ref == "" || strings.Contains(escaped, "/") {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback))
	if err != nil {
		http.Error(w, "body too large or cut", http.StatusRequestEntityTooLarge)
		return
	}
	if !s.signed(s.callbackURL(ref), body, r.Header.Get("X-Twilio-Signature")) {
		if s.forged.due(s.deps.Now()) {
			s.deps.Log.Warn("sms callback refused: signature does not fit any auth token")
		}
		http.Error(w, "forbidden", http.StatusForbidden)
		return
	}
	receipt, err := s.receipt(ref, body)
	if err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callbackBudget)
	defer cancel()
	switch err := s.deps.Sink(ctx, receipt); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, channels.ErrUnknownRef):
		http.NotFound(w, r)
	default:
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}
}

// signed checks Twilio's signature over the URL we asked to be called at, never
// over one that headers of the request could set.
func (s *sender) signed(url string, body []byte, signature string) bool {
	for _, token := range []channels.Secret{s.cfg.AuthToken, s.cfg.AuthTokenPrevious} {
		if token == "" || signature == "" {
			continue
		}
		validator := client.NewRequestValidator(token.Reveal())
		if validator.ValidateBody(url, body, signature) {
			return true
		}
	}
	return false
}

// receipt reads a signed body. Like the signature, it regards only the first
// value of a field.
func (s *sender) receipt(ref string, body []byte) (channels.Receipt, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return channels.Receipt{}, errors.New("body: not a form")
	}
	status := form.Get("MessageStatus")
	if status == "" {
		return channels.Receipt{}, errors.New("MessageStatus: missing")
	}
	r := channels.Receipt{
		Kind: channels.SMS, Ref: ref, Outcome: outcomeOf(status),
		ProviderRef: form.Get("MessageSid"), At: s.deps.Now(),
	}
	if r.Outcome != channels.Failed {
		return r, nil
	}
	code, err := strconv.ParseUint(form.Get("ErrorCode"), 10, 31)
	if err != nil {
		code = 0 // Twilio leaves it out when it knows no reason
	}
	p := late(int(code))                                                 // #nosec G115 -- 31 bits
	r.Fault, r.RetryAfter, r.Code = p.Fault, p.Wait, codeText(int(code)) // #nosec G115 -- 31 bits
	return r, nil
}

// warning lets one line through a minute, so that a flood of forged calls does
// not flood the log.
type warning struct{ next atomic.Int64 }

func (w *warning) due(now time.Time) bool {
	next := w.next.Load()
	return now.Unix() >= next && w.next.CompareAndSwap(next, now.Add(time.Minute).Unix())
}
