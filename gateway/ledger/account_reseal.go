package ledger

import (
	"context"

	"loa/gateway/account"
)

// ResealPasskeys gives passkeys a seal of a new key, all in one transaction. One
// for which reseal is false keeps the seal that it has.
func (l *Ledger) ResealPasskeys(ctx context.Context, reseal func(account.Passkey) (account.Passkey, bool)) error {
	s := accountStore{l}
	return s.act(ctx, "reseal passkeys", func(t tx) error {
		var all []account.Passkey
		err := t.each("SELECT "+passkeyColumns+" FROM passkey", nil, func(scan func(...any) error) error {
			k, err := scanPasskey(scan)
			all = append(all, k)
			return err
		})
		if err != nil {
			return err
		}
		for _, k := range all {
			next, ok := reseal(k)
			if !ok {
				continue
			}
			if _, err := t.exec("UPDATE passkey SET mac = ? WHERE id = ?", next.Seal, k.ID); err != nil {
				return err
			}
		}
		return nil
	})
}
