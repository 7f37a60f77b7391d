package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/channels"
	crowd "loa/channels/app/standin"
	"loa/channels/sms"
	"loa/channels/webpush"
	push "loa/channels/webpush/standin"
	"loa/gateway/alert"
	"loa/gateway/ledger/postgrestest"
	"loa/gateway/render"
	"loa/templates"
)

const (
	account    = "AC00000000000000000000000000000001"
	masterKey  = "S2V5IG9mIGEgdGVzdCwgMzIgYnl0ZXMgbG9uZy4uLiE="
	token      = "0123456789abcdef0123456789abcdef"
	sender     = "QuangNinh"
	smsWorkers = 4
	smsWindow  = 16
	others     = 2 // workers of push and app
	pushWindow = 32
)

// province is a gateway and its providers as separate processes, with people
// subscribed over the 54 communes of Quảng Ninh.
type province struct {
	t          *testing.T
	dir, bin   string
	n          int
	redisPort  string
	redis      string // section of the configuration; empty: a server of its own
	postgres   string // connection string; empty: SQLite
	perSecond  int    // SMS that may leave each second; 0: no limit
	logLevel   string
	retryAfter time.Duration               // of those whose phone could not be reached; 0: as shipped
	carrierArg []string                    // how the carrier misbehaves
	pushArg    []string                    // how the push service does
	before     func(carrier string) string // what stands before the carrier
	public     string
	listen     string // host:port; where public leads to
	carrier    string
	pushURL    string
	pushKey    channels.Secret
	people     []resident
	tokens     [2]string
	crowd      *crowd.Crowd
	said       io.Reader // standard output of the gateway started last
}

type resident struct {
	kind    channels.Kind
	address string
}

func alertID(s string) alert.ID { return alert.ID(s) }

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "loa-bin-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "loa")
	out, err := exec.Command("go", "build", "-o", bin, "loa/cmd/loa").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w: %s", err, out)
	}
	return bin, err
})

func TestMain(m *testing.M) {
	// The stories of provinces wait most of the time; the command line may say
	// otherwise.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	code := m.Run()
	if bin, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(bin))
	}
	postgrestest.Stop()
	os.Exit(code)
}

// need skips a test whose peer is not installed; in CI it fails it.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

func newProvince(t *testing.T, n int, changes ...func(*province)) *province {
	t.Helper()
	need(t, "redis-server", "redis-cli")
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &province{t: t, dir: t.TempDir(), bin: bin, n: n, logLevel: "info"}
	p.public = "http://127.0.0.1:" + freePort(t)
	p.listen = strings.TrimPrefix(p.public, "http://")
	for _, change := range changes {
		change(p)
	}
	if p.redis == "" {
		p.redisPort = p.redisServer()
		p.redis = `{addr: "127.0.0.1:` + p.redisPort + `"}`
	}
	p.carrier = p.standin("sms", p.carrierArg...)
	if p.before != nil {
		p.carrier = p.before(p.carrier)
	}
	p.pushURL = p.standin("push", p.pushArg...)
	p.configure()
	p.tokens = [2]string{p.person("Nguyễn Thị Soạn"), p.person("Trần Văn Duyệt")}
	p.subscribe()
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// process starts a program that lives as long as the test.
func (p *province) process(name string, args ...string) (*exec.Cmd, io.Reader) {
	p.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LOA_STANDIN_TOKEN="+token)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if p.t.Failed() {
			p.t.Logf("%s %v wrote:\n%s", name, args, tail(stderr.String()))
		}
	})
	return cmd, out
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

// redisServer starts a Redis that keeps nothing on disk and returns its port.
func (p *province) redisServer(args ...string) string {
	p.t.Helper()
	port := freePort(p.t)
	p.process("redis-server", append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", p.t.TempDir()}, args...)...)
	p.eventually(20*time.Second, "redis-server to answer", func() (bool, string) {
		out, err := exec.CommandContext(p.t.Context(), "redis-cli", "-p", port, "ping").CombinedOutput()
		return err == nil && strings.TrimSpace(string(out)) == "PONG", string(out)
	})
	return port
}

// redisCLI asks a Redis or a Sentinel.
func (p *province) redisCLI(port string, args ...string) string {
	p.t.Helper()
	out, err := exec.CommandContext(p.t.Context(), "redis-cli", append([]string{"-p", port}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("redis-cli %v: %v: %s", args, err, out)
	}
	return string(out)
}

// standin starts a stand-in and returns where it listens.
func (p *province) standin(kind string, args ...string) string {
	p.t.Helper()
	_, out := p.process(p.bin, append([]string{"standin", kind, "--books", filepath.Join(p.dir, kind+".books")}, args...)...)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

func (p *province) configFile() string { return filepath.Join(p.dir, "loa.yaml") }

// configure writes the configuration, with every text of the catalogue
// registered.
func (p *province) configure() {
	p.t.Helper()
	key, _, err := webpush.GenerateKey()
	if err != nil {
		p.t.Fatal(err)
	}
	p.pushKey = key
	agency := render.Agency{Short: "BCH PTDS Quảng Ninh", ShortEN: "Quang Ninh Civil Defence", Long: "Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh", LongEN: "Quang Ninh Civil Defence Command"}
	r, err := render.New(templates.FS, render.Options{Parts: sms.Parts, Now: time.Now, Agency: agency})
	if err != nil {
		p.t.Fatal(err)
	}
	registered, err := json.Marshal(r.ToRegister(render.Sender{Provider: "twilio", Sender: sender}))
	if err != nil {
		p.t.Fatal(err)
	}
	text := fmt.Sprintf(`deployment: drill
data: %s
listen: %s
public: %s
ledger: {%s}
redis: %s
log: {level: %s}
keys: {master: %s}
agency:
  sender: test.loa.invalid
  name: %s
  name_en: %s
  short: %s
  short_en: %s
delivery: {resend_after: 3s, retry_after: %s}
sms:
  senders: [{provider: twilio, sender: %s}]
  registered: %s
channels:
  - {driver: twilio, origin: "%s", workers: %d, window: %d, per_second: %d, settings: {account_sid: %s, auth_token: %s, from: %s, base_url: "%s"}}
  - {driver: vapid, origin: "%s", workers: %d, window: %d, settings: {subject: "mailto:test@loa.invalid", private_key: %s}}
  - {driver: hub, workers: %d, settings: {per_address: 100000}}
`, filepath.Join(p.dir, "data"), p.listen, p.public, p.ledger(), p.redis, p.logLevel, masterKey,
		agency.Long, agency.LongEN, agency.Short, agency.ShortEN, p.retryAfter, sender, registered,
		p.carrier, smsWorkers, smsWindow, p.perSecond, account, token, sender, p.carrier,
		p.pushURL, others, pushWindow, key.Reveal(), others)
	if err := os.WriteFile(p.configFile(), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *province) ledger() string {
	if p.postgres == "" {
		return ""
	}
	return "postgres: " + strconv.Quote(p.postgres)
}

// openCalls is workers × window over all channels; the app has one call a
// worker, for a commune's whole batch.
func (p *province) openCalls() int {
	batch := 0
	perCommune := map[string]int{}
	for i, r := range p.people {
		if r.kind == channels.App {
			c := commune(i)
			perCommune[c]++
			batch = max(batch, perCommune[c])
		}
	}
	return smsWorkers*smsWindow + others*pushWindow + others*batch*64
}

// loa runs a command of the program to its end.
func (p *province) loa(env, stdin string, args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.bin, append(args, "--config", p.configFile())...)
	cmd.Env = append(os.Environ(), "LOA_TOKEN="+env)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("loa %v: %v\n%s%s", args, err, tail(stdout.String()), tail(stderr.String()))
	}
	return stdout.String()
}

var tokenForm = regexp.MustCompile(`loa_[A-Za-z0-9_-]+`)

func (p *province) person(name string) string {
	p.t.Helper()
	out := p.loa("", "", "person", "add", name, "--territory", "22")
	found := tokenForm.FindString(out)
	if found == "" {
		p.t.Fatalf("no token in %q", out)
	}
	return found
}

// communes of Quảng Ninh that people live in here.
var homes = []string{"06652", "06673", "06685", "06994", "07192", "06799", "06862", "06978", "07090", "06712"}

func commune(i int) string { return homes[i%len(homes)] }

// subscribe draws 60 % phones, 30 % browsers and 10 % apps and imports them.
func (p *province) subscribe() {
	p.t.Helper()
	nSMS, nPush := p.n*6/10, p.n*3/10
	var subs []push.Subscription
	body := fmt.Sprintf(`{"count": %d, "from": 0}`, nPush)
	resp, err := http.Post(p.pushURL+"/subscribe", "application/json", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	err = json.NewDecoder(resp.Body).Decode(&subs)
	_ = resp.Body.Close()
	if err != nil || len(subs) != nPush {
		p.t.Fatalf("%d subscriptions, %v", len(subs), err)
	}
	keys := crowd.New(crowd.Options{Seed: "crash"})
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.Write([]string{"kind", "address", "commune", "language", "basis", "consent_text", "consent_at", "roster"})
	for i := range p.n {
		r := resident{kind: channels.App}
		switch {
		case i < nSMS:
			r.kind, r.address = channels.SMS, fmt.Sprintf("+8491%07d", i)
		case i < nSMS+nPush:
			text, _ := json.Marshal(subs[i-nSMS])
			r.kind, r.address = channels.WebPush, string(text)
		default:
			r.address = keys.Key(i - nSMS - nPush)
		}
		p.people = append(p.people, r)
		_ = w.Write([]string{string(r.kind), r.address, commune(i), "vi", "consent", "v1", "2026-01-02T03:04:05+07:00", "false"})
	}
	w.Flush()
	p.loa("", file.String(), "subscribers", "import", "-")
}

// serve starts the gateway and, the first time, the apps.
func (p *province) serve() *exec.Cmd {
	p.t.Helper()
	cmd, said := p.process(p.bin, "serve", "--config", p.configFile())
	p.eventually(20*time.Second, "the gateway to be ready", func() (bool, string) {
		resp, err := http.Get(p.public + "/readyz")
		if err != nil {
			return false, err.Error()
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK, resp.Status
	})
	p.said = said
	if p.crowd == nil {
		p.connect()
	}
	return cmd
}

func (p *province) apps() int { return p.n - p.n*6/10 - p.n*3/10 }

func (p *province) connect() {
	p.t.Helper()
	first := p.n - p.apps()
	p.crowd = crowd.New(crowd.Options{
		URL: "ws" + strings.TrimPrefix(p.public, "http") + "/channels/hub/ws", Seed: "crash", Language: "vi",
		Communes: func(i int) []string { return []string{commune(first + i)} },
		Pause:    200 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() { p.crowd.Run(ctx, p.apps()); close(gone) }()
	p.t.Cleanup(func() { cancel(); <-gone })
	p.eventually(30*time.Second, "the apps to connect", func() (bool, string) {
		return p.crowd.Connected() == p.apps(), fmt.Sprint(p.crowd.Connected())
	})
}

// eventually looks until done says yes, or fails with what it said last.
func (p *province) eventually(within time.Duration, what string, done func() (bool, string)) {
	p.t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, last := done()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			p.t.Fatalf("waiting for %s: %s", what, last)
		}
	}
}
