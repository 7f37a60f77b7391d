package account

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"crypto/sha256"

	"github.com/go-webauthn/webauthn/protocol"

	"loa/channels"
	"loa/gateway/area"
)

var signingIn = Signing{Act: "session.sign-in"}

// BeginSignIn asks for any passkey of this site. Whoever asks is unknown, so the
// caller limits how often.
func (a *Account) BeginSignIn(ctx context.Context) (Options, error) {
	challenge, nonce, err := a.begin(ctx, purposeSignIn, "", signingIn)
	if err != nil {
		return Options{}, err
	}
	return a.requestOptions(challenge, nonce, nil)
}

// FinishSignIn opens a session for whose passkey answers and returns its secret.
// The session that the browser had, if any, ends; its secret is never kept.
// label says what browser it is.
func (a *Account) FinishSignIn(ctx context.Context, nonce channels.Secret, response []byte, had channels.Secret, label string) (channels.Secret, error) {
	_, challenge, err := a.take(ctx, nonce, purposeSignIn, "", signingIn)
	if err != nil {
		return "", err
	}
	k, use, _, err := a.assert(ctx, "", challenge, response)
	if err != nil {
		return "", a.refuse(ctx, k.Person, "sign-in", k, err)
	}
	if _, err := a.principal(ctx, k.Person); err != nil {
		return "", err
	}
	s, secret, err := a.newSession(k.Person, label)
	if err != nil {
		return "", err
	}
	var replaced [32]byte
	if had != "" {
		replaced = hashOf(had)
	}
	rec := recordBy(use.At, k.Person, "session.begin", k.Person, map[string]string{"session": s.ID})
	if err := a.Store.SignIn(ctx, use, s, replaced, rec); err != nil {
		return "", a.afterUse(ctx, k, err)
	}
	return secret, nil
}

// BeginSign asks who is signed in for their passkey on an act in communes, which
// must be expanded.
func (a *Account) BeginSign(ctx context.Context, p Principal, what Signing, communes []area.Code) (Options, error) {
	if err := a.maySign(p, what, communes); err != nil {
		return Options{}, err
	}
	all, err := a.Store.Passkeys(ctx, p.person.ID)
	if err != nil {
		return Options{}, fmt.Errorf("account: passkeys: %w", err)
	}
	allowed := descriptors(all)
	if len(allowed) == 0 {
		return Options{}, ErrNoPasskey
	}
	challenge, nonce, err := a.begin(ctx, purposeSign, p.person.ID, what)
	if err != nil {
		return Options{}, err
	}
	return a.requestOptions(challenge, nonce, allowed)
}

// FinishSign checks and stores the signature. what must be what was begun; it is
// for the caller to take it from the ledger and not from the browser.
func (a *Account) FinishSign(ctx context.Context, p Principal, what Signing, communes []area.Code, nonce channels.Secret, response []byte) (Signature, error) {
	if err := a.maySign(p, what, communes); err != nil {
		return Signature{}, err
	}
	n, challenge, err := a.take(ctx, nonce, purposeSign, p.person.ID, what)
	if err != nil {
		return Signature{}, a.refuse(ctx, p.person.ID, "sign", Passkey{}, err)
	}
	k, use, got, err := a.assert(ctx, p.person.ID, challenge, response)
	if err != nil {
		return Signature{}, a.refuse(ctx, p.person.ID, "sign", k, err)
	}
	raw, id := got.Raw.AssertionResponse, sha256.Sum256(n[:])
	s := Signature{
		Signing: what, ID: "g_" + hex.EncodeToString(id[:8]), Person: k.Person, Passkey: k.ID, Environment: a.Site.Environment, Nonce: n,
		AuthData: raw.AuthenticatorData, ClientData: raw.ClientDataJSON, Sig: raw.Signature, At: use.At,
	}
	rec := recordBy(use.At, k.Person, "sign", k.Person, map[string]string{"signature": s.ID, "act": string(what.Act), "object": what.Object, "revision": hex.EncodeToString(what.Revision[:])})
	if err := a.Store.AddSignature(ctx, use, s, rec); err != nil {
		return Signature{}, a.afterUse(ctx, k, err)
	}
	return s, nil
}

// maySign refuses an act that cannot be signed, and who may not do it there.
func (a *Account) maySign(p Principal, what Signing, communes []area.Code) error {
	if holders[what.Act] == nil || what.Object == "" || what.Revision == ([32]byte{}) {
		return ErrNotSignable
	}
	if _, ok := p.Session(); !ok {
		return fmt.Errorf("%s: %w", what.Act, ErrForbidden)
	}
	return p.Check(what.Act, communes)
}

// afterUse records a counter that went back.
func (a *Account) afterUse(ctx context.Context, k Passkey, err error) error {
	if errors.Is(err, ErrCloned) {
		return a.refuse(ctx, k.Person, "passkey", k, err)
	}
	return fmt.Errorf("account: use of a passkey: %w", err)
}

func (a *Account) requestOptions(challenge [32]byte, nonce channels.Secret, allowed []protocol.CredentialDescriptor) (Options, error) {
	return options(protocol.PublicKeyCredentialRequestOptions{
		Challenge: challenge[:], Timeout: int(CeremonyLimit.Milliseconds()), RelyingPartyID: a.Site.ID,
		AllowedCredentials: allowed, UserVerification: protocol.VerificationRequired,
	}, nonce)
}
