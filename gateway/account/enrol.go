package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/audit"
)

// LinkLimit is how long an enrolment link is good.
const LinkLimit = 30 * time.Minute

// Enrolment is a link with which one person registers their first passkey, once.
// Hash is of its secret.
type Enrolment struct {
	Hash      [32]byte
	Person    string
	By        string // person id; empty: the owner of the machine
	Setup     bool   // makes the first administrator
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time
}

// LogValue keeps the hash out of logs.
func (e Enrolment) LogValue() slog.Value {
	return slog.GroupValue(slog.String("person", e.Person), slog.Bool("setup", e.Setup))
}

// FirstLink gives an installation in which nobody has a passkey the secret of a
// link that makes its first administrator. Earlier such links are void. It is
// false when there is somebody already, or the set-up phase has ended.
func (a *Account) FirstLink(ctx context.Context) (channels.Secret, bool, error) {
	setup, err := a.inSetup(ctx)
	if err != nil || !setup {
		return "", false, err
	}
	known, err := a.Store.Passkeys(ctx, "")
	if err != nil {
		return "", false, fmt.Errorf("account: passkeys: %w", err)
	}
	if len(known) > 0 {
		return "", false, nil
	}
	id, err := a.id("p_")
	if err != nil {
		return "", false, err
	}
	secret, err := a.link(ctx, "", Person{ID: id}, true, nil, nil, nil)
	return secret, err == nil, err
}

// Invite makes a person without any credential, the roles they shall have, and
// the secret of their enrolment link.
func (a *Account) Invite(ctx context.Context, p Principal, name string, territory area.Code, asks []Ask) (Person, channels.Secret, error) {
	name = strings.TrimSpace(name)
	if err := checkName(name); err != nil {
		return Person{}, "", err
	}
	if err := a.checkTerritory(territory); err != nil {
		return Person{}, "", err
	}
	if err := a.over(p, ActInvite, territory); err != nil {
		return Person{}, "", err
	}
	setup, err := a.inSetup(ctx)
	if err != nil {
		return Person{}, "", err
	}
	id, err := a.id("p_")
	if err != nil {
		return Person{}, "", err
	}
	who := Person{ID: id, Name: name, Territory: territory, CreatedAt: a.Now(), InvitedBy: p.person.ID, Setup: setup}
	recs := []audit.Record{recordBy(who.CreatedAt, p.person.ID, "person.invite", id, map[string]string{"name": name, "territory": string(territory)})}
	var gs []Grant
	for _, ask := range asks {
		g, rec, err := a.newGrant(p, id, ask, setup)
		if err != nil {
			return Person{}, "", err
		}
		gs, recs = append(gs, g), append(recs, rec)
	}
	secret, err := a.link(ctx, p.person.ID, who, false, []Person{who}, gs, recs)
	return who, secret, err
}

// InviteAgain gives a person who has no passkey yet another link; the one before
// is void.
func (a *Account) InviteAgain(ctx context.Context, p Principal, person string) (channels.Secret, error) {
	who, err := a.Store.Person(ctx, person)
	if err != nil {
		return "", err
	}
	if err := a.over(p, ActInvite, who.Territory); err != nil {
		return "", err
	}
	if !who.RevokedAt.IsZero() {
		return "", ErrNotFound
	}
	has, err := a.Store.Passkeys(ctx, person)
	if err != nil {
		return "", fmt.Errorf("account: passkeys: %w", err)
	}
	if len(has) > 0 {
		return "", ErrHasPasskey
	}
	return a.link(ctx, p.person.ID, who, false, nil, nil, nil)
}

func (a *Account) link(ctx context.Context, by string, who Person, setup bool, people []Person, gs []Grant, recs []audit.Record) (channels.Secret, error) {
	secret, err := a.secret()
	if err != nil {
		return "", err
	}
	now := a.Now()
	actor := by
	if actor == "" {
		actor = "system"
	}
	e := Enrolment{Hash: hashOf(secret), Person: who.ID, By: by, Setup: setup, CreatedAt: now, ExpiresAt: now.Add(LinkLimit)}
	recs = append(recs, recordBy(now, actor, "link.issue", who.ID, nil))
	if err := a.Store.AddEnrolment(ctx, e, people, gs, recs...); err != nil {
		return "", fmt.Errorf("account: link: %w", err)
	}
	return secret, nil
}

// BeginEnrol opens a link without using it up and asks the browser for a passkey.
// name is for the first administrator, who has none yet, and ignored for others.
func (a *Account) BeginEnrol(ctx context.Context, link channels.Secret, name string) (Options, error) {
	_, who, err := a.open(ctx, link, name)
	if err != nil {
		return Options{}, err
	}
	return a.beginRegister(ctx, who.ID, who.Name)
}

// FinishEnrol registers the passkey, uses the link up and signs the person in.
// It returns the session's secret. name is as in BeginEnrol.
func (a *Account) FinishEnrol(ctx context.Context, link channels.Secret, name string, nonce channels.Secret, response []byte, label string) (channels.Secret, error) {
	e, who, err := a.open(ctx, link, name)
	if err != nil {
		return "", err
	}
	k, err := a.finishRegister(ctx, who.ID, nonce, response)
	if err != nil {
		return "", a.refuse(ctx, who.ID, "enrol", k, err)
	}
	s, secret, err := a.newSession(who.ID, label)
	if err != nil {
		return "", err
	}
	recs := []audit.Record{recordBy(k.CreatedAt, who.ID, "passkey.add", who.ID, nil), recordBy(k.CreatedAt, who.ID, "session.begin", who.ID, map[string]string{"session": s.ID})}
	var people []Person
	var gs []Grant
	if e.Setup {
		g, rec, err := a.makeGrant("system", who.ID, Ask{Administrator, Nation}, true)
		if err != nil {
			return "", err
		}
		people, gs = []Person{who}, []Grant{g}
		recs = append(recs, recordBy(k.CreatedAt, "system", "person.add", who.ID, map[string]string{"name": who.Name, "territory": string(Nation), "setup": "true"}), rec)
	}
	if err := a.Store.Enrol(ctx, e.Hash, k, s, people, gs, recs...); err != nil {
		return "", fmt.Errorf("account: enrol: %w", err)
	}
	return secret, nil
}

// open finds the person of a link that is still good.
func (a *Account) open(ctx context.Context, link channels.Secret, name string) (Enrolment, Person, error) {
	if len(link.Reveal()) != secretLength {
		return Enrolment{}, Person{}, ErrLink
	}
	hash := hashOf(link)
	e, err := a.Store.Enrolment(ctx, hash)
	if err != nil {
		return Enrolment{}, Person{}, err
	}
	now := a.Now()
	if e.Hash != hash || !e.UsedAt.IsZero() || !now.Before(e.ExpiresAt) {
		return Enrolment{}, Person{}, ErrLink
	}
	if e.Setup {
		name = strings.TrimSpace(name)
		return e, Person{ID: e.Person, Name: name, Territory: Nation, CreatedAt: now, Setup: true}, checkName(name)
	}
	who, err := a.Store.Person(ctx, e.Person)
	if errors.Is(err, ErrNotFound) || err == nil && !who.RevokedAt.IsZero() {
		return Enrolment{}, Person{}, ErrLink
	}
	return e, who, err
}

// BeginPasskey asks who has just signed in for another passkey of their own.
func (a *Account) BeginPasskey(ctx context.Context, p Principal) (Options, error) {
	if err := a.fresh(p); err != nil {
		return Options{}, err
	}
	return a.beginRegister(ctx, p.person.ID, p.person.Name)
}

// FinishPasskey registers another passkey.
func (a *Account) FinishPasskey(ctx context.Context, p Principal, nonce channels.Secret, response []byte) error {
	if err := a.fresh(p); err != nil {
		return err
	}
	k, err := a.finishRegister(ctx, p.person.ID, nonce, response)
	if err != nil {
		return a.refuse(ctx, p.person.ID, "passkey.add", k, err)
	}
	if err := a.Store.AddPasskey(ctx, k, recordBy(k.CreatedAt, k.Person, "passkey.add", k.Person, nil)); err != nil {
		return fmt.Errorf("account: add passkey: %w", err)
	}
	return nil
}

// Passkeys lists a person's, without what they are verified with: one's own, or
// another's for who may revoke in their whole territory.
func (a *Account) Passkeys(ctx context.Context, p Principal, person string) ([]Passkey, error) {
	if err := a.ownOrRevoke(ctx, p, person); err != nil {
		return nil, err
	}
	all, err := a.Store.Passkeys(ctx, person)
	for i := range all {
		all[i].Key, all[i].Seal = nil, nil
	}
	return all, err
}

// RevokePasskey ends a passkey: one's own, or another's for who may revoke in
// their whole territory. What it signed and has not been acted on yet is void.
func (a *Account) RevokePasskey(ctx context.Context, p Principal, id []byte) error {
	k, err := a.Store.Passkey(ctx, id)
	if err != nil {
		return err
	}
	if err := a.ownOrRevoke(ctx, p, k.Person); err != nil {
		return err
	}
	now := a.Now()
	if err := a.Store.RevokePasskey(ctx, id, now, recordBy(now, p.person.ID, "passkey.revoke", k.Person, nil)); err != nil {
		return fmt.Errorf("account: revoke passkey: %w", err)
	}
	return nil
}
