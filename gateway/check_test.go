package gateway

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"loa/channels"
	"loa/configs"
	"loa/gateway/config"
	"loa/gateway/render"
	"loa/templates"
)

// muteOptions are those of openMute, on a folder and a free port.
func muteOptions(t *testing.T, data string) Options {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Redis, cfg.Listen = data, config.Redis{None: true}, "127.0.0.1:0"
	cfg.Channels = []config.Channel{{Driver: "mute"}}
	return Options{
		Config: cfg, Templates: templates.FS, Facts: configs.Areas,
		Parts:   func(string) (int, string) { return 1, "UCS-2" },
		Drivers: []channels.Driver{{Name: "mute", Kind: channels.SMS, Open: func(func(any) error, channels.Deps) (any, error) { return mute{}, nil }}},
	}
}

// examined is what Examine finds but that muteOptions names no sender of SMS.
func examined(t *testing.T, o Options, online bool) Findings {
	t.Helper()
	found := Examine(t.Context(), o, online)
	found.Notes = slices.DeleteFunc(found.Notes, func(n string) bool { return strings.HasPrefix(n, "sms.senders: names nobody") })
	return found
}

// file puts a file into a folder, with a mode that the umask does not change.
func file(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// sealedLedger puts a ledger with a key of its own into a folder that knows of
// no key.
func sealedLedger(t *testing.T, o *Options) { ledgerOfAKey(t, o, nil) }

func ledgerOfAKey(t *testing.T, o *Options, act func(*Gateway) error) (key channels.Secret) {
	t.Helper()
	data := t.TempDir()
	g, err := New(t.Context(), muteOptions(t, data))
	if err != nil {
		t.Fatal(err)
	}
	if act != nil {
		err = act(g)
	}
	if err := errors.Join(err, g.Close()); err != nil {
		t.Fatal(err)
	}
	file(t, ledgerFile(o.Config.Data), string(read(t, ledgerFile(data))), 0o600)
	return channels.Secret(trimmed(read(t, filepath.Join(data, masterFile))))
}

// The ledger's key counts: a folder that knows another follows it, and a start
// and the check say the same of it.
func TestCheckGoesByTheLedgersKey(t *testing.T) {
	t.Parallel()
	o := muteOptions(t, t.TempDir())
	o.Config.Keys.Master = ledgerOfAKey(t, &o, nil)
	file(t, filepath.Join(o.Config.Data, keyID), "AAAAAAAAAAAA\n", 0o600)
	before := read(t, ledgerFile(o.Config.Data))
	if found := examined(t, o, false); len(found.Faults)+len(found.Notes) > 0 {
		t.Errorf("%v", found)
	}
	if !bytes.Equal(before, read(t, ledgerFile(o.Config.Data))) {
		t.Error("the check has changed the ledger")
	}
	// What a crash has left may know better.
	file(t, ledgerFile(o.Config.Data)+"-wal", "a log", 0o600)
	right := o.Config.Keys.Master
	o.Config.Keys.Master = otherKey
	if found := examined(t, o, false); len(found.Faults) > 0 || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "its log") {
		t.Errorf("behind a log: %v", found)
	}
	if err := os.Remove(ledgerFile(o.Config.Data) + "-wal"); err != nil {
		t.Fatal(err)
	}
	o.Config.Keys.Master = right
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, g)
}

// horn is a broadcaster that reaches nobody.
type horn struct{}

func (horn) Kind() channels.Kind { return channels.App }
func (horn) Live() bool          { return false }

func (horn) Broadcast(context.Context, channels.Message, []string) (channels.Ack, error) {
	return channels.Ack{}, nil
}

const otherKey = "S2V5IG9mIGEgdGVzdCwgMzIgYnl0ZXMgbG9uZy4uLiE="

// TestCheckSaysWhatNewFailsOn breaks what a start stands on, one thing at a
// time: New must fail, and the check must say so before.
func TestCheckSaysWhatNewFailsOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ruin func(t *testing.T, o *Options)
		want string
	}{
		"data is a file": {func(t *testing.T, o *Options) {
			o.Config.Data += "/file"
			file(t, o.Config.Data, "", 0o600)
		}, "is not a folder"},
		"a parent is a file": {func(t *testing.T, o *Options) {
			file(t, o.Config.Data+"/file", "", 0o600)
			o.Config.Data += "/file/data"
		}, "file"},
		"nothing can be made there": {func(_ *testing.T, o *Options) { o.Config.Data = "/proc/loa/data" }, "/proc cannot be written to"},
		"too long for a socket":     {func(_ *testing.T, o *Options) { o.Config.Data += "/" + strings.Repeat("x", 100) }, "the path of the socket"},
		"sealed with another key": {func(t *testing.T, o *Options) {
			file(t, o.Config.Data+"/master.id", "AAAAAAAAAAAA\n", 0o600)
			o.Config.Keys.Master = otherKey
		}, ErrOtherKey.Error()},
		"its key is gone": {func(t *testing.T, o *Options) { file(t, o.Config.Data+"/master.id", "AAAAAAAAAAAA\n", 0o600) }, ErrOtherKey.Error()},
		"its key is weak": {func(t *testing.T, o *Options) { file(t, o.Config.Data+"/master.key", "AAAA\n", 0o600) }, "keys.master"},
		"a ledger of another key": {func(t *testing.T, o *Options) {
			sealedLedger(t, o)
			o.Config.Keys.Master = otherKey
		}, ErrOtherKey.Error()},
		"a ledger whose key is gone": {sealedLedger, ErrOtherKey.Error()},
		"between two keys": {func(t *testing.T, o *Options) {
			k := ledgerOfAKey(t, o, func(g *Gateway) error {
				_, _, err := g.ledger.Rekey(t.Context(), g.guard.key, "another", nil)
				return err
			})
			o.Config.Keys.Master = k
		}, ErrRotating.Error()},
		"no ledger":     {func(t *testing.T, o *Options) { file(t, o.Config.Data+"/loa.db", "this is no database at all", 0o600) }, "is not a ledger"},
		"no boundaries": {func(_ *testing.T, o *Options) { o.Config.Boundaries = "/nowhere/boundaries.geojson" }, "/nowhere/boundaries.geojson"},
		"two broadcasters": {func(_ *testing.T, o *Options) {
			o.Drivers = nil
			for _, name := range []string{"one", "two"} {
				o.Drivers = append(o.Drivers, channels.Driver{Name: name, Kind: channels.App, Open: func(func(any) error, channels.Deps) (any, error) { return horn{}, nil }})
			}
			o.Config.Channels = []config.Channel{{Driver: "one"}, {Driver: "two"}}
		}, "a second broadcaster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := muteOptions(t, t.TempDir())
			c.ruin(t, &o)
			found := Examine(t.Context(), o, false)
			if len(found.Faults) == 0 || !strings.Contains(found.Faults[0].Error(), c.want) {
				t.Errorf("check: %v, want %q", found, c.want)
			}
			g, err := New(t.Context(), o)
			if err == nil {
				// A path that is too long shows when the socket is opened.
				err = g.Run(t.Context())
				if closed := g.Close(); closed != nil {
					t.Error(closed)
				}
			}
			if err == nil {
				t.Error("it starts all the same")
			}
		})
	}
}

// What the carriers have not registered is said before a storm, not in it.
func TestCheckNamesUnregisteredTexts(t *testing.T) {
	t.Parallel()
	from := render.Sender{Provider: "mute", Sender: "QuangNinh"}
	for name, c := range map[string]struct {
		keep func([]render.Registered) []render.Registered
		want string
	}{
		"all":  {func(l []render.Registered) []render.Registered { return l }, ""},
		"one":  {func(l []render.Registered) []render.Registered { return l[1:] }, "1 texts of the catalogue are not registered for QuangNinh at mute"},
		"none": {func([]render.Registered) []render.Registered { return nil }, "are not registered for QuangNinh at mute"},
		"too short": {func(l []render.Registered) []render.Registered {
			l[0].Slots[0].Longest--
			return l
		}, "1 texts of the catalogue are not registered for QuangNinh at mute"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := muteOptions(t, t.TempDir())
			list, err := RegisterAll(o.Config, o.Templates, o.Parts, from)
			if err == nil {
				o.Config.SMS, err = config.NewSection(map[string]any{"senders": []render.Sender{from}, "registered": c.keep(list)})
			}
			if err != nil {
				t.Fatal(err)
			}
			notes := strings.Join(Examine(t.Context(), o, false).Notes, "\n")
			if c.want == "" && strings.Contains(notes, "registered") || !strings.Contains(notes, c.want) {
				t.Errorf("%s", notes)
			}
		})
	}
	o := muteOptions(t, t.TempDir())
	o.Config.SMS = config.Section{}
	if notes := strings.Join(Examine(t.Context(), o, false).Notes, "\n"); !strings.Contains(notes, "sms.senders: names nobody") {
		t.Errorf("without senders: %s", notes)
	}
}

func TestCheckKeepsNothing(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "not", "there")
	o := muteOptions(t, data)
	if found := examined(t, o, false); len(found.Faults)+len(found.Notes) > 0 {
		t.Errorf("%v", found)
	}
	if left, err := os.ReadDir(filepath.Dir(filepath.Dir(data))); err != nil || len(left) > 0 {
		t.Errorf("%v is left; %v", left, err)
	}
}

// Beside a gateway that runs, the check tells of it and finds no fault.
func TestCheckBesideAGateway(t *testing.T) {
	t.Parallel()
	o := muteOptions(t, t.TempDir())
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	found := examined(t, o, false)
	if len(found.Faults) > 0 || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "a gateway is running") {
		t.Errorf("%v", found)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if found := examined(t, o, false); len(found.Faults)+len(found.Notes) > 0 {
		t.Errorf("when it has ended: %v", found)
	}
}

func TestCheckOfTheAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	o := muteOptions(t, t.TempDir())
	o.Config.Listen = l.Addr().String()
	found := examined(t, o, false)
	if len(found.Faults) > 0 || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "is in use") || !strings.Contains(found.Notes[0], "the key listen") {
		t.Errorf("in use: %v", found)
	}
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "set the key listen") {
		t.Errorf("serve says %v", err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	o.Config.Listen = "192.0.2.1:80"
	if found := Examine(t.Context(), o, false); len(found.Faults) != 1 || !strings.Contains(found.Faults[0].Error(), "listen: 192.0.2.1:80") {
		t.Errorf("not ours: %v", found)
	}
}

// The key that a drill has made for itself is the folder's business too.
func TestCheckOfTheKeysMode(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	o := muteOptions(t, data)
	g, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(data, "master.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	found := examined(t, o, false)
	if len(found.Faults) > 0 || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "mode 0640") {
		t.Errorf("%v", found)
	}
}
