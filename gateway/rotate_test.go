package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/audience"
)

// rotateEnv names the data folder of a process that changes its key.
const rotateEnv = "LOA_TEST_ROTATE"

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
	if _, err := RotateKeys(context.WithoutCancel(t.Context()), cfg, key); err != nil {
		t.Fatal(err)
	}
}

// A change of keys is killed again and again: no gateway starts meanwhile; in
// the end everybody is found by their number and reached, and references that
// were given out before are still good.
func TestRotateIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	g, err := New(t.Context(), muteOptions(t, data))
	if err != nil {
		t.Fatal(err)
	}
	people := 20000
	if testing.Short() {
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
		cmd.Env = append(os.Environ(), rotateEnv+"="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(kill, func() { _ = cmd.Process.Kill() })
		ended := cmd.Wait() == nil
		timer.Stop()
		if ended {
			break
		}
		switch g, err := New(t.Context(), muteOptions(t, data)); {
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
	g, err = New(t.Context(), muteOptions(t, data))
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, g)
	open, err := g.Audience.Open(t.Context(), channels.SMS, "07192", "vi", ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range open {
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
	if err := sink(t.Context(), channels.Receipt{Kind: channels.SMS, Ref: "A" + ref[1:len(ref)-1] + "_", Outcome: channels.Delivered}); !errors.Is(err, channels.ErrUnknownRef) {
		t.Errorf("a forged reference: %v", err)
	}
	g.now = func() time.Time { return time.Now().Add(refKeptFor + time.Hour) }
	if keys, err := g.oldRefKeys(t.Context(), g.Audience.Vault); err != nil || len(keys) != 0 {
		t.Errorf("after a month: %d keys, %v", len(keys), err)
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
