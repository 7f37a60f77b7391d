package account_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/account/accounttest"
	"loa/gateway/area"
	"loa/gateway/audit"
	"loa/gateway/ledger"
)

// world is an installation with its own clock.
type world struct {
	*account.Account

	l       *ledger.Ledger
	now     time.Time
	secrets []string // that nothing may show
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2024, 9, 7, 5, 0, 0, 0, time.UTC)}
	l, err := ledger.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "loa.db"), ledger.Options{})
	ok(t, err)
	t.Cleanup(func() { ok(t, l.Close()) })
	w.l = l
	w.Account = w.account("live")
	return w
}

// account is one more gateway over the same ledger.
func (w *world) account(environment string) *account.Account {
	provinces := map[area.Code][]area.Code{"22": {"06649", "06652"}, "31": {"11365"}}
	return &account.Account{
		Store: w.l.Account(), Now: func() time.Time { return w.now }, Rand: rand.Reader, Keys: [][]byte{[]byte("a key of thirty-two bytes, always")},
		Site: account.Site{ID: "loa.test", Name: "Loa", Origins: []string{"https://loa.test"}, Environment: environment},
		Expand: func(codes []area.Code) ([]area.Code, error) {
			var all []area.Code
			for _, c := range codes {
				switch {
				case c.IsCommune():
					all = append(all, c)
				case provinces[c] != nil:
					all = append(all, provinces[c]...)
				default:
					return nil, fmt.Errorf("no such place %q", c)
				}
			}
			slices.Sort(all)
			return all, nil
		},
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// first enrols the first administrator.
func (w *world) first(t *testing.T) (*accounttest.Device, channels.Secret) {
	t.Helper()
	link, given, err := w.FirstLink(t.Context())
	if err != nil || !given {
		t.Fatalf("no first link: %v", err)
	}
	return w.enrol(t, link, "Trần Thị Bình")
}

func (w *world) enrol(t *testing.T, link channels.Secret, name string) (*accounttest.Device, channels.Secret) {
	t.Helper()
	d := accounttest.New(t, "loa.test", "https://loa.test")
	o, err := w.BeginEnrol(t.Context(), link, name)
	ok(t, err)
	session, err := w.FinishEnrol(t.Context(), link, name, o.Nonce, d.Create(t, o.Public), "Firefox")
	ok(t, err)
	w.secrets = append(w.secrets, link.Reveal(), session.Reveal(), o.Nonce.Reveal())
	return d, session
}

// invite brings somebody in and enrols them.
func (w *world) invite(t *testing.T, by channels.Secret, name string, asks ...account.Ask) (*accounttest.Device, channels.Secret) {
	t.Helper()
	_, link, err := w.Invite(t.Context(), w.who(t, by), name, account.Nation, asks)
	ok(t, err)
	return w.enrol(t, link, "")
}

func (w *world) who(t *testing.T, session channels.Secret) account.Principal {
	t.Helper()
	p, err := w.Authenticate(t.Context(), session)
	ok(t, err)
	return p
}

func (w *world) signIn(t *testing.T, d *accounttest.Device, had channels.Secret) (channels.Secret, error) {
	t.Helper()
	o, err := w.BeginSignIn(t.Context())
	ok(t, err)
	session, err := w.FinishSignIn(t.Context(), o.Nonce, d.Get(t, o.Public), had, "Chrome")
	w.secrets = append(w.secrets, o.Nonce.Reveal())
	if err == nil {
		w.secrets = append(w.secrets, session.Reveal())
	}
	return session, err
}

// acts lists the record, and fails if it holds a secret or does not fit.
func (w *world) acts(t *testing.T) []string {
	t.Helper()
	recs, err := w.l.Audit(t.Context(), 0, 10_000)
	ok(t, err)
	if at := audit.Verify(audit.Hash{}, recs); at != 0 {
		t.Errorf("the record does not fit at %d", at)
	}
	var acts []string
	for _, r := range recs {
		acts = append(acts, r.Act)
		for _, s := range w.secrets {
			if strings.Contains(r.Object+r.Detail, s) {
				t.Errorf("%s holds a secret", r.Act)
			}
		}
	}
	return acts
}
