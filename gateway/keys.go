package gateway

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"loa/channels"
	"loa/gateway/config"
)

// keys are derived from the master key, one for each purpose.
type keys struct {
	vault []byte // seals addresses
	ref   []byte // authenticates delivery references
	id    []byte // tells keys apart and nothing about them
	audit []byte // signs checkpoints of the record
	// passkey seals passkeys: a row written past the gateway has no seal.
	passkey []byte
}

func deriveKeys(master channels.Secret) (keys, error) {
	if err := config.CheckMaster(master); err != nil {
		return keys{}, fmt.Errorf("keys.master: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(master.Reveal())
	if err != nil {
		return keys{}, errors.New("keys.master: not base64")
	}
	var k keys
	for purpose, into := range map[string]*[]byte{"loa vault 1": &k.vault, "loa delivery reference 1": &k.ref, "loa key id 1": &k.id, "loa audit checkpoint 1": &k.audit, "loa passkey 1": &k.passkey} {
		if *into, err = hkdf.Key(sha256.New, raw, nil, purpose, 32); err != nil {
			return keys{}, fmt.Errorf("keys.master: %w", err)
		}
	}
	return k, nil
}

// ErrOtherKey says that a data folder was sealed with another master key.
var ErrOtherKey = errors.New("keys.master is not the key that this data folder was sealed with: bring the right one back, or nobody in it can be addressed")

// belongTo refuses a key that is not the folder's. The first start leaves the
// key's id there.
func (k keys) belongTo(data string) error {
	err := k.compare(data)
	if errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(filepath.Join(data, keyID), []byte(k.name()+"\n"), 0o600)
	}
	return err
}

// keyID is the file with the id of the key that a data folder was sealed with.
const keyID = "master.id"

func (k keys) name() string { return base64.StdEncoding.EncodeToString(k.id[:9]) }

// compare is belongTo without leaving anything: an error of fs.ErrNotExist says
// that the folder belongs to no key yet.
func (k keys) compare(data string) error {
	src, err := os.ReadFile(filepath.Join(data, keyID)) //nolint:gosec // the data folder is the operator's
	if err != nil {
		return fmt.Errorf("master key: %w", err)
	}
	if strings.TrimSpace(string(src)) != k.name() {
		return ErrOtherKey
	}
	return nil
}

// masterFile is the key of a data folder without a configured one.
const masterFile = "master.key"

// keptKey is where a key of a data folder is kept after a change of keys, for
// the backups from before: master.key.ID.
func keptKey(data, id string) string {
	return filepath.Join(data, masterFile+"."+strings.NewReplacer("/", "_", "+", "-").Replace(id))
}

func trimmed(src []byte) string { return strings.TrimSpace(string(src)) }

// ErrRotating says that a change of the master key was begun and not ended.
var ErrRotating = errors.New("a change of the master key was interrupted: run \"loa keys rotate\" again, with the same new key")

// owned refuses a key that is not the ledger's. A ledger that has none yet is
// the folder's, and takes the folder's key. A folder beside a ledger whose key
// was changed from elsewhere follows it.
func (g *Gateway) owned(ctx context.Context, k keys) error {
	s, err := g.ledger.Guard(ctx)
	if err != nil {
		return err
	}
	if g.guard != nil {
		g.guard.key = k.name()
	}
	switch {
	case s.Rotating != "":
		return ErrRotating
	case s.Key == "":
		if err := k.belongTo(g.cfg.Data); err != nil {
			return err
		}
		return g.ledger.TakeKey(ctx, k.name())
	case s.Key != k.name():
		return ErrOtherKey
	case k.compare(g.cfg.Data) != nil:
		return replaceFile(filepath.Join(g.cfg.Data, keyID), []byte(k.name()+"\n"))
	default:
		return nil
	}
}

// masterIn reads the key of a data folder, or makes it at the first start. It
// serves installations without a configuration file.
func masterIn(data string) (channels.Secret, error) {
	path := filepath.Join(data, masterFile)
	src, err := os.ReadFile(path) //nolint:gosec // the data folder is the operator's
	if err == nil {
		return channels.Secret(strings.TrimSpace(string(src))), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("master key: %w", err)
	}
	return masterAt(path)
}

// masterAt makes a key and keeps it in a file, durably.
func masterAt(path string) (channels.Secret, error) {
	var raw [32]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("master key: %w", err)
	}
	text := base64.StdEncoding.EncodeToString(raw[:])
	if err := replaceFile(path, []byte(text+"\n")); err != nil {
		return "", fmt.Errorf("master key: %w", err)
	}
	return channels.Secret(text), nil
}
