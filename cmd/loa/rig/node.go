package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"loa/channels/sms"
	"loa/channels/webpush"
	"loa/gateway/render"
	"loa/templates"
)

// Node is one gateway of a rig: its own folder and listener, the rig's ledger,
// Redis and providers.
type Node struct {
	*Process // of the last Serve

	r      *Rig
	Name   string
	Dir    string // with data/ and loa.yaml
	Listen string
	Env    []string // added to the gateway's environment
}

// AddNode adds a gateway; one besides the first needs PostgreSQL.
func (r *Rig) AddNode() *Node {
	r.Helper()
	if r.Options.Postgres == "" {
		r.Fatal("a second node needs PostgreSQL")
	}
	return r.addNode()
}

func (r *Rig) addNode() *Node {
	r.Helper()
	n := &Node{r: r, Name: fmt.Sprintf("node%d", len(r.Nodes)+1), Listen: "127.0.0.1:" + FreePort(r)}
	n.Dir = filepath.Join(r.Dir, n.Name)
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		r.Fatal(err)
	}
	r.Nodes = append(r.Nodes, n)
	listens := make([]string, len(r.Nodes))
	for i, n := range r.Nodes {
		listens[i] = n.Listen
	}
	r.Door.To(listens...)
	n.Configure()
	return n
}

// ConfigFile is the node's configuration.
func (n *Node) ConfigFile() string { return filepath.Join(n.Dir, "loa.yaml") }

// Data is the node's data folder.
func (n *Node) Data() string { return filepath.Join(n.Dir, "data") }

// agency speaks in every rig.
var agency = render.Agency{
	Short: "BCH PTDS Quảng Ninh", ShortEN: "Quang Ninh Civil Defence",
	Long: "Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh", LongEN: "Quang Ninh Civil Defence Command",
}

// Configure writes the configuration as the rig's options are now, with every
// text of the catalogue registered. A running gateway does not read it again.
func (n *Node) Configure() {
	r := n.r
	r.Helper()
	if r.pushKey == "" {
		key, _, err := webpush.GenerateKey()
		if err != nil {
			r.Fatal(err)
		}
		r.pushKey = key
	}
	catalogue, err := render.New(templates.FS, render.Options{Parts: sms.Parts, Now: time.Now, Agency: agency})
	if err != nil {
		r.Fatal(err)
	}
	senders, ways := []render.Sender{{Provider: "twilio", Sender: Sender}}, ""
	if r.second != "" {
		senders = append(senders, render.Sender{Provider: "smpp", Sender: Sender})
		ways = r.secondWay()
	}
	var texts []render.Registered
	for _, from := range senders {
		texts = append(texts, catalogue.ToRegister(from)...)
	}
	speak, err := json.Marshal(senders)
	if err != nil {
		r.Fatal(err)
	}
	registered, err := json.Marshal(texts)
	if err != nil {
		r.Fatal(err)
	}
	carrier, push, ledger := r.carrier, r.push, ""
	if r.Options.Before != nil {
		carrier = "http://" + r.Options.Before(strings.TrimPrefix(carrier, "http://"))
	}
	if r.Options.BeforePush != nil {
		push = "http://" + r.Options.BeforePush(strings.TrimPrefix(push, "http://"))
	}
	if r.Options.Postgres != "" {
		ledger = "postgres: " + strconv.Quote(r.Options.Postgres)
	}
	text := fmt.Sprintf(`deployment: drill
data: %s
listen: %s
public: http://%s
ledger: {%s}
redis: %s
log: {level: %s}
keys: {master: %s}
agency: {sender: test.loa.invalid, name: %s, name_en: %s, short: %s, short_en: %s}
delivery: {nodes: %d, resend_after: %s, retry_after: %s}
sms:
  senders: %s
  registered: %s
channels:
  - {driver: twilio, origin: %q, workers: %d, window: %d, per_second: %d, cost: 1, settings: {account_sid: %s, auth_token: %s, from: %s, base_url: %q, timeout: %s, concurrency: %d}}
  - {driver: vapid, origin: %q, workers: %d, window: %d, settings: {subject: "mailto:test@loa.invalid", private_key: %s}}
  - {driver: hub, workers: %d, settings: {per_address: 100000}}
%s%s`, n.Data(), n.Listen, r.Door.Addr(), ledger, r.Options.Redis, r.Options.LogLevel, Master,
		agency.Long, agency.LongEN, agency.Short, agency.ShortEN, r.Options.Gateways, r.Options.ResendAfter, r.Options.RetryAfter, speak, registered,
		carrier, SMSWorkers, SMSWindow, r.Options.PerSecond, Account, AuthToken, Sender, carrier, r.Options.CallTimeout, SMSWorkers*SMSWindow,
		push, PushWorkers, PushWindow, r.pushKey.Reveal(), AppWorkers, ways, r.Options.Extra)
	if err := os.WriteFile(n.ConfigFile(), []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// Loa runs a command of the program to its end with a person's token, and
// fails the test if the command does.
func (n *Node) Loa(token, stdin string, args ...string) string {
	n.r.Helper()
	out, err := n.TryLoa(token, stdin, args...)
	if err != nil {
		n.r.Fatalf("loa %v: %v", args, err)
	}
	return out
}

// TryLoa is Loa for a command that may fail.
func (n *Node) TryLoa(token, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(n.r.Context(), time.Minute)
	defer cancel()
	cmd := n.command(ctx, token, stdin, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%w\n%s%s", err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// Command is a command of the program with a person's token, not started yet.
// It ends with the test at the latest.
func (n *Node) Command(token, stdin string, args ...string) *exec.Cmd {
	return n.command(n.r.Context(), token, stdin, args...)
}

func (n *Node) command(ctx context.Context, token, stdin string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, n.r.Bin, append(args, "--config", n.ConfigFile())...) // #nosec G204 -- our own program
	cmd.Env = append(append(os.Environ(), n.Env...), "LOA_TOKEN="+token)
	cmd.Stdin = strings.NewReader(stdin)
	return cmd
}

var tokenForm = regexp.MustCompile(`loa_[A-Za-z0-9_-]+`)

// Person adds somebody who may act on alerts and returns their token.
func (r *Rig) Person(name string) string {
	r.Helper()
	out := r.alive().Loa("", "", "person", "add", name, "--territory", "22")
	found := tokenForm.FindString(out)
	if found == "" {
		r.Fatalf("no token in %q", out)
	}
	return found
}

// Serve starts the gateway, waits until it is ready and, the first time,
// brings the apps on line.
func (n *Node) Serve() {
	n.r.Helper()
	n.Begin()
	n.AwaitReady(20 * time.Second)
	if n.r.crowd == nil && n.r.Apps() > 0 {
		n.r.connect()
	}
}

// Begin starts the gateway and waits for nothing.
func (n *Node) Begin() {
	n.r.Helper()
	n.Process = Start(n.r, append(n.r.historyEnv(n), n.Env...), n.r.Bin, "serve", "--config", n.ConfigFile())
}

// AwaitReady waits until the gateway is ready.
func (n *Node) AwaitReady(within time.Duration) {
	n.r.Helper()
	if n.readyOrEnded(within) {
		n.r.Fatalf("%s ended: %v\n%s", n.Name, n.Err(), n.Said())
	}
}

// readyOrEnded waits until the gateway is ready or has ended.
func (n *Node) readyOrEnded(within time.Duration) (ended bool) {
	n.r.Helper()
	Eventually(n.r, within, n.Name+" to be ready", func() (bool, string) {
		select {
		case <-n.Ended():
			ended = true
			return true, ""
		default:
		}
		status, body, err := n.Get("/readyz")
		if err != nil {
			return false, err.Error()
		}
		return status == http.StatusOK, body
	})
	return ended
}

// Signal sends a signal to the gateway.
func (n *Node) Signal(s syscall.Signal) {
	n.r.Helper()
	if err := n.Process.Process.Signal(s); err != nil {
		n.r.Fatal(err)
	}
}

// Freeze stops the process without its knowledge; Thaw lets it go on.
func (n *Node) Freeze() { n.Signal(syscall.SIGSTOP) }

// Frozen reports whether the process is stopped, as Linux tells it (proc(5)).
func (n *Node) Frozen() bool {
	n.r.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.Process.Process.Pid))
	if err != nil {
		n.r.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "T")
}

// Thaw ends Freeze.
func (n *Node) Thaw() { n.Signal(syscall.SIGCONT) }

// Get asks the node itself for a page.
func (n *Node) Get(path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(n.r.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Listen+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	src, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(src), err
}

// Ready is what the node says of its readiness.
func (n *Node) Ready() string {
	n.r.Helper()
	_, body, err := n.Get("/readyz")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(body)
}

// Metric sums the samples of a metric that have all the labels given.
func (n *Node) Metric(name string, labels ...string) float64 {
	n.r.Helper()
	status, body, err := n.Get("/metrics")
	if err != nil || status != http.StatusOK {
		n.r.Fatalf("/metrics: %d, %v", status, err)
	}
	if !strings.Contains(body, "# TYPE "+name+" ") && len(labels) == 0 {
		n.r.Fatalf("there is no metric %s", name)
	}
	sum := 0.0
samples:
	for line := range strings.Lines(body) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(series, l) {
				continue samples
			}
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			n.r.Fatal(err)
		}
		sum += v
	}
	return sum
}
