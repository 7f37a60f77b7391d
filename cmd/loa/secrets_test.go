package main_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/cmd/loa/rig"
	"loa/gateway/ledger/postgrestest"
)

// TestNoSecretAnywhere plays a story in which everything goes wrong that can,
// and looks for every number, endpoint, key and token in all that was written.
func TestNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgresql"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := &secretive{g: &gossip{}, m: newMonitor(t)}
			o := rig.Options{
				People: 2000, PerSecond: 130, LogLevel: "debug", Ranges: []string{"+8491", "+8496"},
				CarrierArgs: []string{"--fault", "error-after-accept", "--share", "0.02", "--bad", "0.02"},
				PushArgs:    []string{"--gone", "0.05"}, Before: s.g.before(t), Extra: s.m.section(),
				Second: true, SecondPrefixes: []string{"+8496"}, SecondArgs: []string{"--fault", "accept-then-drop", "--share", "0.005", "--bad", "0.02"},
			}
			if kind == "postgresql" {
				o.Postgres = database(t)
			}
			s.Rig, s.n = shipped(t, o)
			s.play()
		})
	}
}

// secretive is a province in which nothing secret may show.
type secretive struct {
	*rig.Rig

	n      *rig.Node
	g      *gossip
	m      *monitor
	places []place
}

func (s *secretive) found(name string, content []byte, known ...string) {
	s.places = append(s.places, place{name, content, known})
}

func (s *secretive) play() {
	s.Helper()
	monitor := s.overheard()
	s.n.Serve()
	id := s.Alert()
	s.AwaitTaken(s.Options.People / 4)
	s.found("Redis, midway", s.dump(), "loa:{sms}:p")
	s.found("refusals", []byte(s.refusals(id)), `"type":"`)
	s.backup(id)
	s.provoked()
	second := s.refusedText()
	s.faces(id, second)
	s.stopped()

	s.found("commands to Redis", bytes.ToLower(s.read(monitor)), `"xreadgroup"`)
	s.found("Redis, at the end", s.dump(), "loa:{sms}:p")
	s.found("the data folder", s.folder(), id, second, "content/30007")
	s.wrongLogins()
	s.g.mu.Lock()
	s.found("URLs at the carrier", bytes.Clone(s.g.urls.Bytes()), "/2010-04-01/Accounts/", "/channels/twilio/callback/")
	s.g.mu.Unlock()
	s.found("pages and heartbeats", s.m.said(), "LoaContentRefused", "User-Agent:[loa]")
	s.hold()
	s.standins()
	h := needles(s.Rig)
	for _, pl := range s.places {
		h.search(s, pl)
	}
	s.planted(h, monitor)
}

// refusals asks for what is refused and returns all that is said about it.
func (s *secretive) refusals(id string) string {
	s.Helper()
	var all strings.Builder
	ask := func(want int, method, path, body string, header ...string) {
		req, err := http.NewRequestWithContext(s.Context(), method, "http://"+s.Door.Addr()+path, strings.NewReader(body))
		if err != nil {
			s.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != want {
			s.Errorf("%s %s: %d, want %d", method, path, resp.StatusCode, want)
		}
		_, _ = fmt.Fprintln(&all, resp.Header)
		_, _ = io.Copy(&all, resp.Body)
	}
	const form, wire = "application/x-www-form-urlencoded", "application/json"
	author := "Bearer " + s.Token(0)
	ask(401, "GET", "/api/v1/alerts", "", "Authorization", "Bearer "+wrongToken)
	ask(401, "GET", "/api/v1/alerts", "")
	ask(400, "POST", "/api/v1/alerts", `{"event": "`+refused+`", `, "Authorization", author, "Content-Type", wire, "Idempotency-Key", "broken-1")
	ask(404, "GET", "/api/v1/alerts/none", "", "Authorization", author)
	ask(404, "POST", "/api/v1/subscribers/import", refused, "Content-Type", "text/csv")
	ask(403, "POST", "/channels/twilio/callback/forged", url.Values{"To": {refused}, "MessageStatus": {"delivered"}, "AccountSid": {rig.Account}}.Encode(), "Content-Type", form, "X-Twilio-Signature", "c2lnbmVk")
	ask(400, "GET", "/channels/hub/ws", "")

	browser, app := s.People[s.Options.People*6/10].Address, s.People[s.Options.People-1].Address
	rows := "kind,address,commune,language,basis\n" +
		"sms," + refused + ",99999,vi,consent\n" + // no such commune
		"sms," + refused + "0,06652,vi,consent\n" + // a digit too many
		"webpush," + strings.ReplaceAll(browser, `"`, "'") + ",06652,vi,consent\n" +
		"app," + app + "=,06652,vi,consent\n"
	all.WriteString(fails(s.Rig, "", rows, "subscribers", "import", "-"))
	all.WriteString(fails(s.Rig, wrongToken, "", "alert", "status", id))
	all.WriteString(fails(s.Rig, s.Token(0), "", "alert", "approve", id, "--hash", strings.Repeat("0", 64)))
	return all.String()
}

// folder is every file of the data folder, one after the other, and all that is
// in the database.
func (s *secretive) folder() []byte {
	s.Helper()
	all := s.files(s.n.Data())
	if s.Options.Postgres == "" {
		return all
	}
	dump, err := postgrestest.Shared(s).Run("pg_dump", "-d", s.Options.Postgres)
	if err != nil {
		s.Fatal(err)
	}
	return append(all, dump...)
}

// files is every file below a folder, each after its name.
func (s *secretive) files(dir string) (all []byte) {
	s.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		src, err := os.ReadFile(path)
		all = append(append(append(all, path...), '\n'), src...)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// overheard has Redis tell every command it is given, from now on.
func (s *secretive) overheard() string {
	s.Helper()
	path := filepath.Join(s.TempDir(), "monitor")
	file, err := os.Create(path)
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command("redis-cli", "-p", s.Redis.Port, "monitor")
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = file.Close() })
	rig.Eventually(s, 20*time.Second, "Redis to tell", func() (bool, string) {
		src := s.read(path)
		return bytes.HasPrefix(src, []byte("OK")), string(src)
	})
	return path
}

func (s *secretive) read(path string) []byte {
	s.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	return src
}

// dump is all that Redis holds, not compressed.
func (s *secretive) dump() []byte {
	s.Helper()
	path := filepath.Join(s.TempDir(), "rdb")
	s.Redis.CLI("config", "set", "rdbcompression", "no")
	s.Redis.CLI("--rdb", path)
	return s.read(path)
}

// planted puts secrets where Loa's own way leads and looks for them there.
func (s *secretive) planted(h *hunt, monitor string) {
	s.Helper()
	phone, second := s.People[0].Address, s.People[1].Address
	s.Redis.CLI("set", "planted", phone)
	rig.Eventually(s, 20*time.Second, "Redis to tell of the planted number", func() (bool, string) {
		found := h.in(s.read(monitor))
		return slices.Equal(found, []string{"sms of person 0"}), fmt.Sprint(found)
	})
	if found := h.in(s.dump()); !slices.Equal(found, []string{"sms of person 0"}) {
		s.Errorf("a number planted in Redis: found %q", found)
	}
	s.Person("Người có số " + second)
	if found := h.in(s.folder()); !slices.Equal(found, []string{"sms of person 1"}) {
		s.Errorf("a number planted in the ledger: found %q", found)
	}
}
