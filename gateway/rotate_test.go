package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/audience"
	"loa/gateway/ledger"
)

// rotateEnv names the data folder of a process that changes its key, rotatePG
// its database, if it is in PostgreSQL.
const (
	rotateEnv = "LOA_TEST_ROTATE"
	rotatePG  = "LOA_TEST_ROTATE_POSTGRES"
)

// TestRotateVictim is not a test: TestRotateIsKilled runs it and kills it.
func TestRotateVictim(t *testing.T) {
	dir := os.Getenv(rotateEnv)
	if dir == "" {
		return
	}
	key, err := NewKey(filepath.Join(dir, "new"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := muteOptions(t, filepath.Join(dir, "data")).Config
	cfg.Ledger.Postgres = channels.Secret(os.Getenv(rotatePG))
	if _, err := RotateKeys(context.WithoutCancel(t.Context()), cfg, key); err != nil {
		t.Fatal(err)
	}
}

// A change of keys is killed again and again: no gateway starts meanwhile; in
// the end everybody is found by their number and reached, and references that
// were given out before are still good.
func TestRotateIsKilled(t *testing.T) {
	t.Parallel()
	bothLedgers(t, testRotateIsKilled)
}

func testRotateIsKilled(t *testing.T, postgres channels.Secret) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	open := func() (*Gateway, error) {
		o := muteOptions(t, data)
		o.Config.Ledger.Postgres = postgres
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			g, err := New(t.Context(), o)
			if !errors.Is(err, ledger.ErrInUse) || time.Now().After(end) {
				return g, err
			}
			// PostgreSQL has not noticed yet that the process was killed.
		}
	}
	g, err := open()
	if err != nil {
		t.Fatal(err)
	}
	people := 20000
	if testing.Short() || postgres != "" {
		people = 5000
	}
	es := make([]audience.Endpoint, people)
	number := func(i int) channels.Address { return channels.Address(fmt.Sprintf("+8491%07d", i)) }
	for i := range es {
		es[i] = audience.Endpoint{Kind: channels.SMS, Commune: "07192", Language: "vi", Basis: audience.Duty, Address: number(i)}
	}
	ids, err := g.Audience.Add(t.Context(), time.Now(), es)
	if err != nil {
		t.Fatal(err)
	}
	ref := g.Engine.Ref(7, 3, 1)
	if err := g.Audience.Store.Retire(t.Context(), ids[:1], time.Now(), "test"); err != nil {
		t.Fatal(err)
	}
	oldKey := trimmed(read(t, filepath.Join(data, masterFile)))
	if _, err := RotateKeys(t.Context(), g.cfg, channels.Secret(oldKey)); !errors.Is(err, ErrRunning) {
		t.Errorf("beside a running gateway: %v", err)
	}
	closed(t, g)

	between := 0
	for kill := 20 * time.Millisecond; ; kill += max(kill/5, 15*time.Millisecond) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRotateVictim$")
		cmd.Env = append(os.Environ(), rotateEnv+"="+dir, rotatePG+"="+postgres.Reveal())
		var said bytes.Buffer
		cmd.Stdout = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(kill, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		if cmd.ProcessState.ExitCode() >= 0 {
			t.Fatalf("it was not killed and has failed: %v\n%s", err, &said)
		}
		switch g, err := open(); {
		case err == nil:
			closed(t, g) // killed before it began
		case errors.Is(err, ErrRotating):
			between++
		case errors.Is(err, ErrOtherKey):
			// killed between the ledger's end and the folder's
		default:
			t.Fatal(err)
		}
	}
	if between == 0 {
		t.Error("it was never killed between the two keys")
	}
	t.Logf("killed %d times between the two keys", between)

	if now := trimmed(read(t, filepath.Join(data, masterFile))); now == oldKey || now != trimmed(read(t, filepath.Join(dir, "new"))) {
		t.Error("the folder's key is not the new one")
	}
	g, err = open()
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, g)
	addresses, err := g.Audience.Open(t.Context(), channels.SMS, "07192", "vi", ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range addresses {
		if i == 0 {
			continue // retired
		}
		if a != number(i) {
			t.Fatalf("endpoint %d opens as another address", ids[i])
		}
		if i%97 != 0 {
			continue
		}
		if id, err := g.Audience.Find(t.Context(), channels.SMS, number(i)); err != nil || id != ids[i] {
			t.Fatalf("number of endpoint %d: found %d, %v", ids[i], id, err)
		}
	}
	// An unknown batch is counted and taken; a forged reference is refused.
	sink := g.Engine.Sink()
	if err := sink(t.Context(), channels.Receipt{Kind: channels.SMS, Ref: ref, Outcome: channels.Delivered}); err != nil {
		t.Errorf("a reference from before: %v", err)
	}
	forged := []byte(ref)
	if last := len(forged) - 1; forged[last] == 'A' {
		forged[last] = 'B'
	} else {
		forged[last] = 'A'
	}
	if err := sink(t.Context(), channels.Receipt{Kind: channels.SMS, Ref: string(forged), Outcome: channels.Delivered}); !errors.Is(err, channels.ErrUnknownRef) {
		t.Errorf("a forged reference: %v", err)
	}
	g.now = func() time.Time { return time.Now().Add(refKeptFor + time.Hour) }
	if keys, err := g.oldRefKeys(t.Context(), g.Audience.Vault); err != nil || len(keys) != 0 {
		t.Errorf("after a month: %d keys, %v", len(keys), err)
	}
}

// A vault tells its keys apart by one byte: two keys that share it are as good
// as others.
func TestRotateToAKeyOfTheSameByte(t *testing.T) {
	t.Parallel()
	seen := map[byte]channels.Secret{}
	var first, second channels.Secret
	for i := 0; second == ""; i++ {
		raw := sha256.Sum256(fmt.Append(nil, i))
		key := channels.Secret(base64.StdEncoding.EncodeToString(raw[:]))
		k, err := deriveKeys(key)
		if err != nil {
			t.Fatal(err)
		}
		v, err := audience.NewVault(k.vault)
		if err != nil {
			t.Fatal(err)
		}
		if b := v.Seal(channels.SMS, "+84912345678")[0]; seen[b] != "" {
			first, second = seen[b], key
		} else {
			seen[b] = key
		}
	}
	o := muteOptions(t, t.TempDir())
	o.Config.Keys.Master = first
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := g.Audience.Add(t.Context(), time.Now(), []audience.Endpoint{{Kind: channels.SMS, Commune: "07192", Language: "vi", Basis: audience.Duty, Address: "+84912345678"}})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, g)
	if r, err := RotateKeys(t.Context(), o.Config, second); err != nil || r.Resealed != 1 || r.Unreadable != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	o.Config.Keys.Master = second
	if g, err = New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	defer closed(t, g)
	if id, err := g.Audience.Find(t.Context(), channels.SMS, "+84912345678"); err != nil || id != ids[0] {
		t.Errorf("found %d, %v", id, err)
	}
	if open, err := g.Audience.Open(t.Context(), channels.SMS, "07192", "vi", ids); err != nil || open[0] != "+84912345678" {
		t.Errorf("%v, %v", open, err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return src
}
