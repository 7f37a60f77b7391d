package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"loa/channels"
)

// CeremonyLimit is how long a challenge waits for its answer.
const CeremonyLimit = 2 * time.Minute

// Purposes of a ceremony. A challenge of one answers no other.
const (
	purposeRegister = "register"
	purposeSignIn   = "sign-in"
	purposeSign     = "sign"
)

// Ceremony is a challenge that waits for its answer. Hash is of its nonce; the
// challenge is computed anew from the nonce that comes back.
type Ceremony struct {
	Signing

	Hash      [32]byte
	Purpose   string
	Person    string // empty when nobody is known yet
	ExpiresAt time.Time
}

// Options go to the browser: Public is what navigator.credentials takes as
// publicKey, in the JSON form of WebAuthn level 3; Nonce comes back with the
// answer and belongs in a cookie or a field of the same page.
type Options struct {
	Public json.RawMessage
	Nonce  channels.Secret
}

// begin stores a new challenge.
func (a *Account) begin(ctx context.Context, purpose, person string, what Signing) (challenge [32]byte, nonce channels.Secret, err error) {
	if a.Site.ID == "" || len(a.Site.Origins) == 0 || a.Site.Environment == "" || len(a.Keys) == 0 || len(a.Keys[0]) == 0 {
		return challenge, "", ErrSiteIncomplete
	}
	var n [32]byte
	if _, err := io.ReadFull(a.Rand, n[:]); err != nil {
		return challenge, "", fmt.Errorf("account: random bytes: %w", err)
	}
	now := a.Now()
	c := Ceremony{Hash: sha256.Sum256(n[:]), Purpose: purpose, Person: person, Signing: what, ExpiresAt: now.Add(CeremonyLimit)}
	if err := a.Store.AddCeremony(ctx, c, now); err != nil {
		return challenge, "", fmt.Errorf("account: begin: %w", err)
	}
	return Challenge(a.Site.Environment, what, n), channels.Secret(base64.RawURLEncoding.EncodeToString(n[:])), nil
}

// take uses a challenge up, whether its answer is good or not. The signing and
// the person must be those for which it was begun.
func (a *Account) take(ctx context.Context, nonce channels.Secret, purpose, person string, what Signing) (n [32]byte, challenge [32]byte, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(nonce.Reveal())
	if err != nil || len(raw) != len(n) {
		return n, challenge, ErrCeremony
	}
	n = [32]byte(raw)
	c, err := a.Store.TakeCeremony(ctx, sha256.Sum256(n[:]))
	switch {
	case err != nil:
		return n, challenge, err
	case c.Purpose != purpose || !a.Now().Before(c.ExpiresAt):
		return n, challenge, ErrCeremony
	case c.Person != person:
		return n, challenge, ErrOtherPerson
	case c.Act != what.Act || c.Object != what.Object:
		return n, challenge, ErrOtherAct
	case c.Revision != what.Revision:
		return n, challenge, ErrOtherRevision
	}
	return n, Challenge(a.Site.Environment, what, n), nil
}

// algorithms are the signatures that are taken: ES256, EdDSA and RS256, which
// among them every current authenticator knows.
func algorithms() []protocol.CredentialParameter {
	return []protocol.CredentialParameter{
		{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
		{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
		{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
	}
}

// maxExcluded bounds the list of passkeys that a device must not hold already.
const maxExcluded = 200

// beginRegister asks a device for a passkey of the person. One that holds a
// passkey of this site already, anybody's, refuses.
func (a *Account) beginRegister(ctx context.Context, person, name string) (Options, error) {
	known, err := a.Store.Passkeys(ctx, "")
	if err != nil {
		return Options{}, fmt.Errorf("account: passkeys: %w", err)
	}
	challenge, nonce, err := a.begin(ctx, purposeRegister, person, registering(person))
	if err != nil {
		return Options{}, err
	}
	resident := true
	o := protocol.PublicKeyCredentialCreationOptions{
		RelyingParty: protocol.RelyingPartyEntity{CredentialEntity: protocol.CredentialEntity{Name: a.Site.Name}, ID: a.Site.ID},
		User:         protocol.UserEntity{CredentialEntity: protocol.CredentialEntity{Name: name}, DisplayName: name, ID: protocol.URLEncodedBase64(person)},
		Challenge:    challenge[:], Parameters: algorithms(), Timeout: int(CeremonyLimit.Milliseconds()),
		CredentialExcludeList: descriptors(known[max(0, len(known)-maxExcluded):]),
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &resident, ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		Attestation: protocol.PreferNoAttestation,
	}
	return options(o, nonce)
}

// finishRegister checks the answer of a device (WebAuthn level 3, section 7.1)
// and returns the passkey, sealed.
func (a *Account) finishRegister(ctx context.Context, person string, nonce channels.Secret, response []byte) (Passkey, error) {
	_, challenge, err := a.take(ctx, nonce, purposeRegister, person, registering(person))
	if err != nil {
		return Passkey{}, err
	}
	got, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return Passkey{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	client, data := got.Response.CollectedClientData, got.Response.AttestationObject.AuthData
	if err := a.Site.about(client, data, challenge); err != nil {
		return Passkey{}, err
	}
	_, err = got.Verify(client.Challenge, a.Site.ID, a.Site.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode, false, true, true, nil, algorithms(), protocol.AttestationPolicy{}, protocol.SignaturePolicy{})
	if err != nil {
		return Passkey{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	if data.Flags.HasBackupState() && !data.Flags.HasBackupEligible() {
		return Passkey{}, fmt.Errorf("%w: backup flags", ErrForged)
	}
	k := Passkey{
		ID: data.AttData.CredentialID, Person: person, Key: data.AttData.CredentialPublicKey, Counter: data.Counter,
		Eligible: data.Flags.HasBackupEligible(), Backed: data.Flags.HasBackupState(), AAGUID: data.AttData.AAGUID, CreatedAt: a.Now(),
	}
	k.Seal = k.sealOf(a.Keys[0])
	return k, nil
}

func registering(person string) Signing {
	return Signing{Act: "passkey.register", Object: "person/" + person}
}

// assert checks the answer of a passkey of the person, or of anybody if person
// is empty, and returns the passkey and its use.
func (a *Account) assert(ctx context.Context, person string, challenge [32]byte, response []byte) (Passkey, Use, *protocol.ParsedCredentialAssertionData, error) {
	got, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return Passkey{}, Use{}, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	k, err := a.Store.Passkey(ctx, got.RawID)
	if err != nil {
		return Passkey{}, Use{}, nil, err
	}
	if handle := string(got.Response.UserHandle); person != "" && k.Person != person || handle != "" && handle != k.Person {
		return Passkey{}, Use{}, nil, ErrOtherPerson
	}
	if err := k.usable(a.Keys); err != nil {
		return k, Use{}, nil, err
	}
	if err := a.Site.verify(got, challenge, k); err != nil {
		return k, Use{}, nil, err
	}
	data := got.Response.AuthenticatorData
	return k, Use{Passkey: k.ID, Counter: data.Counter, Backed: data.Flags.HasBackupState(), At: a.Now()}, got, nil
}

// refuse records why a known person's passkey was not believed, and returns the
// reason.
func (a *Account) refuse(ctx context.Context, person, act string, k Passkey, why error) error {
	now := a.Now()
	var err error
	switch {
	case errors.Is(why, ErrCloned):
		err = a.Store.Cloned(ctx, k.ID, now, recordBy(now, k.Person, "passkey.clone", k.Person, nil))
	case person != "":
		err = a.Store.Note(ctx, recordBy(now, person, act+".refuse", person, map[string]string{"why": reason(why)}))
	}
	return errors.Join(why, err)
}

// reason is the name of a refusal without what a browser sent.
func reason(why error) string {
	for _, known := range []error{
		ErrMalformed, ErrChallenge, ErrOrigin, ErrUnverified, ErrForged, ErrUnknownPasskey, ErrRevokedPasskey, ErrSeal,
		ErrOtherAct, ErrOtherRevision, ErrOtherPerson, ErrCeremony, ErrForbidden,
	} {
		if errors.Is(why, known) {
			return known.Error()
		}
	}
	return "failed"
}

func descriptors(ks []Passkey) []protocol.CredentialDescriptor {
	var ds []protocol.CredentialDescriptor
	for _, k := range ks {
		if k.RevokedAt.IsZero() {
			ds = append(ds, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: k.ID})
		}
	}
	return ds
}

func options(o any, nonce channels.Secret) (Options, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return Options{}, fmt.Errorf("account: options: %w", err)
	}
	return Options{Public: b, Nonce: nonce}, nil
}
