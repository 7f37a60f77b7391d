package account

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// Signing is what a person signs: an act on one exact revision of an object.
type Signing struct {
	Act      Act
	Object   string // "alert/…"
	Revision [32]byte
}

// Signature is a person's assertion for a Signing, with all that it takes to
// verify it again.
type Signature struct {
	Signing

	ID          string
	Person      string
	Passkey     []byte
	Environment string
	Nonce       [32]byte
	AuthData    []byte // authenticator data, as signed
	ClientData  []byte // client data JSON, as signed
	Sig         []byte
	At          time.Time
}

// LogValue leaves out what was signed with.
func (s Signature) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", s.ID), slog.String("person", s.Person), slog.String("act", string(s.Act)), slog.String("object", s.Object))
}

// challengeDomain separates these challenges from everything else that is hashed.
const challengeDomain = "loa signed act 1"

// Challenge is what an authenticator signs for an act: SHA-256 over the domain,
// the environment word, act, object, revision and nonce, each with its length.
func Challenge(environment string, what Signing, nonce [32]byte) [32]byte {
	return sha256.Sum256(encode(challengeDomain, []byte(environment), []byte(what.Act), []byte(what.Object), what.Revision[:], nonce[:]))
}

// VerifySignature checks a stored signature against what it must be for. Nothing
// is believed of it: the challenge is computed anew, and the passkey must carry
// a seal of one of the keys.
func VerifySignature(site Site, keys [][]byte, k Passkey, s Signature, want Signing) error {
	switch {
	case s.Environment != site.Environment:
		return ErrEnvironment
	case s.Act != want.Act || s.Object != want.Object:
		return ErrOtherAct
	case s.Revision != want.Revision:
		return ErrOtherRevision
	case !bytes.Equal(k.ID, s.Passkey):
		return ErrUnknownPasskey
	case k.Person != s.Person || k.Person == "":
		return ErrOtherPerson
	}
	if err := k.usable(keys); err != nil {
		return err
	}
	raw := protocol.CredentialAssertionResponse{
		AssertionResponse: protocol.AuthenticatorAssertionResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: s.ClientData},
			AuthenticatorData:     s.AuthData, Signature: s.Sig,
		},
	}
	raw.ID, raw.Type, raw.RawID = base64.RawURLEncoding.EncodeToString(k.ID), string(protocol.PublicKeyCredentialType), k.ID
	parsed, err := raw.Parse()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return site.verify(parsed, Challenge(site.Environment, want, s.Nonce), k)
}

// verify checks an assertion (WebAuthn level 3, section 7.2). Its own questions
// come first, so that each refusal has its name; the library asks them again.
func (s Site) verify(got *protocol.ParsedCredentialAssertionData, challenge [32]byte, k Passkey) error {
	client, data := got.Response.CollectedClientData, got.Response.AuthenticatorData
	if err := s.about(client, data, challenge); err != nil {
		return err
	}
	if data.Flags.HasBackupEligible() != k.Eligible || data.Flags.HasBackupState() && !k.Eligible {
		return fmt.Errorf("%w: backup flags", ErrForged)
	}
	err := got.Verify(client.Challenge, s.ID, "", s.Origins, nil, nil, protocol.TopOriginExplicitVerificationMode, false, true, true, k.Key, protocol.SignaturePolicy{})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForged, err)
	}
	return nil
}

// about checks what was signed, whoever signed it.
func (s Site) about(client protocol.CollectedClientData, data protocol.AuthenticatorData, challenge [32]byte) error {
	if client.Challenge != base64.RawURLEncoding.EncodeToString(challenge[:]) {
		return ErrChallenge
	}
	id := sha256.Sum256([]byte(s.ID))
	if client.CrossOrigin || client.TopOrigin != "" || !protocol.IsOriginInHaystack(client.Origin, s.Origins) || !bytes.Equal(data.RPIDHash, id[:]) {
		return ErrOrigin
	}
	if !data.Flags.UserPresent() || !data.Flags.UserVerified() {
		return ErrUnverified
	}
	return nil
}

// Signed verifies everything that was signed for want and returns it. A
// signature that claims to be for it and is not is an error: nothing may be done
// on the others' word then. Whoever signed must still be a person here.
func (a *Account) Signed(ctx context.Context, want Signing) ([]Signature, error) {
	all, err := a.Store.Signatures(ctx, want.Object)
	if err != nil {
		return nil, fmt.Errorf("account: signatures: %w", err)
	}
	var good []Signature
	for _, s := range all {
		if s.Act != want.Act || s.Revision != want.Revision {
			continue
		}
		if err := a.verifyStored(ctx, s, want); err != nil {
			return nil, fmt.Errorf("signature %s: %w", s.ID, err)
		}
		good = append(good, s)
	}
	return good, nil
}

func (a *Account) verifyStored(ctx context.Context, s Signature, want Signing) error {
	p, err := a.Store.Person(ctx, s.Person)
	if errors.Is(err, ErrNotFound) || err == nil && !p.RevokedAt.IsZero() {
		return ErrOtherPerson
	}
	if err != nil {
		return err
	}
	k, err := a.Store.Passkey(ctx, s.Passkey)
	if err != nil {
		return err
	}
	return VerifySignature(a.Site, a.Keys, k, s, want)
}
