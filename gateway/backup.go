package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"loa/channels"
	"loa/gateway/audience"
	"loa/gateway/config"
	"loa/gateway/ledger"
	"loa/gateway/queue"
)

// Manifest says what a backup holds. It stands beside it, in FILE.json.
type Manifest struct {
	Ledger     string    `json:"ledger"`
	Generation int64     `json:"generation"`
	Schema     int64     `json:"schema"`
	Key        string    `json:"key"` // id of the master key, without which nobody in it can be addressed
	TakenAt    time.Time `json:"takenAt"`
	Size       int64     `json:"size"` // bytes
	SHA256     string    `json:"sha256"`
}

// ErrPostgres says how a ledger in PostgreSQL is backed up.
var ErrPostgres = errors.New(`the ledger is in PostgreSQL, whose own tools back it up while Loa runs, and restore it while no gateway does:
  pg_dump --format=custom --file=loa.dump URL
  pg_restore --clean --if-exists --exit-on-error --dbname=URL loa.dump
Keep keys.master apart from it. A restored dump starts on hold: loa serve, then "loa hold status". A copy of the server's
files (pg_basebackup, a snapshot) is on hold only if Redis or the witness file has seen a later state: bring one of them along`)

func manifestOf(file string) string { return file + ".json" }

// Backup copies the ledger, while it is used, to a file that must not be there
// yet, and its manifest beside it. The copy starts on hold wherever it is put.
func (g *Gateway) Backup(ctx context.Context, file string) (m Manifest, err error) {
	if !filepath.IsAbs(file) {
		return m, errors.New("backup: the whole path of the file is required")
	}
	for _, name := range []string{file, manifestOf(file)} {
		if _, err := os.Lstat(name); err == nil {
			return m, fmt.Errorf("backup: %s is there already", name)
		}
	}
	part := file + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("backup: %w", err)
	}
	if err := g.ledger.Copy(ctx, part); err != nil {
		if errors.Is(err, ledger.ErrNoFile) {
			err = ErrPostgres
		}
		return m, errors.Join(err, drop(part))
	}
	if m, err = describe(ctx, part, g.now()); err == nil {
		err = os.Chmod(part, 0o600)
	}
	if err == nil {
		err = os.Rename(part, file)
	}
	if err != nil {
		return m, errors.Join(fmt.Errorf("backup: %w", err), drop(part))
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = replaceFile(manifestOf(file), append(text, '\n'))
	}
	if err != nil {
		return m, fmt.Errorf("backup: manifest: %w", err)
	}
	g.log.InfoContext(ctx, "the ledger was backed up", "generation", m.Generation, "bytes", m.Size)
	return m, nil
}

func drop(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func describe(ctx context.Context, file string, now time.Time) (m Manifest, err error) {
	f, err := ledger.Inspect(ctx, file, now)
	if err != nil {
		return m, err
	}
	m = Manifest{Ledger: f.Ledger, Generation: f.Generation, Schema: f.Schema, Key: f.Key, TakenAt: now.UTC()}
	m.Size, m.SHA256, err = digest(file)
	return m, err
}

func digest(file string) (size int64, sum string, err error) {
	src, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	size, err = io.Copy(h, src)
	// What is hashed here is to be durable: the copy was closed without it.
	return size, hex.EncodeToString(h.Sum(nil)), errors.Join(err, src.Sync(), src.Close())
}

// Restorable is what a backup was found to be.
type Restorable struct {
	Manifest Manifest
	Facts    ledger.Facts
	Mirrors  []string // what each mirror says of its generation
}

// CheckBackup says whether a backup can be restored for this configuration: its
// manifest, its pages, its schema, its key. It changes nothing, and says what
// the mirrors know of its ledger.
func CheckBackup(ctx context.Context, cfg *config.Config, file string) (r Restorable, err error) {
	if cfg.Ledger.Postgres != "" {
		return r, ErrPostgres
	}
	text, err := os.ReadFile(manifestOf(file))
	if err != nil {
		return r, fmt.Errorf("the manifest of the backup: %w", err)
	}
	if err := json.Unmarshal(text, &r.Manifest); err != nil {
		return r, fmt.Errorf("the manifest of the backup: %w", err)
	}
	size, sum, err := digest(file)
	if err != nil {
		return r, err
	}
	switch {
	case size != r.Manifest.Size:
		return r, fmt.Errorf("%s is not the file of its manifest: it has %d bytes and not %d", file, size, r.Manifest.Size)
	case sum != r.Manifest.SHA256:
		return r, fmt.Errorf("%s is not the file of its manifest: its %d bytes are as many as they should be, and their contents differ (SHA-256 %.12s…, not %.12s…)", file, size, sum, r.Manifest.SHA256)
	}
	if r.Facts, err = ledger.Inspect(ctx, file, time.Now()); err != nil {
		return r, err
	}
	if err := rightKey(cfg, r.Facts); err != nil {
		return r, err
	}
	r.Mirrors = mirrors(ctx, cfg, r.Facts)
	return r, nil
}

// rightKey opens an address of each kind with the configured key.
func rightKey(cfg *config.Config, f ledger.Facts) error {
	k, err := configuredKeys(cfg)
	if err != nil {
		return err
	}
	if f.Rotating != "" {
		return ErrRotating
	}
	if f.Key != "" && f.Key != k.name() {
		return backupKey(cfg, f.Key, k.name())
	}
	vault, err := audience.NewVault(k.vault)
	if err != nil {
		return err
	}
	for _, s := range f.Sealed {
		if _, err := vault.Open(s.Kind, s.Cipher); err != nil {
			return fmt.Errorf("%w (%s)", backupKey(cfg, f.Key, k.name()), s.Kind)
		}
	}
	return nil
}

// ErrBackupKey says that a backup was sealed with another key than the
// configured one.
var ErrBackupKey = errors.New("the key of this backup is missing")

// backupKey says which key a backup needs and where it may lie.
func backupKey(cfg *config.Config, id, configured string) error {
	if id == "" || id == configured {
		return fmt.Errorf("%w: its addresses do not open with the configured key (%s); set keys.master_file to the key of its time", ErrBackupKey, configured)
	}
	kept := keptKey(cfg.Data, id)
	where := fmt.Sprintf("a change of keys in a data folder keeps it there as %s; elsewhere it is what keys.master_file was when the backup was made", filepath.Base(kept))
	if _, err := os.Stat(kept); err == nil {
		where = "it lies in " + kept
	}
	return fmt.Errorf("%w: it was sealed with key %s, and the configured one is %s; %s: set keys.master_file to it, and keep the present key too", ErrBackupKey, id, configured, where)
}

// mirrors says what the mirrors know of the ledger.
func mirrors(ctx context.Context, cfg *config.Config, f ledger.Facts) (said []string) {
	tell := func(name string, seen int64, err error) {
		switch {
		case err != nil:
			said = append(said, fmt.Sprintf("%s: %s", name, redact(err.Error())))
		case seen > f.Generation:
			said = append(said, fmt.Sprintf("%s has seen generation %d of this ledger: the backup is older", name, seen))
		case seen == 0:
			said = append(said, name+" does not know this ledger")
		default:
			said = append(said, fmt.Sprintf("%s has seen generation %d of this ledger: nothing later", name, seen))
		}
	}
	if cfg.Witness != "" {
		seen, err := witnessFile(cfg.Witness).seen(f.Ledger)
		tell("the witness file", seen, err)
	}
	if cfg.Redis.None || cfg.Redis.Embedded {
		return said
	}
	q, err := queue.Open(ctx, queueOptions(cfg.Redis, nil))
	if err != nil {
		tell("Redis", 0, err)
		return said
	}
	seen, err := q.Seen(ctx, f.Ledger)
	tell("Redis", seen, errors.Join(err, q.Close()))
	return said
}

// Restore puts a backup that CheckBackup admits into a data folder without a
// ledger, which no process may be using.
func Restore(ctx context.Context, cfg *config.Config, file string) (r Restorable, err error) {
	if r, err = CheckBackup(ctx, cfg, file); err != nil {
		return r, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return r, err
	}
	lock, err := lockFolder(cfg.Data)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	to := ledgerFile(cfg.Data)
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(to + end); err == nil {
			return r, fmt.Errorf("%s is there: a ledger may hold what the backup does not; move loa.db and its -wal and -shm away first, and keep them", to+end)
		}
	}
	k, err := configuredKeys(cfg)
	if err != nil {
		return r, err
	}
	if err := drop(ledger.SumsPath(to)); err != nil { // of the file that was moved away
		return r, fmt.Errorf("restore: %w", err)
	}
	if err := copyFile(file, to); err != nil {
		return r, fmt.Errorf("restore: %w", err)
	}
	return r, replaceFile(filepath.Join(cfg.Data, keyID), []byte(k.name()+"\n"))
}

// ledgerFile is the ledger of a data folder.
func ledgerFile(data string) string { return filepath.Join(data, "loa.db") }

// copyFile copies durably: the name appears when all of the file is there.
func copyFile(from, to string) error {
	src, err := os.Open(from) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	part := to + ".part"
	dst, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // in the operator's folder
	if err != nil {
		return errors.Join(err, src.Close())
	}
	_, err = io.Copy(dst, src)
	err = errors.Join(err, dst.Sync(), dst.Close(), src.Close())
	if err == nil {
		err = os.Rename(part, to)
	}
	if err != nil {
		return errors.Join(err, drop(part))
	}
	return syncFolder(filepath.Dir(to))
}

// backupHandler makes a backup for the owner of the machine.
func (g *Gateway) backupHandler(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/v1/backup", answerWith(func(r *http.Request) (any, error) {
		var in struct {
			File string `json:"file"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<16)).Decode(&in); err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		return g.Backup(r.Context(), in.File)
	}))
}

// configuredKeys derives the keys of a configuration, or of its data folder. It
// makes none.
func configuredKeys(cfg *config.Config) (keys, error) {
	master := cfg.Keys.Master
	if master == "" {
		src, err := os.ReadFile(filepath.Join(cfg.Data, masterFile))
		if err != nil {
			return keys{}, fmt.Errorf("master key: %w (bring the key of the backup, or set keys.master)", err)
		}
		master = channels.Secret(trimmed(src))
	}
	return deriveKeys(master)
}
