package webpush

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/channels"
)

// peer finds an independent program of the test-only npm modules. Without it
// the test is skipped on a developer's machine and fails in CI.
func peer(t *testing.T, parts ...string) string {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("CI") == "true" {
		missing = t.Fatalf
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing("node is not installed")
	}
	p, err := filepath.Abs(filepath.Join(append([]string{"..", "..", ".ci", "npm", "node_modules"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		missing("%s is not installed; run npm ci in .ci/npm", filepath.Join(parts...))
	}
	return p
}

// The decryption most servers and browsers' tests are built on opens ours.
func TestPeerHTTPECEDecrypts(t *testing.T) {
	t.Parallel()
	module := peer(t, "http_ece")
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	auth := make([]byte, authSize)
	_, _ = rand.Read(auth)
	sub, err := ParseSubscription(doc("https://web.push.apple.com/x", b64.EncodeToString(key.PublicKey().Bytes()), b64.EncodeToString(auth)), DefaultHosts(), "")
	if err != nil {
		t.Fatal(err)
	}
	type job struct {
		Private string `json:"private"`
		Auth    string `json:"auth"`
		Body    string `json:"body"`
	}
	texts := []string{"x", "Bão khẩn cấp cấp 4. Ở yên trong nhà.", strings.Repeat("ữ", 1000), strings.Repeat("a", 127), strings.Repeat("a", 128), strings.Repeat("z", MaxBody)}
	var jobs []job
	for _, text := range texts {
		sealed, err := encrypt([]byte(text), sub)
		if err != nil {
			t.Fatal(err)
		}
		std := base64.StdEncoding.EncodeToString
		jobs = append(jobs, job{std(key.Bytes()), std(auth), std(sealed)})
	}
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	const script = `
const ece = require(process.argv[1]), crypto = require('crypto');
const jobs = JSON.parse(require('fs').readFileSync(0));
console.log(JSON.stringify(jobs.map(j => {
  const dh = crypto.createECDH('prime256v1');
  dh.setPrivateKey(Buffer.from(j.private, 'base64'));
  return ece.decrypt(Buffer.from(j.body, 'base64'), {version: 'aes128gcm', privateKey: dh, authSecret: Buffer.from(j.auth, 'base64')}).toString('utf8');
})));`
	cmd := exec.CommandContext(t.Context(), "node", "-e", script, module)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if i >= len(got) || got[i] != text {
			t.Errorf("text %d of %d bytes came out differently", i, len(text))
		}
	}
}

// An independent push service takes, checks and decrypts what the whole driver
// sends, and retires a subscription.
func TestPeerWebPushTesting(t *testing.T) {
	t.Parallel()
	script := peer(t, "web-push-testing", "src", "bin", "server.js")
	base := startNode(t, script)

	key := testKey(t)
	public, err := PublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var sub struct {
		Data struct {
			Endpoint   string `json:"endpoint"`
			ClientHash string `json:"clientHash"`
			Keys       struct {
				P256dh string `json:"p256dh"`
				Auth   string `json:"auth"`
			} `json:"keys"`
		} `json:"data"`
	}
	post(t, base+"/subscribe", map[string]string{"userVisibleOnly": "true", "applicationServerKey": public}, &sub)

	s, err := Open(Config{Subject: "mailto:truc-ban@example.vn", PrivateKey: key}, channels.Deps{Origin: base, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	m := message(channels.Address(doc(sub.Data.Endpoint, sub.Data.Keys.P256dh, sub.Data.Keys.Auth)))
	if _, e := send(t, s, m); e != nil {
		t.Fatal(e)
	}
	var got struct {
		Data struct {
			Messages []string `json:"messages"`
		} `json:"data"`
	}
	post(t, base+"/get-notifications", map[string]string{"clientHash": sub.Data.ClientHash}, &got)
	if len(got.Data.Messages) != 1 || got.Data.Messages[0] != string(m.Body) {
		t.Errorf("the browser shows %q", got.Data.Messages)
	}
	post(t, base+"/expire-subscription/"+sub.Data.ClientHash, map[string]string{}, nil)
	if _, e := send(t, s, m); e == nil || e.Fault != channels.FaultAddress || e.Code != "410" {
		t.Errorf("after expiry: %v, want address (410)", e)
	}
}

// startNode runs a server script on a free port until the test ends.
func startNode(t *testing.T, script string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "node", script, fmt.Sprint(port))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	base := fmt.Sprintf("http://localhost:%d", port)
	for end := time.Now().Add(20 * time.Second); ; {
		resp, err := http.Post(base+"/status", "application/json", nil)
		if err == nil {
			_ = resp.Body.Close()
			return base
		}
		if time.Now().After(end) {
			t.Fatalf("server did not come up: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func post(t *testing.T, url string, in, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, jsonBody(t, in))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", url, resp.StatusCode, body, err)
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			t.Fatal(err)
		}
	}
}
