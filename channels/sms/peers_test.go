package sms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/channels/sms"
	"loa/channels/sms/standin"
)

// missing skips a test whose peer is not installed, or fails it in CI.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing", what)
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the package")
		}
		dir = filepath.Dir(dir)
	}
}

// nodeModules is where the peers written in JavaScript are installed.
func nodeModules(t *testing.T, module string) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node")
	}
	dir := filepath.Join(moduleRoot(t), ".ci", "npm", "node_modules")
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(module))); err != nil {
		missing(t, "npm module "+module)
	}
	return dir
}

// description is Twilio's own OpenAPI description of the API.
func description(t *testing.T) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(moduleRoot(t)), "shared", "data", "twilio_api_v2010.json")
	if _, err := os.Stat(path); err != nil {
		missing(t, "Twilio's API description")
	}
	return path
}

const oracles = `
const { SegmentedMessage } = require('sms-segments-calculator');
const split = require('split-sms');
const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(texts.map(s => {
  const a = new SegmentedMessage(s), b = split.split(s, { summary: true });
  return { a: a.segmentsCount, ae: a.encodingName, b: b.parts.length, be: b.characterSet === 'GSM' ? 'GSM-7' : 'UCS-2' };
})));`

func TestPartsAgreeWithOracles(t *testing.T) {
	t.Parallel()
	nodeModules(t, "split-sms")
	modules := nodeModules(t, "sms-segments-calculator")
	var texts []string
	for i := range 400 {
		texts = append(texts, sms.DrawText(i%2 == 0).Example(i))
	}
	for n := range 320 {
		texts = append(texts, strings.Repeat("a", n), strings.Repeat("ữ", n), strings.Repeat("🌊", n/2), strings.Repeat("€", n))
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "-e", oracles)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("oracles: %v\n%s", err, stderr.String())
	}
	var answers []struct {
		A, B   int
		Ae, Be string
	}
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(texts) {
		t.Fatalf("%d answers to %d texts: %v", len(answers), len(texts), err)
	}
	for i, o := range answers {
		parts, encoding := sms.Parts(texts[i])
		if parts != o.A || parts != o.B || encoding != o.Ae || encoding != o.Be {
			t.Errorf("%q: %d %s; oracles say %d %s and %d %s", texts[i], parts, encoding, o.A, o.Ae, o.B, o.Be)
		}
	}
}

// prism runs Prism until the test ends and returns its origin and its log.
func prism(t *testing.T, args ...string) (origin string, log *syncBuffer) {
	t.Helper()
	main := filepath.Join(nodeModules(t, "@stoplight/prism-cli"), "@stoplight", "prism-cli", "dist", "index.js")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log = &syncBuffer{}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", append([]string{main, args[0], "-h", host, "-p", port, "--errors"}, args[1:]...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	for deadline := time.Now().Add(time.Minute); ; {
		if conn, err := net.Dial("tcp", net.JoinHostPort(host, port)); err == nil {
			_ = conn.Close()
			return "http://" + net.JoinHostPort(host, port), log
		}
		if time.Now().After(deadline) {
			t.Fatalf("prism does not listen:\n%s", log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Every request of ours is valid in Twilio's own description. Prism answers
// 422 to one that is not, which the control below proves.
func TestRequestsFitTwiliosDescription(t *testing.T) {
	t.Parallel()
	origin, log := prism(t, "mock", description(t))
	for name, text := range map[string]string{
		"from a number": sms.Section(origin),
		"from a name":   strings.Replace(sms.Section(origin), "+84901234567", "BCH PCTT", 1),
		"from a service": strings.Replace(sms.Section(origin), `from: "+84901234567"`,
			"messaging_service_sid: MG00112233445566778899aabbccddeeff", 1),
	} {
		s := sms.OpenSender(t, text, sms.DepsAt(origin))
		for _, left := range []time.Duration{5 * time.Second, time.Hour, 100 * time.Hour} {
			m := sms.NewMessage(t, "")
			m.Ref, m.Expires = "812.17.1 a/b?&=ữ", time.Now().Add(left)
			// The example of an answer names a number of its own.
			if _, err := s.Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "another recipient") {
				t.Errorf("%s, %v left: %v\n%s", name, left, err, tail(log))
			}
			// The description's own example of a list does not fit it, which Prism
			// answers with 500; a request that does not fit comes to 422.
			if _, err := s.Lookup(t.Context(), m, time.Now()); err != nil && !strings.Contains(err.Error(), "HTTP status 500") {
				t.Errorf("%s: lookup: %v\n%s", name, err, tail(log))
			}
		}
	}
	s := sms.OpenSender(t, sms.Section(origin), sms.DepsAt(origin))
	if err := s.Check(t.Context()); err == nil || strings.Contains(err.Error(), "HTTP status") {
		t.Errorf("fetching the sms.Account: %v, want only that the example is not ours", err)
	}
	s.SetPublic("no URL at all") // the control
	if _, err := s.Send(t.Context(), sms.NewMessage(t, "")); err == nil || !strings.Contains(err.Error(), "422") {
		t.Errorf("a request that does not fit came to %v", err)
	}
}

// What the stand-in answers is valid in Twilio's own description: Prism stands
// between it and the driver and answers 500 or 422 when it is not.
func TestStandInFitsTwiliosDescription(t *testing.T) {
	t.Parallel()
	carrier, direct := serve(t, standin.Options{AccountSID: sms.Account, AuthToken: sms.Token}, nil)
	origin, log := prism(t, "proxy", description(t), direct)
	s := sms.OpenSender(t, sms.Section(origin), sms.DepsAt(origin))
	ack, err := s.Send(t.Context(), sms.NewMessage(t, ""))
	if err != nil {
		t.Fatalf("send: %v\n%s", err, tail(log))
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("check: %v\n%s", err, tail(log))
	}
	if carrier.Books().Len() != 1 {
		t.Errorf("%d entries in the books", carrier.Books().Len())
	}
	base := "/2010-04-01/Accounts/" + sms.Account + "/Messages"
	m := sms.NewMessage(t, "")
	for range 3 {
		if _, err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{base + ".json", base + ".json?PageSize=2", base + ".json?PageSize=5&To=" + url.QueryEscape("+84910000001"), base + "/" + ack.ProviderRef + ".json"} {
		for _, v := range violations(t, origin+path) {
			t.Errorf("%s: %s", path, v)
		}
	}
	if found := violations(t, origin+base+".json?DateSent=yesterday"); len(found) == 0 { // the stand-in itself lets this pass
		t.Error("prism let a date through that is none: it checks nothing")
	}
}

// violations fetches a page through Prism and lists what does not fit.
func violations(t *testing.T, target string) []string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(sms.Account, sms.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var problem struct {
		Title      string
		Validation []struct {
			Location []string
			Code     string
			Message  string
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&problem); err != nil || len(problem.Validation) == 0 {
		return []string{fmt.Sprintf("answered %d %s", res.StatusCode, problem.Title)}
	}
	var found []string
	for _, v := range problem.Validation {
		at := strings.Join(v.Location, ".")
		// The description asks for whole URLs here, its own examples and the
		// service itself have paths.
		if v.Code == "format" && (at == "response.body.uri" || at == "response.body.first_page_uri" || at == "response.body.next_page_uri") {
			continue
		}
		found = append(found, fmt.Sprintf("%s: %s (%s)", at, v.Message, v.Code))
	}
	return found
}

// tail is the log of Prism without the list of routes it begins with.
func tail(log *syncBuffer) string {
	_, after, _ := strings.Cut(log.String(), "Prism is listening")
	return after
}
