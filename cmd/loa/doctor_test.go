package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"loa/gateway/watch"
)

func doctor(t *testing.T, config string, more ...string) (out string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"doctor", "--config", config}, more...), nil, &stdout, &stderr)
	return stdout.String() + stderr.String(), code
}

func doctorConfig(t *testing.T, redis, more string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "loa.yaml")
	text := "deployment: drill\ndata: " + filepath.Join(dir, "data") + "\nlisten: 127.0.0.1:0\npublic: http://127.0.0.1:8080\nredis: " + redis +
		"\nagency: {sender: loa.invalid, name: A, name_en: A, short: A, short_en: A}\nchannels: [{driver: hub}]\n" + more
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDoctorWithoutGateway reads the configuration and the folder itself.
func TestDoctorWithoutGateway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config string
		code   int
		says   []string
	}{
		"nothing runs":   {doctorConfig(t, "none", ""), 0, []string{"ADVICE  serve", "loa serve", "ADVICE  heartbeat"}},
		"Redis is away":  {doctorConfig(t, "{addr: 127.0.0.1:1}", ""), 1, []string{"WRONG   check/0", "redis", "loa check --online"}},
		"a wrong key":    {doctorConfig(t, "none", "nope: 1\n"), 1, []string{"WRONG   configuration", "loa.yaml:8:1"}},
		"no such driver": {doctorConfig(t, "none", "watch: {canaries: [{channel: sms, to: x}]}\n"), 1, []string{"WRONG", "watch.canaries[0].channel"}},
	} {
		out, code := doctor(t, c.config)
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d:\n%s", name, code, c.code, out)
		}
		for _, s := range c.says {
			if !strings.Contains(out, s) {
				t.Errorf("%s: %q is not in\n%s", name, s, out)
			}
		}
	}
}

// TestDoctorOfARunningGateway asks over the socket.
func TestDoctorOfARunningGateway(t *testing.T) {
	t.Parallel()
	config := doctorConfig(t, "none", "watch: {canaries: [{channel: app}]}\n")
	ctx, cancel := context.WithCancel(t.Context())
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"serve", "--config", config}, nil, &bytes.Buffer{}, &stderr) }()
	defer func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("serve ended with %d:\n%s", code, stderr.String())
		}
	}()
	var answer struct {
		Running bool
		Parts   []watch.Part
	}
	// The first canary is on the board a moment after the gateway answers.
	asked := func() bool {
		return answer.Running && slices.ContainsFunc(answer.Parts, func(x watch.Part) bool { return x.Part == "canary/app" })
	}
	for deadline := time.Now().Add(20 * time.Second); !asked(); time.Sleep(50 * time.Millisecond) {
		out, _ := doctor(t, config, "--json")
		answer.Running, answer.Parts = false, nil
		if err := json.Unmarshal([]byte(out), &answer); time.Now().After(deadline) {
			t.Fatalf("no canary in the answer: %v\n%s", err, out)
		}
	}
	states := map[string]watch.State{}
	for _, x := range answer.Parts {
		states[x.Part] = x.State
	}
	for part, want := range map[string]watch.State{"ledger": watch.OK, "disk": watch.OK, "clock": watch.OK, "backlog": watch.OK, "canary/app": watch.OK, "heartbeat": watch.Warn} {
		if states[part] != want {
			t.Errorf("%s is %q, want %q", part, states[part], want)
		}
	}
}

// A provider that has revoked our account is found by the running gateway,
// though nothing is sent.
func TestDoctorKnowsOfRevokedCredentials(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_STANDIN_TOKEN", "drilldrilldrilldrilldrilldrill12")
	books := filepath.Join(dir, "books.jsonl")
	carrier := background(t, "standin", "sms", "--listen", "127.0.0.1:0", "--books", books, "--fault", "revoked").wait(t, `listening on (\S+)`)
	config := drill(t, dir, carrier)
	background(t, "serve", "--config", config).wait(t, `Loa serves (\S+)`)
	var last string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var answer struct{ Parts []watch.Part }
		last, _ = doctor(t, config, "--json")
		if err := json.Unmarshal([]byte(last), &answer); err != nil {
			t.Fatal(err)
		}
		for _, x := range answer.Parts {
			if x.Part == "provider/sms/twilio" && x.Cause == watch.ProviderDown && strings.Contains(x.Text, "without sending") {
				if taken, err := os.ReadFile(books); err == nil && len(taken) > 0 {
					t.Errorf("something was sent: %s", taken)
				}
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("not found:\n%s", last)
		}
	}
}
