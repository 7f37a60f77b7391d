package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"loa/channels"
	push "loa/channels/webpush/standin"
	"loa/gateway/ledger/postgrestest"
)

// hunt finds many needles in a place at once: by length, then by bytes, the
// name of the needle.
type hunt map[int]map[string]string

func (h hunt) add(name string, forms ...[]byte) {
	for _, f := range forms {
		if h[len(f)] == nil {
			h[len(f)] = map[string]string{}
		}
		h[len(f)][string(f)] = name
	}
}

// text adds a text as it is, in hexadecimal and in base64.
func (h hunt) text(name, s string) {
	h.add(name, []byte(s), []byte(hex.EncodeToString([]byte(s))), []byte(strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "=")))
}

// key adds a text in base64 and what it stands for.
func (h hunt) key(t *testing.T, name, s string) {
	t.Helper()
	h.text(name, s)
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	raw, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		t.Fatalf("%s is not base64: %v", name, err)
	}
	h.add(name, raw, []byte(hex.EncodeToString(raw)), []byte(plain))
}

// phone adds a number of ten digits as people and machines write it.
func (h hunt) phone(name, e164 string) {
	digits := strings.TrimPrefix(e164, "+")
	local := "0" + strings.TrimPrefix(digits, "84")
	for _, s := range []string{digits, local, local[:4] + " " + local[4:7] + " " + local[7:], "84 " + local[1:3] + " " + local[3:6] + " " + local[6:]} {
		h.add(name, []byte(s))
	}
	h.add(name, []byte(hex.EncodeToString([]byte(digits))), []byte(base64.StdEncoding.EncodeToString([]byte(e164))))
	n, _ := strconv.ParseUint(digits, 10, 64)
	var big [8]byte
	binary.BigEndian.PutUint64(big[:], n)
	h.add(name, big[2:]) // as SQLite keeps an integer of this size
}

// in names the needles that are in a place.
func (h hunt) in(place []byte) []string {
	found := map[string]bool{}
	for n, needles := range h {
		for i := 0; i+n <= len(place); i++ {
			if name, ok := needles[string(place[i:i+n])]; ok {
				found[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// needles are all that must stand nowhere.
func (p *province) needles() hunt {
	p.t.Helper()
	h := hunt{}
	for i, r := range p.people {
		name := fmt.Sprintf("%s of person %d", r.kind, i)
		switch r.kind {
		case channels.SMS:
			h.phone(name, r.address)
		case channels.App:
			h.key(p.t, name, r.address)
		default:
			var s push.Subscription
			if err := json.Unmarshal([]byte(r.address), &s); err != nil || s.Auth == "" || s.P256dh == "" {
				p.t.Fatalf("a subscription without keys: %v", err)
			}
			h.text(name, s.Endpoint[strings.LastIndex(s.Endpoint, "/")+1:])
			h.key(p.t, name, s.P256dh)
			h.key(p.t, name, s.Auth)
		}
	}
	h.phone("the number of a row refused", refused)
	h.text("the carrier's token", token)
	h.text("the carrier's password", account+":"+token)
	h.key(p.t, "the master key", masterKey)
	h.key(p.t, "the push key", p.pushKey.Reveal())
	for i, s := range append(p.tokens[:], wrongToken) {
		h.text(fmt.Sprintf("token %d", i), strings.TrimPrefix(s, "loa_"))
	}
	return h
}

const (
	refused    = "+84987654321"
	wrongToken = "loa_AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJKKK"
)

// gossip passes requests on to the carrier, notes their URLs, and answers some
// itself with errors that repeat all it was told.
type gossip struct {
	mu   sync.Mutex
	urls bytes.Buffer
	n    atomic.Int64
	said [3]atomic.Int64
}

// listen stands between a province and its carrier.
func (g *gossip) listen(p *province) {
	p.logLevel = "debug"
	p.carrierArg = []string{"--fault", "error-after-accept", "--share", "0.02", "--bad", "0.02"}
	p.pushArg = []string{"--gone", "0.05"}
	p.before = func(carrier string) string {
		target, err := url.Parse(carrier)
		if err != nil {
			p.t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(target)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			g.mu.Lock()
			_, _ = fmt.Fprintln(&g.urls, r.Method, r.URL, form.Get("StatusCallback"), r.UserAgent(), r.Referer())
			g.mu.Unlock()
			if kind := g.n.Add(1) % 40; kind < 3 {
				g.refuse(w, r, int(kind), form.Get("To"))
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			proxy.ServeHTTP(w, r)
		}))
		p.t.Cleanup(s.Close)
		return s.URL
	}
}

// refuse repeats the number and the password in its answer.
func (g *gossip) refuse(w http.ResponseWriter, r *http.Request, kind int, to string) {
	answer := []struct{ status, code int }{{400, 21211}, {500, 20500}, {429, 20429}}[kind]
	g.said[kind].Add(1)
	_, password, _ := r.BasicAuth()
	text := fmt.Sprintf("The 'To' number %s is not valid for %s (%s)", to, password, r.Header.Get("Authorization"))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Echo", text)
	w.WriteHeader(answer.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": answer.code, "message": text, "more_info": "https://carrier.invalid/" + to, "status": answer.status})
}

// refusals asks for what is refused and returns all that is said about it.
func (p *province) refusals(id string) string {
	p.t.Helper()
	var all strings.Builder
	ask := func(want int, method, path, body string, header ...string) {
		req, err := http.NewRequestWithContext(p.t.Context(), method, p.public+path, strings.NewReader(body))
		if err != nil {
			p.t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			p.t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != want {
			p.t.Errorf("%s %s: %d, want %d", method, path, resp.StatusCode, want)
		}
		_, _ = fmt.Fprintln(&all, resp.Header)
		_, _ = io.Copy(&all, resp.Body)
	}
	const form, wire = "application/x-www-form-urlencoded", "application/json"
	callback := "/channels/twilio/callback/forged"
	ask(401, "GET", "/api/v1/alerts", "", "Authorization", "Bearer "+wrongToken)
	ask(401, "GET", "/api/v1/alerts", "")
	ask(400, "POST", "/api/v1/alerts", `{"event": "`+refused+`", `, "Authorization", "Bearer "+p.tokens[0], "Content-Type", wire, "Idempotency-Key", "broken-1")
	ask(404, "GET", "/api/v1/alerts/none", "", "Authorization", "Bearer "+p.tokens[0])
	ask(404, "POST", "/api/v1/subscribers/import", refused, "Content-Type", "text/csv")
	ask(403, "POST", callback, url.Values{"To": {refused}, "MessageStatus": {"delivered"}, "AccountSid": {account}}.Encode(), "Content-Type", form, "X-Twilio-Signature", "c2lnbmVk")
	ask(400, "GET", "/channels/hub/ws", "")

	rows := "kind,address,commune,language,basis\n" +
		"sms," + refused + ",99999,vi,consent\n" + // no such commune
		"sms," + refused + "0,06652,vi,consent\n" + // a digit too many
		"webpush," + strings.ReplaceAll(p.people[p.n*6/10].address, `"`, "'") + ",06652,vi,consent\n" +
		"app," + p.people[p.n-1].address + "=,06652,vi,consent\n"
	all.WriteString(p.fails("", rows, "subscribers", "import", "-"))
	all.WriteString(p.fails(wrongToken, "", "alert", "status", id))
	all.WriteString(p.fails(p.tokens[0], "", "alert", "approve", id, "--hash", strings.Repeat("0", 64)))
	return all.String()
}

// fails runs a command that is to be refused and returns what it said.
func (p *province) fails(env, stdin string, args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.bin, append(args, "--config", p.configFile())...)
	cmd.Env = append(os.Environ(), "LOA_TOKEN="+env)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err == nil {
		p.t.Errorf("loa %v was not refused:\n%s", args, tail(string(out)))
	}
	return string(out)
}

// folder is every file of the data folder, one after the other, and all that is
// in the database.
func (p *province) folder() []byte {
	p.t.Helper()
	var all []byte
	err := filepath.WalkDir(filepath.Join(p.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		src, err := os.ReadFile(path)
		all = append(all, src...)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if p.postgres == "" {
		return all
	}
	dump, err := postgrestest.Shared(p.t).Run("pg_dump", "-d", p.postgres)
	if err != nil {
		p.t.Fatal(err)
	}
	return append(all, dump...)
}

// overheard has Redis tell every command it is given, from now on.
func (p *province) overheard() string {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "monitor")
	file, err := os.Create(path)
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command("redis-cli", "-p", p.redisPort, "monitor")
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = file.Close() })
	p.eventually(20*time.Second, "Redis to tell", func() (bool, string) {
		src := p.read(path)
		return bytes.HasPrefix(src, []byte("OK")), string(src)
	})
	return path
}

func (p *province) read(path string) []byte {
	p.t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return src
}

// dump is all that Redis holds, not compressed.
func (p *province) dump() []byte {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "rdb")
	p.redisCLI(p.redisPort, "config", "set", "rdbcompression", "no")
	p.redisCLI(p.redisPort, "--rdb", path)
	return p.read(path)
}

// place is somewhere that Loa writes to, and what it is known to write there.
type place struct {
	name, known string
	content     []byte
}

// TestNoSecretAnywhere plays a story in which everything goes wrong that can,
// and looks for every number, endpoint, key and token in all that was written.
func TestNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(*province){"sqlite": func(*province) {}, "postgresql": onPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var g gossip
			p := newProvince(t, 2000, database, slowly, g.listen)
			p.searched(&g)
		})
	}
}

func (p *province) searched(g *gossip) {
	t := p.t
	t.Helper()
	monitor := p.overheard()
	serve := p.serve()
	id := p.alert()
	p.waitTaken(p.n / 4)
	midway := p.dump()
	refusals := p.refusals(id)
	p.provoked(g)
	status, metrics := p.page("/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	if problems, err := promlint.New(strings.NewReader(metrics)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("the metrics after a whole story: %v %v", problems, err)
	}
	ready := p.ready()
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(p.said)
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	urls := bytes.Clone(g.urls.Bytes())
	g.mu.Unlock()
	h := p.needles()
	for _, pl := range []place{
		{"the log", `"gateway serves"`, serve.Stderr.(*bytes.Buffer).Bytes()},
		{"standard output", "Loa serves", said},
		{"the metrics", "loa_delivery_sends_total", []byte(metrics)},
		{"readiness", "ready", []byte(ready)},
		{"refusals", `"type":"`, []byte(refusals)},
		{"commands to Redis", `"xreadgroup"`, bytes.ToLower(p.read(monitor))},
		{"Redis, midway", "loa:{sms}:p", midway},
		{"Redis, at the end", "loa:{sms}:p", p.dump()},
		{"the data folder", id, p.folder()},
		{"URLs at the carrier", "/2010-04-01/Accounts/", urls},
	} {
		h.search(t, pl)
	}
	p.planted(h, monitor)
}

// provoked waits until every fault has struck.
func (p *province) provoked(g *gossip) {
	p.t.Helper()
	p.eventually(time.Minute, "every fault to strike", func() (bool, string) {
		seen := map[string]float64{}
		for i, name := range []string{"refused number repeated", "failure repeated", "throttling repeated"} {
			seen[name] = float64(g.said[i].Load())
		}
		for _, o := range []string{"address", "ambiguous", "throttled"} {
			seen["sms "+o] = p.metric("loa_delivery_sends_total", `kind="sms"`, `outcome="`+o+`"`)
		}
		seen["webpush address"] = p.metric("loa_delivery_sends_total", `kind="webpush"`, `outcome="address"`)
		seen["receipts of failure"] = p.metric("loa_delivery_receipts_total", `kind="sms"`, `outcome="failed"`)
		for _, n := range seen {
			if n == 0 {
				return false, fmt.Sprint(seen)
			}
		}
		return true, ""
	})
}

// search looks for what must not be there, for what must, and for a needle that
// is hidden there on purpose.
func (h hunt) search(t *testing.T, pl place) {
	t.Helper()
	if !bytes.Contains(pl.content, []byte(pl.known)) {
		t.Errorf("%s (%d bytes): no %q: it is not searched", pl.name, len(pl.content), pl.known)
	}
	if found := h.in(pl.content); len(found) > 0 {
		t.Errorf("%s (%d bytes): %d secrets, the first are %q", pl.name, len(pl.content), len(found), found[:min(3, len(found))])
	}
	middle := len(pl.content) / 2
	for n, needles := range h {
		for form, name := range needles {
			hidden := slices.Concat(pl.content[:middle], []byte(form), pl.content[middle:])
			if from := max(0, middle-100); !slices.Contains(h.in(hidden[from:min(len(hidden), middle+n+100)]), name) {
				t.Errorf("%s: a hidden needle of %d bytes is not found: %s", pl.name, n, name)
			}
			break
		}
	}
}

// planted puts secrets where Loa's own way leads and looks for them there.
func (p *province) planted(h hunt, monitor string) {
	p.t.Helper()
	phone, second := p.people[0].address, p.people[1].address
	p.redisCLI(p.redisPort, "set", "planted", phone)
	p.eventually(20*time.Second, "Redis to tell of the planted number", func() (bool, string) {
		found := h.in(p.read(monitor))
		return slices.Equal(found, []string{"sms of person 0"}), fmt.Sprint(found)
	})
	if found := h.in(p.dump()); !slices.Equal(found, []string{"sms of person 0"}) {
		p.t.Errorf("a number planted in Redis: found %q", found)
	}
	p.person("Người có số " + second)
	if found := h.in(p.folder()); !slices.Equal(found, []string{"sms of person 1"}) {
		p.t.Errorf("a number planted in the ledger: found %q", found)
	}
}
