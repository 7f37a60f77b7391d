package ledger

import (
	"bytes"
	"context"
	"time"

	"loa/gateway/account"
	"loa/gateway/audit"
)

const passkeyColumns = "id, person, key, counter, eligible, backed, aaguid, mac, created, used, cloned, revoked" // #nosec G101 -- names of columns

func scanPasskey(scan func(...any) error) (k account.Passkey, err error) {
	var eligible, backed, created, used, cloned, revoked int64
	err = scan(&k.ID, &k.Person, &k.Key, &k.Counter, &eligible, &backed, &k.AAGUID, &k.Seal, &created, &used, &cloned, &revoked)
	k.Eligible, k.Backed = eligible != 0, backed != 0
	k.CreatedAt, k.UsedAt, k.ClonedAt, k.RevokedAt = fromNS(created), fromNS(used), fromNS(cloned), fromNS(revoked)
	return k, err
}

func insertPasskey(t tx, k account.Passkey) error {
	n, err := t.exec("INSERT INTO passkey ("+passkeyColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
		k.ID, k.Person, k.Key, int64(k.Counter), bit(k.Eligible), bit(k.Backed), append([]byte{}, k.AAGUID...), k.Seal,
		ns(k.CreatedAt), ns(k.UsedAt), ns(k.ClonedAt), ns(k.RevokedAt))
	if err == nil && n == 0 {
		err = account.ErrPasskeyTaken
	}
	return err
}

// Passkey finds a passkey, a revoked one too.
func (l accountStore) Passkey(ctx context.Context, id []byte) (account.Passkey, error) {
	return only(ctx, l, "passkey", account.ErrUnknownPasskey, scanPasskey, "SELECT "+passkeyColumns+" FROM passkey WHERE id = ?", id)
}

// Passkeys lists a person's or everybody's, the oldest first.
func (l accountStore) Passkeys(ctx context.Context, person string) ([]account.Passkey, error) {
	return list(ctx, l, "passkeys", scanPasskey, "SELECT "+passkeyColumns+" FROM passkey WHERE person = ? OR ? = '' ORDER BY created, id", person, person)
}

// AddPasskey stores another passkey of a person.
func (l accountStore) AddPasskey(ctx context.Context, k account.Passkey, rec audit.Record) error {
	return l.act(ctx, "add passkey", func(t tx) error {
		if err := insertPasskey(t, k); err != nil {
			return err
		}
		return endSetup(t, []audit.Record{rec})
	})
}

// RevokePasskey ends a passkey. The first revocation stays.
func (l accountStore) RevokePasskey(ctx context.Context, id []byte, at time.Time, rec audit.Record) error {
	return l.act(ctx, "revoke passkey", func(t tx) error {
		return found(t.exec("UPDATE passkey SET revoked = CASE WHEN revoked = 0 THEN ? ELSE revoked END WHERE id = ?", ns(at), id))
	}, rec)
}

// Cloned marks a passkey. The first time stays.
func (l accountStore) Cloned(ctx context.Context, id []byte, at time.Time, rec audit.Record) error {
	return l.act(ctx, "passkey", func(t tx) error {
		return found(t.exec("UPDATE passkey SET cloned = CASE WHEN cloned = 0 THEN ? ELSE cloned END WHERE id = ?", ns(at), id))
	}, rec)
}

// AddCeremony stores a challenge and forgets those that have expired.
func (l accountStore) AddCeremony(ctx context.Context, c account.Ceremony, now time.Time) error {
	return l.act(ctx, "ceremony", func(t tx) error {
		if _, err := t.exec("DELETE FROM ceremony WHERE expires <= ?", ns(now)); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO ceremony (hash, purpose, person, act, object, revision, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
			bytes.Clone(c.Hash[:]), c.Purpose, c.Person, string(c.Act), c.Object, bytes.Clone(c.Revision[:]), ns(c.ExpiresAt))
		return err
	})
}

// TakeCeremony returns a challenge and forgets it.
func (l accountStore) TakeCeremony(ctx context.Context, hash [32]byte) (c account.Ceremony, err error) {
	err = l.act(ctx, "ceremony", func(t tx) error {
		var revision []byte
		var expires int64
		c = account.Ceremony{Hash: hash}
		ok, err := one(t, "DELETE FROM ceremony WHERE hash = ? RETURNING purpose, person, act, object, revision, expires", []any{hash[:]},
			&c.Purpose, &c.Person, &c.Act, &c.Object, &revision, &expires)
		if err == nil && !ok {
			err = account.ErrCeremony
		}
		copy(c.Revision[:], revision)
		c.ExpiresAt = fromNS(expires)
		return err
	})
	if err != nil {
		return account.Ceremony{}, err
	}
	return c, nil
}

// use moves a passkey's counter on. It must rise, unless the authenticator has
// none (WebAuthn level 3, section 6.1.1).
func use(t tx, u account.Use) error {
	n, err := t.exec("UPDATE passkey SET counter = ?, backed = ?, used = ? WHERE id = ? AND revoked = 0 AND (counter < ? OR counter = 0 AND ? = 0)",
		int64(u.Counter), bit(u.Backed), ns(u.At), u.Passkey, int64(u.Counter), int64(u.Counter))
	if err != nil || n > 0 {
		return err
	}
	var revoked int64
	ok, err := one(t, "SELECT revoked FROM passkey WHERE id = ?", []any{u.Passkey}, &revoked)
	switch {
	case err != nil:
		return err
	case !ok:
		return account.ErrUnknownPasskey
	case revoked != 0:
		return account.ErrRevokedPasskey
	}
	return account.ErrCloned
}

// SignIn stores a use of a passkey and opens a session in place of another.
func (l accountStore) SignIn(ctx context.Context, u account.Use, s account.Session, replaced [32]byte, rec audit.Record) error {
	return l.act(ctx, "sign in", func(t tx) error {
		if err := use(t, u); err != nil {
			return err
		}
		if replaced != ([32]byte{}) {
			if _, err := t.exec("UPDATE session SET ended = ? WHERE hash = ? AND ended = 0", ns(s.CreatedAt), replaced[:]); err != nil {
				return err
			}
		}
		return insertSession(t, s)
	}, rec)
}

const signedColumns = "id, person, passkey, environment, act, object, revision, nonce, auth_data, client_data, signature, at"

// AddSignature stores a use of a passkey and what it signed.
func (l accountStore) AddSignature(ctx context.Context, u account.Use, s account.Signature, rec audit.Record) error {
	return l.act(ctx, "signature", func(t tx) error {
		if err := use(t, u); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO signed_act ("+signedColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			s.ID, s.Person, s.Passkey, s.Environment, string(s.Act), s.Object, bytes.Clone(s.Revision[:]), bytes.Clone(s.Nonce[:]),
			s.AuthData, s.ClientData, s.Sig, ns(s.At))
		return err
	}, rec)
}

// Signatures lists what was signed about an object, the oldest first.
func (l accountStore) Signatures(ctx context.Context, object string) ([]account.Signature, error) {
	return list(ctx, l, "signatures", func(scan func(...any) error) (s account.Signature, err error) {
		var revision, nonce []byte
		var at int64
		err = scan(&s.ID, &s.Person, &s.Passkey, &s.Environment, &s.Act, &s.Object, &revision, &nonce, &s.AuthData, &s.ClientData, &s.Sig, &at)
		copy(s.Revision[:], revision)
		copy(s.Nonce[:], nonce)
		s.At = fromNS(at)
		return s, err
	}, "SELECT "+signedColumns+" FROM signed_act WHERE object = ? ORDER BY at, id", object)
}
