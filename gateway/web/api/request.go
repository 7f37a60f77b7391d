package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/cap"
)

// MaxBody bounds a document, in bytes.
const MaxBody = 1 << 20

// maxKey bounds an Idempotency-Key, in bytes.
const maxKey = 200

// open checks who asks and reads the body of a write.
func (s *server) open(w http.ResponseWriter, r *http.Request, local bool) (*act, error) {
	a := &act{Request: r}
	if !local {
		if err := s.who(r, a); err != nil {
			return nil, err
		}
	}
	if r.Method == http.MethodGet {
		return a, nil
	}
	a.key = r.Header.Get("Idempotency-Key")
	switch {
	case a.key == "":
		return nil, malformed("Idempotency-Key", "the header is required: a word that is new for every new act, and the same when it is repeated")
	case len(a.key) > maxKey || strings.ContainsFunc(a.key, func(c rune) bool { return c <= ' ' || c > '~' }):
		return nil, malformed("Idempotency-Key", "at most 200 visible ASCII characters")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, err
	case err != nil:
		return nil, malformed("", "the body is cut off")
	}
	a.body = body
	return a, nil
}

// who finds the person of the bearer token (RFC 6750, section 2.1). Whether
// they may act is for the desk.
func (s *server) who(r *http.Request, a *act) error {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(r.Header.Values("Authorization")) != 1 {
		return account.ErrNobody
	}
	a.token = channels.Secret(strings.TrimSpace(token))
	_, _, _, err := s.Account.Person(r.Context(), a.token)
	return err
}

// decode reads the body of an act. An act without fields may have none.
func (a *act) decode(into any, optional bool) error {
	if optional && len(a.body) == 0 {
		return nil
	}
	if err := a.media("application/json"); err != nil {
		return err
	}
	return decodeStrict(a.body, into)
}

func (a *act) media(want string) error {
	got, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || got != want || charset != "" && !strings.EqualFold(charset, "utf-8") && want != cap.ContentType {
		return &bodyError{status: http.StatusUnsupportedMediaType, kind: "media-type", detail: "Content-Type: " + want + " is expected"}
	}
	return nil
}

func (a *act) isCAP() bool { return a.media(cap.ContentType) == nil }

func (a *act) reader() io.Reader { return bytes.NewReader(a.body) }
