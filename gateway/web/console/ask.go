package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"loa/gateway/account"
	"loa/gateway/area"
)

// What the API may answer instead of a document.
var (
	errSignIn    = errors.New("console: nobody is signed in")
	errForbidden = errors.New("console: not for this person")
	errGone      = errors.New("console: there is no such thing")
)

// ask reads a document of the API as the visitor.
func (c *Console) ask(r *http.Request, path string, into any) error {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, path, nil) // #nosec G704 -- it is served in this process
	if err != nil {
		return err
	}
	for _, name := range []string{"Cookie", "Sec-Fetch-Site"} {
		if v := r.Header.Values(name); len(v) > 0 {
			req.Header[name] = v
		}
	}
	req.Host, req.RemoteAddr, req.TLS = r.Host, r.RemoteAddr, r.TLS
	got := &heard{header: http.Header{}, status: http.StatusOK}
	c.o.API.ServeHTTP(got, req)
	switch got.status {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return errSignIn
	case http.StatusForbidden:
		return errForbidden
	case http.StatusNotFound:
		return errGone
	default:
		return fmt.Errorf("console: %s: the API answers %d", path, got.status)
	}
	if err := json.Unmarshal(got.body.Bytes(), into); err != nil {
		return fmt.Errorf("console: %s: %w", path, err)
	}
	return nil
}

// heard keeps an answer of the API.
type heard struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heard) Header() http.Header         { return h.header }
func (h *heard) WriteHeader(status int)      { h.status = status }
func (h *heard) Write(b []byte) (int, error) { return h.body.Write(b) }

// session is who is signed in, as the API tells it.
type session struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Roles []struct {
		Role      string    `json:"role"`
		Territory area.Code `json:"territory"`
	} `json:"roles"`
	Setup bool `json:"setup"`
}

// who is shown in the head of the page.
type who struct {
	ID, Name, Roles string

	setup       bool      // the set-up phase lasts
	administers area.Code // the first territory where they may invite; empty: nowhere
}

// sign finds who is signed in.
func (c *Console) sign(r *http.Request, s *shell) error {
	var in session
	if err := c.ask(r, "/api/v1/session", &in); err != nil {
		return err
	}
	s.Who = &who{ID: in.ID, Name: in.Name, setup: in.Setup}
	var roles []string
	for _, role := range in.Roles {
		roles = append(roles, s.t("role."+role.Role)+" "+c.territory(s, role.Territory))
		if role.Role == string(account.Administrator) && s.Who.administers == "" {
			s.Who.administers = role.Territory
		}
	}
	s.Who.Roles = strings.Join(roles, ", ")
	s.Nav = []link{{Key: "nav.truc", Href: "/truc" + s.keep(), Here: s.Page == pageBoard}}
	if s.Who.administers != "" {
		s.Nav = append(s.Nav, link{Key: "nav.people", Href: "/nguoi" + s.keep(), Here: s.Page == pagePeople})
	}
	return nil
}
