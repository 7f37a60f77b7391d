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

// maxSmall bounds the body of requests by people who have not signed in yet.
const maxSmall = 64 << 10

// open checks from where and by whom a request comes and reads the body of a
// write.
func (s *server) open(w http.ResponseWriter, r *http.Request, to *route) (*act, error) {
	a := &act{Request: r}
	if err := s.sameOrigin(r); err != nil {
		return nil, err
	}
	largest := int64(MaxBody)
	switch to.door {
	case owner:
	case anybody:
		largest = maxSmall
		if err := s.Attempts.take(r); err != nil {
			return nil, err
		}
	case person, signedIn:
		if err := s.identify(r, a); err != nil {
			return nil, err
		}
		if _, ok := a.who.Session(); !ok && to.door == signedIn {
			return nil, ErrNotByToken
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
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
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

// identify finds who asks: by the bearer token (RFC 6750, section 2.1) if there
// is one, else by the cookie of a session.
func (s *server) identify(r *http.Request, a *act) error {
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return s.bySession(r, a)
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || len(given) != 1 {
		return account.ErrNobody
	}
	a.token = channels.Secret(strings.TrimSpace(token))
	var err error
	if strings.HasPrefix(a.token.Reveal(), account.ScopedPrefix) {
		a.who, err = s.Account.ByToken(r.Context(), a.token)
		a.known = err == nil
		return err
	}
	_, _, _, err = s.Account.Person(r.Context(), a.token)
	return err
}

// bySession finds who has signed in in this browser.
func (s *server) bySession(r *http.Request, a *act) error {
	var err error
	if a.token, err = cookieOf(r); err != nil {
		return err
	}
	a.who, err = s.Account.Authenticate(r.Context(), a.token)
	a.known = err == nil
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
