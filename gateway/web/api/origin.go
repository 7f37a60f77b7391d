package api

import (
	"errors"
	"net/http"
	"slices"

	"loa/channels"
	"loa/gateway/account"
)

// cookieName binds the cookie to this host, to https and to every path (RFC
// 6265bis, section 4.1.3.2).
const cookieName = "__Host-loa"

// ErrOrigin says that a request comes from a page of another site.
var ErrOrigin = errors.New("the request comes from a page of another site")

// sameOrigin refuses what the page of another site makes a browser ask. A write
// that comes with a session must say where it comes from; a program with a token
// need not.
func (s *server) sameOrigin(r *http.Request) error {
	site, origins := r.Header.Get("Sec-Fetch-Site"), r.Header.Values("Origin")
	for _, o := range origins {
		if !slices.Contains(s.origins(), o) {
			return ErrOrigin
		}
	}
	if r.Method == http.MethodGet {
		return nil
	}
	switch site {
	case "same-origin":
		return nil
	case "":
	default:
		return ErrOrigin
	}
	if _, err := r.Cookie(cookieName); err == nil && len(origins) == 0 && len(r.Header.Values("Authorization")) == 0 {
		return ErrOrigin
	}
	return nil
}

func (s *server) origins() []string {
	if s.Account == nil {
		return nil
	}
	return s.Account.Site.Origins
}

// cookieOf is the secret of the session that a browser brings.
func cookieOf(r *http.Request) (channels.Secret, error) {
	all := r.CookiesNamed(cookieName)
	if len(all) != 1 || all[0].Value == "" {
		return "", account.ErrNoSession
	}
	return channels.Secret(all[0].Value), nil
}

// signIn has the browser keep a session's secret until it is closed; the limits
// of the session are the ledger's.
func (a *act) signIn(secret channels.Secret) { a.cookie = sessionCookie(secret.Reveal(), 0) }

// signOut has the browser forget it.
func (a *act) signOut() { a.cookie = sessionCookie("", -1) }

func sessionCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}
