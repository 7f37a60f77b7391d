package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"loa/cmd/loa/rig"
)

// says runs a command, whatever its end, and returns all that it said.
func (s *secretive) says(env string, args ...string) string {
	s.Helper()
	out, _ := s.n.Command(env, "", args...).CombinedOutput() // what it says is looked at
	return string(out)
}

// fails runs a command that is to be refused and returns what it said.
func fails(r *rig.Rig, env, stdin string, args ...string) string {
	r.Helper()
	out, err := r.Nodes[0].Command(env, stdin, args...).CombinedOutput()
	if err == nil {
		r.Errorf("loa %v was not refused:\n%s", args, out)
	}
	return string(out)
}

// provoked waits until every fault has struck.
func (s *secretive) provoked() {
	s.Helper()
	rig.Eventually(s, time.Minute, "every fault to strike", func() (bool, string) {
		seen := map[string]float64{}
		for i, name := range []string{taleAddress: "refused number repeated", taleFailure: "failure repeated", taleThrottle: "throttling repeated"} {
			seen[name] = float64(s.g.said[i].Load())
		}
		for _, o := range []string{"address", "ambiguous", "throttled"} {
			seen["sms "+o] = s.n.Metric("loa_delivery_sends_total", `kind="sms"`, `outcome="`+o+`"`)
		}
		seen["webpush address"] = s.n.Metric("loa_delivery_sends_total", `kind="webpush"`, `outcome="address"`)
		seen["receipts of failure"] = s.n.Metric("loa_delivery_receipts_total", `kind="sms"`, `outcome="failed"`)
		seen["SMPP cut"] = float64(strings.Count(s.n.Log(), "smpp connection lost"))
		for _, n := range seen {
			if n == 0 {
				return false, fmt.Sprint(seen)
			}
		}
		return true, ""
	})
}

// refusedText has a second alert whose text the carrier refuses with an answer
// that repeats the number, and waits until people, the doctor and the monitor
// know of it.
func (s *secretive) refusedText() (id string) {
	s.Helper()
	s.g.against.Store(true)
	id = s.Alert()
	rig.Eventually(s, time.Minute, "the refused text to be told", func() (bool, string) {
		calls, _ := s.m.heard()
		noted := strings.Contains(s.says(s.Token(0), "alert", "status", id), "NOT SENT: ")
		return noted && calls[0] > 1 && calls[1] > 1, fmt.Sprintf("noted %v, %v pages and heartbeats", noted, calls)
	})
	s.g.against.Store(false)
	var said string
	rig.Eventually(s, 20*time.Second, "the doctor to see that the monitor is ill", func() (bool, string) {
		said = s.says("", "doctor") + s.says("", "doctor", "--json")
		return strings.Count(said, "The heartbeat is not taken: ") == 2 && strings.Count(said, "Pages do not get through to the webhook: ") == 2, said
	})
	s.found("the doctor", []byte(said), "WRONG ", `"running": true`)
	s.m.heal()
	rig.Eventually(s, time.Minute, "the monitor to take a page and a heartbeat", func() (bool, string) {
		_, taken := s.m.heard()
		return taken[0] > 0 && taken[1] > 0, fmt.Sprint(taken)
	})
	return id
}

// faces looks at all that shows an alert, to people and to programs.
func (s *secretive) faces(id, second string) {
	s.Helper()
	get := func(path string) []byte {
		req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, "http://"+s.Door.Addr()+path, nil)
		if err != nil {
			s.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.Token(0))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		src, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			s.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
		return fmt.Appendln(src, resp.Header)
	}
	s.found("the API", bytes.Join([][]byte{get("/api/v1/alerts"), get("/api/v1/alerts/" + id), get("/api/v1/alerts/" + second)}, nil), `"code":"content/30007"`, second)
	s.found("status", []byte(s.says(s.Token(0), "alert", "status", id, "--communes")+s.says(s.Token(0), "alert", "status", second)+s.says(s.Token(0), "alert", "list")),
		"NOT SENT: ", "KHÔNG GỬI: ", "30007", "address")
	s.found("the live page", get("/"), "30007", "từ chối nội dung")
	metrics := get("/metrics")
	if problems, err := promlint.New(strings.NewReader(string(metrics[:bytes.LastIndex(metrics, []byte("map["))]))).Lint(); err != nil || len(problems) > 0 {
		s.Errorf("the metrics after a whole story: %v %v", problems, err)
	}
	s.found("the metrics", metrics, "loa_delivery_sends_total", "loa_watch_")
	s.found("readiness", get("/readyz"), `"ready":true`)
}

// stopped ends the gateway and looks at what it has written.
func (s *secretive) stopped() {
	s.Helper()
	s.n.Signal(syscall.SIGTERM)
	said, err := io.ReadAll(s.n.Stdout)
	if err != nil {
		s.Fatal(err)
	}
	if <-s.n.Ended(); s.n.Err() != nil {
		s.Fatal(s.n.Err())
	}
	s.found("standard output", said, "Loa serves")
	s.found("the log", []byte(s.n.Log()), `"gateway serves"`, "smpp bound", "smpp connection lost", "the heartbeat is not taken",
		"a page cannot be handed to a webhook", "it answers 500", "EOF")
}

// backup copies the ledger while it is used.
func (s *secretive) backup(id string) {
	s.Helper()
	if err := os.Mkdir(filepath.Dir(s.copied()), 0o700); err != nil {
		s.Fatal(err)
	}
	said := s.says("", "backup", s.copied())
	if s.Options.Postgres != "" {
		s.found("a backup that is refused", []byte(said), "pg_dump")
		return
	}
	said += fails(s.Rig, "", "", "backup", s.copied())
	s.found("what a backup says", []byte(said), "generation ", "is there already")
	s.found("a backup", s.files(filepath.Dir(s.copied())), id, `"sha256": "`, s.copied()+".json\n")
}

// copied is the file of the backup, in a folder of its own.
func (s *secretive) copied() string { return filepath.Join(s.Dir, "copies", "loa.db") }

// wrongLogins has both carriers refuse the password, the first with an answer
// that repeats it.
func (s *secretive) wrongLogins() {
	s.Helper()
	right := s.read(s.n.ConfigFile())
	wrong := strings.NewReplacer("auth_token: "+rig.AuthToken, "auth_token: "+wrongPassword, "password: "+rig.Password, "password: "+wrongPassword).Replace(string(right))
	if err := os.WriteFile(s.n.ConfigFile(), []byte(wrong), 0o600); err != nil {
		s.Fatal(err)
	}
	s.found("a check", []byte(fails(s.Rig, "", "", "check", "--online")), "channels[0]", "channels[3]", "the provider refuses the login")
	s.found("the doctor, of a gateway that does not run", []byte(fails(s.Rig, "", "", "doctor")), "WRONG   check/0", "the provider refuses the login")
	if s.g.said[taleLogin].Load() == 0 {
		s.Error("the carrier was not asked with a wrong password")
	}
	if err := os.WriteFile(s.n.ConfigFile(), right, 0o600); err != nil {
		s.Fatal(err)
	}
}

// hold puts the backup in the ledger's place and asks what a release would
// send, and the carriers' lists who was sent to since.
func (s *secretive) hold() {
	s.Helper()
	if s.Options.Postgres != "" {
		s.found("a hold that is none", []byte(s.says("", "hold", "status")), "Not on hold")
		return
	}
	aside := s.TempDir()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(filepath.Join(s.n.Data(), "loa.db"+suffix), filepath.Join(aside, "loa.db"+suffix)); err != nil && (suffix == "" || !os.IsNotExist(err)) {
			s.Fatal(err)
		}
	}
	said := s.says("", "restore", "--check", s.copied()) + s.says("", "restore", s.copied()) + s.says("", "hold", "status") + s.says("", "hold", "status", "--json") +
		s.says("", "hold", "reconcile", "--most", "40") + s.says(s.Token(1), "hold", "release") + s.says("", "doctor")
	s.found("a hold", []byte(said), "It is restored", "ON HOLD since", `"held": true`, "can be asked: loa hold reconcile", "asked about ", "Your release is recorded", "on hold")
}

// standins ends the providers and looks at what they have written, which is
// nothing as long as they were started as they should be.
func (s *secretive) standins() {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), s.Bin, "standin", "smpp", "--fault", "gremlins")
	cmd.Env = append(os.Environ(), "LOA_STANDIN_PASSWORD="+rig.Password)
	refusal, err := cmd.CombinedOutput()
	if err == nil {
		s.Error("a fault that is none was taken")
	}
	said := string(refusal)
	for _, p := range []*rig.Process{s.Carrier, s.Push, s.Second} {
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			s.Fatal(err)
		}
		rest, err := io.ReadAll(p.Stdout)
		if err != nil {
			s.Fatal(err)
		}
		<-p.Ended()
		said += string(rest) + p.Log()
	}
	s.found("the stand-ins", []byte(said), "--fault: fault")
}
