// Package account holds people: their roles and territories, how they prove who
// they are (passkeys, sessions, tokens) and what they sign. It must never import
// web.
package account

import (
	"context"
	"time"

	"loa/gateway/area"
	"loa/gateway/audit"
)

// Person is somebody who may act. TokenHash is zero for who has no token.
type Person struct {
	ID        string
	Name      string
	Territory area.Code // province or commune code, or "VN"
	TokenHash [32]byte
	CreatedAt time.Time
	RevokedAt time.Time
	InvitedBy string // person id; empty: by the owner of the machine
	Setup     bool   // came in the set-up phase
}

// Store is what account needs of the ledger; each method is one transaction.
// What is not there is ErrNotFound unless said otherwise. Records are stored
// with the change or not at all.
type Store interface {
	AddPerson(ctx context.Context, p Person, rec audit.Record) error
	PersonByToken(ctx context.Context, hash [32]byte) (Person, error)
	People(ctx context.Context) ([]Person, error)
	// RevokePerson ends their token, sessions, API tokens and passkeys too.
	RevokePerson(ctx context.Context, id string, at time.Time, rec audit.Record) error
	Person(ctx context.Context, id string) (Person, error)
	// Note records what changes nothing, a refusal above all.
	Note(ctx context.Context, rec audit.Record) error

	SessionStore
	TokenStore
	GrantStore
	PasskeyStore
	EnrolmentStore
}

// SessionStore keeps sessions by the hash of their secret.
type SessionStore interface {
	// Session is ErrNoSession if there is none.
	Session(ctx context.Context, hash [32]byte) (Session, error)
	Sessions(ctx context.Context, person string) ([]Session, error)
	// Seen moves SeenAt forward; it brings no ended session back.
	Seen(ctx context.Context, hash [32]byte, at time.Time) error
	// EndSession ends a session of the person.
	EndSession(ctx context.Context, person, id string, at time.Time, rec audit.Record) error
}

// TokenStore keeps scoped tokens by their hash.
type TokenStore interface {
	AddToken(ctx context.Context, t Token, rec audit.Record) error
	// Token is ErrNobody if there is none.
	Token(ctx context.Context, hash [32]byte) (Token, error)
	Tokens(ctx context.Context, person string) ([]Token, error)
	// RevokeToken ends a token of the person.
	RevokeToken(ctx context.Context, person, id string, at time.Time, rec audit.Record) error
}

// GrantStore keeps grants.
type GrantStore interface {
	// AddGrants stores grants of people who exist. In the set-up phase it ends
	// that if two approvers with passkeys have come to be. A grant that is marked
	// Setup is refused with ErrSetupOver when the phase has ended.
	AddGrants(ctx context.Context, gs []Grant, rec ...audit.Record) error
	Grant(ctx context.Context, id string) (Grant, error)
	// Grants lists a person's, or everybody's if person is empty.
	Grants(ctx context.Context, person string) ([]Grant, error)
	// UpdateGrant stores next if the stored grant is still prev, else ErrChanged.
	UpdateGrant(ctx context.Context, prev, next Grant, rec audit.Record) error
}

// PasskeyStore keeps passkeys, the challenges that wait and what was signed.
type PasskeyStore interface {
	// Passkey is ErrUnknownPasskey if there is none.
	Passkey(ctx context.Context, id []byte) (Passkey, error)
	// Passkeys lists a person's, or everybody's if person is empty.
	Passkeys(ctx context.Context, person string) ([]Passkey, error)
	// AddPasskey is ErrPasskeyTaken if the id is anybody's already.
	AddPasskey(ctx context.Context, k Passkey, rec audit.Record) error
	RevokePasskey(ctx context.Context, id []byte, at time.Time, rec audit.Record) error
	// Cloned marks the first time that a passkey's counter went back.
	Cloned(ctx context.Context, id []byte, at time.Time, rec audit.Record) error
	// AddCeremony also forgets the ceremonies that have expired.
	AddCeremony(ctx context.Context, c Ceremony, now time.Time) error
	// TakeCeremony returns a ceremony and forgets it: ErrCeremony the second time.
	TakeCeremony(ctx context.Context, hash [32]byte) (Ceremony, error)
	// SignIn stores a use of a passkey and the session that it opens, and ends
	// the session whose hash is replaced, if there is one. It is ErrCloned if the
	// passkey's counter does not rise.
	SignIn(ctx context.Context, u Use, s Session, replaced [32]byte, rec audit.Record) error
	// AddSignature stores a use of a passkey and what was signed with it, once.
	AddSignature(ctx context.Context, u Use, s Signature, rec audit.Record) error
	// Signatures lists what was signed about an object, in order of time.
	Signatures(ctx context.Context, object string) ([]Signature, error)
}

// EnrolmentStore keeps links that enrol one person once.
type EnrolmentStore interface {
	// SetupEnded is zero while the set-up phase lasts.
	SetupEnded(ctx context.Context) (time.Time, error)
	// AddEnrolment stores a link, with people and grants that come with it. A
	// link makes earlier ones of the same person void, and one of the set-up
	// phase all earlier ones of the set-up phase.
	AddEnrolment(ctx context.Context, e Enrolment, p []Person, gs []Grant, rec ...audit.Record) error
	// Enrolment is ErrLink if there is none.
	Enrolment(ctx context.Context, hash [32]byte) (Enrolment, error)
	// Enrol uses a link up, ErrLink if it is used already, and stores the
	// passkey, the session, and people and grants that come with it.
	Enrol(ctx context.Context, link [32]byte, k Passkey, s Session, p []Person, gs []Grant, rec ...audit.Record) error
}
