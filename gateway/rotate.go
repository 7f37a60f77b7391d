package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/audit"
	"loa/gateway/config"
	"loa/gateway/ledger"
)

// refKeptFor is how long references stay good that were given out before a
// change of the master key: providers report for some days.
const refKeptFor = 30 * 24 * time.Hour

// refKind is what the old reference key is sealed as.
const refKind channels.Kind = "delivery reference"

// Rotated is what a change of the master key did.
type Rotated struct {
	Resealed   int  // addresses, in this run
	Unreadable int  // addresses that neither key opens
	FileDone   bool // the data folder's own key was replaced
	// Old is the id of the key from before, empty if this run did not change it;
	// Kept is its file, if it was the data folder's own.
	Old, Kept string
}

// ErrLedgerInUse says that a ledger in PostgreSQL is used by others.
var ErrLedgerInUse = errors.New("other processes use this ledger in PostgreSQL; stop them all first")

// RotateKeys seals every address and passkey with a new master key. The configured key must
// be the old one, and no gateway may use the ledger. After a crash at any moment
// it is run again with the same two keys; until it has ended no gateway starts.
func RotateKeys(ctx context.Context, cfg *config.Config, fresh channels.Secret) (r Rotated, err error) {
	if cfg.Ledger.Postgres != "" { // whoever changes the key need not have run a gateway here
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return r, err
		}
	}
	lock, err := lockFolder(cfg.Data)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	old, err := configuredKeys(cfg)
	if err != nil {
		return r, err
	}
	next, err := deriveKeys(fresh)
	if err != nil {
		return r, fmt.Errorf("the new key: %w", err)
	}
	g := &Gateway{cfg: cfg, now: time.Now}
	if dsn := cfg.Ledger.Postgres; dsn != "" {
		g.ledger, err = ledger.OpenPostgres(ctx, dsn.Reveal(), ledger.Options{Alone: true})
	} else {
		g.ledger, err = ledger.OpenSQLite(ctx, ledgerFile(cfg.Data), ledger.Options{})
	}
	if errors.Is(err, ledger.ErrInUse) {
		return r, ErrLedgerInUse
	}
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.ledger.Close()) }()
	if err := g.rotate(ctx, old, next, &r); err != nil {
		return r, err
	}
	// The ledger has the new key: the folder follows.
	if old.name() != next.name() {
		r.Old = old.name()
	}
	if cfg.Keys.Master == "" {
		if r.Kept, err = keep(cfg.Data, r.Old); err != nil {
			return r, err
		}
		if err := replaceFile(filepath.Join(cfg.Data, masterFile), []byte(fresh.Reveal()+"\n")); err != nil {
			return r, err
		}
		r.FileDone = true
	}
	return r, replaceFile(filepath.Join(cfg.Data, keyID), []byte(next.name()+"\n"))
}

// keep copies a data folder's key to where it stays for the backups from before,
// durably, and says where. Without an id there is nothing to keep.
func keep(data, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	src, err := os.ReadFile(filepath.Join(data, masterFile)) //nolint:gosec // the data folder is the operator's
	if err != nil {
		return "", err
	}
	return keptKey(data, id), replaceFile(keptKey(data, id), src)
}

// rotate brings the ledger from one key to the other.
func (g *Gateway) rotate(ctx context.Context, old, next keys, r *Rotated) error {
	s, err := g.ledger.Guard(ctx)
	if err != nil {
		return err
	}
	if s.Key == next.name() {
		return nil // only the folder was left
	}
	if old.name() == next.name() {
		return errors.New("the new key is the configured one; keys.master must stay the old key until this has ended")
	}
	if s.Rotating == "" {
		if err := g.owned(ctx, old); err != nil {
			return err
		}
	} else if s.Key != old.name() {
		return ErrOtherKey
	}
	from, err := audience.NewVault(old.vault)
	if err != nil {
		return err
	}
	to, err := audience.NewVault(next.vault)
	if err != nil {
		return err
	}
	origin := pushOrigin(g.cfg)
	r.Resealed, r.Unreadable, err = g.ledger.Rekey(ctx, old.name(), next.name(), func(kind channels.Kind, commune area.Code, cipher []byte) ([]byte, [16]byte, error) {
		return audience.Reseal(from, to, kind, commune, origin, cipher)
	})
	if err != nil {
		return err
	}
	// Before the old key is gone: run again, those that are sealed anew are known.
	if err := g.ledger.ResealPasskeys(ctx, func(k account.Passkey) (account.Passkey, bool) { return k.Reseal(old.passkey, next.passkey) }); err != nil {
		return err
	}
	ref := to.Seal(refKind, channels.Address(base64.StdEncoding.EncodeToString(old.ref)))
	rec, err := rotateRecord(s.Ledger, old, next, g.now())
	if err != nil {
		return err
	}
	return g.ledger.FinishRekey(ctx, next.name(), ref, g.now().Add(refKeptFor), rec)
}

// rotateRecord tells of a change of keys. With it, checkpoints that the old key
// has signed stay good.
func rotateRecord(of string, old, next keys, now time.Time) (rec audit.Record, err error) {
	from, err := audit.NewKey(of, old.audit)
	if err != nil {
		return rec, err
	}
	to, err := audit.NewKey(of, next.audit)
	if err != nil {
		return rec, err
	}
	succession, err := audit.Succession(from, to)
	if err != nil {
		return rec, err
	}
	detail, err := json.Marshal(map[string]string{"from": old.name(), "to": next.name(), "succession": succession})
	return audit.Record{At: now, Actor: "system", Act: audit.ActRotate, Object: "ledger/" + of, Detail: string(detail)}, err
}

// pushOrigin is where push subscriptions of a drill may point.
func pushOrigin(cfg *config.Config) string {
	for _, c := range cfg.Channels {
		if c.Driver == "vapid" {
			return c.Origin
		}
	}
	return ""
}

// oldRefKeys opens the key of references from before the last change of keys.
func (g *Gateway) oldRefKeys(ctx context.Context, v *audience.Vault) ([][]byte, error) {
	sealed, until, err := g.ledger.OldRef(ctx)
	if err != nil || len(sealed) == 0 || !g.now().Before(until) {
		return nil, err
	}
	text, err := v.Open(refKind, sealed)
	if err != nil {
		return nil, fmt.Errorf("the old reference key: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(text.Reveal())
	return [][]byte{key}, err
}

// NewKey reads the key of a file, or makes one there if it is not there yet, so
// that it is durable before anything is sealed with it.
func NewKey(file string) (channels.Secret, error) {
	src, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if errors.Is(err, os.ErrNotExist) {
		if _, err := masterAt(file); err != nil {
			return "", err
		}
		if src, err = os.ReadFile(file); err != nil { //nolint:gosec // as above
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	return channels.Secret(trimmed(src)), nil
}
