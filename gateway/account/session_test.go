package account_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/area"
)

func TestSessionLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, session := w.first(t)
	start := w.now
	for w.now = start; w.now.Before(start.Add(12 * time.Hour)); w.now = w.now.Add(29 * time.Minute) {
		w.who(t, session)
	}
	w.now = start.Add(12*time.Hour - time.Second)
	w.who(t, session)
	w.now = start.Add(12 * time.Hour)
	_, err := w.Authenticate(t.Context(), session)
	refused(t, "after 12 h", err, account.ErrNoSession)

	idle := newWorld(t)
	_, session = idle.first(t)
	idle.now = idle.now.Add(30*time.Minute - time.Second)
	idle.who(t, session)
	idle.now = idle.now.Add(30 * time.Minute)
	_, err = idle.Authenticate(t.Context(), session)
	refused(t, "idle for 30 min", err, account.ErrNoSession)
	idle.now = idle.now.Add(-24 * time.Hour)
	_, err = idle.Authenticate(t.Context(), session)
	refused(t, "before it was made", err, account.ErrNoSession)
}

func TestSessionIsNewAtEachSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, session := w.first(t)
	planted := channels.Secret(strings.Repeat("A", 43))
	d.Counter = 1
	next, err := w.signIn(t, d, planted)
	ok(t, err)
	if next == planted || next == session {
		t.Error("a session that the browser brought is kept")
	}
	_, err = w.Authenticate(t.Context(), planted)
	refused(t, "a planted session", err, account.ErrNoSession)
	w.who(t, session)
	d.Counter = 2
	last, err := w.signIn(t, d, next)
	ok(t, err)
	_, err = w.Authenticate(t.Context(), next)
	refused(t, "the session before", err, account.ErrNoSession)

	p := w.who(t, last)
	all, err := w.Sessions(t.Context(), p, p.Person().ID)
	if err != nil || len(all) != 2 || all[0].Hash != [32]byte{} {
		t.Fatalf("sessions: %+v %v", all, err)
	}
	ok(t, w.SignOut(t.Context(), p))
	_, err = w.Authenticate(t.Context(), last)
	refused(t, "replay after sign-out", err, account.ErrNoSession)
	p = w.who(t, session)
	own, _ := p.Session()
	ok(t, w.EndSession(t.Context(), p, p.Person().ID, own.ID))
	_, err = w.Authenticate(t.Context(), session)
	refused(t, "after revoking", err, account.ErrNoSession)
	refused(t, "ending what is not there", w.EndSession(t.Context(), p, p.Person().ID, "s_none"), account.ErrNotFound)
	for _, wrong := range []channels.Secret{"", "x", planted + "A"} {
		_, err = w.Authenticate(t.Context(), wrong)
		refused(t, "a wrong secret", err, account.ErrNoSession)
	}
	if acts := w.acts(t); !slices.Contains(acts, "session.end") || !slices.Contains(acts, "session.begin") {
		t.Error(acts)
	}
}

func TestSessionsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, admin := w.first(t)
	_, clerk := w.invite(t, admin, "Nguyễn Văn An", account.Ask{Role: account.Clerk, Territory: "06649"})
	c, a := w.who(t, clerk), w.who(t, admin)
	_, err := w.Sessions(t.Context(), c, a.Person().ID)
	refused(t, "a clerk at an administrator's sessions", err, account.ErrForbidden)
	s, _ := a.Session()
	refused(t, "a clerk ends one", w.EndSession(t.Context(), c, a.Person().ID, s.ID), account.ErrForbidden)
	s, _ = c.Session()
	refused(t, "a session of somebody else", w.EndSession(t.Context(), a, a.Person().ID, s.ID), account.ErrNotFound)
	ok(t, w.EndSession(t.Context(), a, c.Person().ID, s.ID))
	_, err = w.Authenticate(t.Context(), clerk)
	refused(t, "after an administrator ended it", err, account.ErrNoSession)
	ok(t, w.Revoke(t.Context(), a.Person().ID))
	_, err = w.Authenticate(t.Context(), admin)
	refused(t, "of a revoked person", err, account.ErrNoSession)
}

func TestTokensNeverAct(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, session := w.first(t)
	p := w.who(t, session)
	for _, r := range account.Roles() {
		territory := account.Nation
		if r == account.Clerk {
			territory = "06649"
		}
		_, err := w.Ask(t.Context(), p, p.Person().ID, account.Ask{Role: r, Territory: territory})
		ok(t, err)
	}
	p = w.who(t, session)
	here := []area.Code{"06649"}
	may := map[account.Scope][]account.Act{account.ScopeRead: {account.ActRead}, account.ScopeDraft: {account.ActRead, account.ActDraft, account.ActSubmit}}
	for scope, acts := range may {
		token, secret, err := w.IssueToken(t.Context(), p, scope, "trạm khí tượng", w.now.Add(time.Hour))
		ok(t, err)
		w.secrets = append(w.secrets, secret.Reveal())
		program, err := w.ByToken(t.Context(), secret)
		ok(t, err)
		for _, act := range account.Acts() {
			if !p.May(act, here) {
				t.Errorf("the person themselves may not %s", act)
			}
			if got, want := program.May(act, here), slices.Contains(acts, act); got != want || program.Somewhere(act) != want {
				t.Errorf("a token to %s may %s: %v", scope, act, got)
			}
		}
		_, _, err = w.IssueToken(t.Context(), program, scope, "", w.now.Add(time.Hour))
		refused(t, "a token makes a token", err, account.ErrForbidden)
		_, _, err = w.Invite(t.Context(), program, "An", account.Nation, nil)
		refused(t, "a token invites", err, account.ErrForbidden)
		_, err = w.Ask(t.Context(), program, p.Person().ID, account.Ask{Role: account.Auditor, Territory: "22"})
		refused(t, "a token grants", err, account.ErrForbidden)
		_, err = w.BeginSign(t.Context(), program, account.Signing{Act: account.ActDraft, Object: "alert/1", Revision: [32]byte{1}}, here)
		refused(t, "a token signs", err, account.ErrForbidden)
		_, err = w.Tokens(t.Context(), program, p.Person().ID)
		refused(t, "a token lists tokens", err, account.ErrForbidden)

		_, err = w.Authenticate(t.Context(), secret)
		refused(t, "a token as a session", err, account.ErrNoSession)
		_, _, _, err = w.Person(t.Context(), secret)
		refused(t, "a scoped token as a person's", err, account.ErrNobody)
		_, err = w.ByToken(t.Context(), session)
		refused(t, "a session as a token", err, account.ErrNobody)
		if scope == account.ScopeRead {
			ok(t, w.RevokeToken(t.Context(), p, p.Person().ID, token.ID))
			_, err = w.ByToken(t.Context(), secret)
			refused(t, "a revoked token", err, account.ErrNobody)
			continue
		}
		now := w.now
		w.now = now.Add(time.Hour)
		_, err = w.ByToken(t.Context(), secret)
		refused(t, "an expired token", err, account.ErrNobody)
		w.now = now
	}
	var nobody account.Principal
	for _, act := range account.Acts() {
		if nobody.May(act, here) || nobody.Somewhere(act) {
			t.Errorf("nobody may %s", act)
		}
	}
	for _, expires := range []time.Time{{}, w.now, w.now.Add(367 * 24 * time.Hour)} {
		_, _, err := w.IssueToken(t.Context(), p, account.ScopeRead, "", expires)
		refused(t, "expiry", err, account.ErrExpiry)
	}
	_, _, err := w.IssueToken(t.Context(), p, "approve", "", w.now.Add(time.Hour))
	refused(t, "scope", err, account.ErrScope)
	w.now = w.now.Add(6 * time.Minute)
	_, _, err = w.IssueToken(t.Context(), p, account.ScopeRead, "", w.now.Add(time.Hour))
	refused(t, "long after sign-in", err, account.ErrNotFresh)
	w.acts(t)
}
