package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"loa/gateway"
)

// loa runs one command as main does.
func loa(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, fault bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &fault)
	return out.String(), fault.String(), code
}

// must runs a command that is to succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, fault, code := loa(t, "", args...)
	if code != 0 {
		t.Fatalf("loa %s: exit %d\n%s%s", strings.Join(args, " "), code, out, fault)
	}
	return out
}

// fails runs a command that is to be refused with these words.
func fails(t *testing.T, says string, args ...string) {
	t.Helper()
	out, fault, code := loa(t, "", args...)
	if code != 1 || !strings.Contains(fault, says) {
		t.Errorf("loa %s: exit %d, want 1 and %q\n%s%s", strings.Join(args, " "), code, says, out, fault)
	}
}

// background runs a command until the test ends and returns its output.
func background(t *testing.T, args ...string) *heard {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, fault, ended := &heard{}, &heard{}, make(chan int, 1)
	go func() { ended <- run(ctx, args, strings.NewReader(""), out, fault) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("loa %s ended with %d\n%s", args[0], code, fault)
		}
	})
	return out
}

// heard keeps what a command wrote.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *heard) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *heard) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// wait polls until the output matches and returns the first group.
func (b *heard) wait(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := re.FindStringSubmatch(b.String()); m != nil {
			return m[len(m)-1]
		}
	}
	t.Fatalf("no %s in %s", pattern, b)
	return ""
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func free(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// drill is the shipped configuration on a folder and a carrier of the test.
func drill(t *testing.T, dir, carrier string) string {
	t.Helper()
	text := read(t, "../../configs/loa.yaml")
	write(t, filepath.Join(dir, "registered.json"), read(t, "../../configs/registered.json"))
	for old, changed := range map[string]string{
		"http://127.0.0.1:8091": carrier, "data: ./data": "data: " + filepath.Join(dir, "d"), "witness: ./loa.witness": "witness: " + filepath.Join(dir, "loa.witness"), "127.0.0.1:8080": free(t),
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("configs/loa.yaml has no %q", old)
		}
		text = strings.ReplaceAll(text, old, changed)
	}
	return write(t, filepath.Join(dir, "loa.yaml"), text)
}

func field(t *testing.T, out, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` +(\S+)$`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no %s in\n%s", name, out)
	}
	return m[1]
}

const csvHead = "kind,address,commune,language,basis\n"

func TestStory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_STANDIN_TOKEN", "drilldrilldrilldrilldrilldrill12")
	books := filepath.Join(dir, "books.jsonl")
	carrier := background(t, "standin", "sms", "--listen", "127.0.0.1:0", "--books", books).wait(t, `listening on (\S+)`)
	t.Setenv("LOA_CONFIG", drill(t, dir, carrier))

	// Before a gateway runs the commands work on the folder themselves.
	author := strings.TrimSpace(must(t, "person", "add", "Nguyễn Thị Soạn", "--territory", "22"))
	other := strings.TrimSpace(must(t, "person", "add", "Trần Văn Duyệt", "--territory", "VN"))
	if !strings.HasPrefix(author, "loa_") || strings.ContainsAny(author, " \n") || author == other {
		t.Fatalf("tokens %q, %q", author, other)
	}
	if list := must(t, "person", "list"); !strings.Contains(list, "Trần Văn Duyệt") || strings.Contains(list, "loa_") {
		t.Errorf("person list: %s", list)
	}
	file := write(t, filepath.Join(dir, "s.csv"), csvHead+"sms,0912345678,06673,vi,duty\nsms,0912345679,06649,vi,duty\nsms,12,06673,vi,duty\nsms,0912345678,06673,vi,duty\n")
	fails(t, file+":3: commune:", "subscribers", "import", file)
	out, fault, code := loa(t, "", "subscribers", "import", "--skip-bad", file)
	if code != 0 || !strings.Contains(out, "4 rows, 1 new, 0 known, 1 repeated, 2 bad") || !strings.Contains(fault, file+":4: address:") {
		t.Errorf("import: %d %s%s", code, out, fault)
	}
	if strings.Contains(out+fault, "0912345678") {
		t.Errorf("an address was shown: %s%s", out, fault)
	}
	waiting := approve(t, dir, author, other)
	if !strings.Contains(waiting, "loa serve will send it") {
		t.Errorf("without a gateway approve said %s", waiting)
	}

	// A gateway takes over, sends what is stored, and answers on its socket.
	server := background(t, "serve")
	server.wait(t, "Loa serves")
	t.Setenv("LOA_TOKEN", other)
	id := field(t, waiting, "alert")
	if status := must(t, "alert", "status", id, "--wait"); !regexp.MustCompile(`sms +1 +0 +0 `).MatchString(status) {
		t.Errorf("status: %s", status)
	}
	var more strings.Builder
	for i := range 40 {
		_, _ = fmt.Fprintf(&more, "sms,09123%05d,06673,vi,duty\n", i)
	}
	out, fault, code = loa(t, csvHead+more.String(), "subscribers", "import", "-")
	if code != 0 || !strings.Contains(out, "40 rows, 40 new") {
		t.Errorf("import while serving: %d %s%s", code, out, fault)
	}
	sent := approve(t, dir, author, other)
	if strings.Contains(sent, "loa serve will") || !strings.Contains(sent, "sms 41") {
		t.Errorf("approve --wait: %s", sent)
	}
	if n := strings.Count(read(t, books), "\n"); n < 42 {
		t.Errorf("the carrier's books have %d lines, want 42 messages at least", n)
	}
	second := field(t, sent, "alert")
	if said := must(t, "alert", "stop", second, "--reason", "hết diễn tập"); !strings.Contains(said, "is stopped") {
		t.Errorf("stop: %s", said)
	}
	if list := must(t, "alert", "list", "--state", "stopped"); !strings.Contains(list, second) || strings.Contains(list, id) {
		t.Errorf("list: %s", list)
	}
	t.Setenv("LOA_TOKEN", "loa_wrong")
	fails(t, "Nobody has this token: it is missing, mistyped or has been revoked\n", "alert", "status", id)
}

// approve drafts, submits and approves the example, and returns all that was
// said. The author's own signature is refused on the way.
func approve(t *testing.T, dir, author, other string) string {
	t.Helper()
	t.Setenv("LOA_TOKEN", author)
	text := strings.Replace(must(t, "alert", "example"), `["22"]`, `["06673"]`, 1)
	file := write(t, filepath.Join(dir, "storm.yaml"), text)
	id := field(t, must(t, "alert", "draft", file), "alert")
	submitted := must(t, "alert", "submit", id)
	for _, want := range []string{"communes", "people", "SMS storm.on_land.sms.vi", "parts, UCS-2; goes out", "storm.on_land.sms-ascii.vi", "GSM-7", "loa alert approve " + id} {
		if !strings.Contains(submitted, want) {
			t.Errorf("submit does not show %q:\n%s", want, submitted)
		}
	}
	hash := field(t, submitted, "hash")
	fails(t, "needs another person's signature", "alert", "approve", id, "--hash", hash)
	token := write(t, filepath.Join(dir, "other.token"), other+"\n")
	return submitted + must(t, "alert", "approve", id, "--hash", hash, "--token-file", token, "--wait")
}

func TestDraftFaultsHavePlaces(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("LOA_TOKEN", strings.TrimSpace(must(t, "person", "add", "A", "--territory", "VN")))
	example := must(t, "alert", "example")
	for says, change := range map[string][2]string{
		"f.yaml:29:16: infos[0].areas[0].codes":                             {`["22"]`, `["06649"]`},
		"f.yaml:29:17: infos[0].areas[0].codes[0]: text in quotation marks": {`["22"]`, `[22]`},
		`f.yaml:19:12: infos[0].evenT: unknown field "evenT"`:               {"event:", "evenT:"},
		`f.yaml:3:8: sourc: unknown field "sourc"`:                          {"source:", "sourc:"},
		"f.yaml:29:16: infos[0].areas[0].codes: an empty list is refused":   {`["22"]`, `[]`},
		"f.yaml:22:": {"event:", "severity:"},
		"infos[0].areas[0]: no commune boundaries":                   {`codes: ["22"]`, `circles: [{center: [20.9, 107], radius: 5}]`},
		"f.yaml:2:9: status: one of Actual, Exercise, Test":          {"status: Actual", "status: actual"},
		"f.yaml:20:21: infos[0].responseTypes[0]: text in quotation": {"[Shelter]", "[1]"},
	} {
		write(t, "f.yaml", strings.Replace(example, change[0], change[1], 1))
		_, fault, code := loa(t, "", "alert", "draft", "f.yaml")
		if code != 1 || !strings.Contains(fault, says) {
			t.Errorf("%s for %s: exit %d, want %q:\n%s", change[1], change[0], code, says, fault)
		}
	}
	t.Setenv("LOA_TOKEN", "")
	fails(t, "LOA_TOKEN", "alert", "draft", write(t, "f.yaml", example))
}

func TestCheck(t *testing.T) {
	t.Chdir("../..")
	if out := must(t, "check", "--config", "configs/loa.yaml"); !strings.Contains(out, "ok (drill, 3 channels)") {
		t.Error(out)
	}
	if _, err := os.Stat("data"); !errors.Is(err, os.ErrNotExist) {
		t.Error("check has made a data folder")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "registered.json"), "[]")
	text := read(t, "configs/loa.yaml")
	for says, change := range map[string][2]string{
		":LINE:5: unknown field":             {"workers: 4", "worker: 4"},
		":LINE:7: channels[0]":               {"account_sid: AC", "account_sid: XX"},
		":LINE:1: listen: host:port":         {"listen: 127.0.0.1:8080", "listen: x"},
		"sms.registered_in: open":            {"registered_in: reg", "registered_in: nowhere/reg"},
		"which a drill deployment must not":  {"    origin: http://127.0.0.1:8092              # live: leave it out\n", ""},
		"not admitted in a live deployment":  {"deployment: drill", "deployment: live"},
		"keys.master: 32 random bytes":       {"deployment: drill", "deployment: live"},
		"deployment: one of live, drill, de": {"deployment: drill", "deployment: production"},
	} {
		before, _, found := strings.Cut(text, change[0])
		if !found {
			t.Errorf("configs/loa.yaml has no %q", change[0])
		}
		says = strings.Replace(says, "LINE", strconv.Itoa(1+strings.Count(before, "\n")), 1)
		file := write(t, filepath.Join(dir, "loa.yaml"), strings.Replace(text, change[0], change[1], 1))
		fails(t, says, "check", "--config", file)
	}
}

// The list in configs is what the catalogue gives for the sample's sender.
func TestRegisteredListIsFresh(t *testing.T) {
	dir := t.TempDir()
	config := drill(t, dir, "http://127.0.0.1:8091")
	if must(t, "templates", "export", "--config", config) != read(t, "../../configs/registered.json") {
		t.Error(`configs/registered.json is stale: loa templates export --config configs/loa.yaml`)
	}
	out := must(t, "templates", "export", "--config", config, "--format", "csv", "--provider", "x", "--sender", "y")
	if !strings.HasPrefix(out, "provider,sender,template,") || !strings.Contains(out, "\nx,y,") {
		t.Errorf("csv: %.200s", out)
	}
}

func TestAreas(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for want, args := range map[string][]string{
		"34 lines":                    {"areas", "list"},
		"54 lines":                    {"areas", "list", "--province", "22"},
		"06673  Phường Bãi Cháy":      {"areas", "find", "bai chay"},
		"is ambiguous":                {"areas", "find", "binh minh"},
		"ended on 2025-07-01":         {"areas", "find", "06649"},
		"old name: Phường 12 (27130)": {"areas", "find", "Phường 12, Quận 3"},
	} {
		out := must(t, args...)
		if got := fmt.Sprintf("%d lines", strings.Count(out, "\n")); got != want && !strings.Contains(out, want) {
			t.Errorf("%v: want %q in\n%s", args, want, out)
		}
	}
	fails(t, "nothing found\n", "areas", "find", "Atlantis")
	fails(t, `"7192": nothing found; leading zeros count, is it 07192 (Đặc khu Cô Tô)?`, "areas", "find", "7192")
	fails(t, "unknown", "areas", "list", "--province", "99")
	shape := `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"06673"},"geometry":{"type":"Polygon","coordinates":[[[107,20.9],[107.1,20.9],[107.1,21],[107,21],[107,20.9]]]}}]}`
	fails(t, "feature 0", "areas", "import", write(t, "bad.json", strings.Replace(shape, "06673", "99999", 1)))
	if _, err := os.Stat(gateway.BoundariesPath("data")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a refused file was kept")
	}
	if out := must(t, "areas", "import", write(t, "good.json", shape)); !strings.Contains(out, "1 boundaries") {
		t.Error(out)
	}
	t.Setenv("LOA_TOKEN", strings.TrimSpace(must(t, "person", "add", "A", "--territory", "VN")))
	draft := strings.Replace(must(t, "alert", "example"), `codes: ["22"]`, `{circles: [{center: [20.95, 107.05], radius: 1}], desc: Bãi Cháy}`, 1)
	draft = strings.Replace(draft, "- {", "- {", 1)
	out := must(t, "alert", "draft", write(t, "f.yaml", draft))
	status := must(t, "alert", "status", field(t, out, "alert"), "--json")
	if !strings.Contains(status, `"06673"`) {
		t.Errorf("the circle did not resolve to its commune: %s", status)
	}
}

// Everybody who reads help finds what a command does and how it is called.
func TestHelp(t *testing.T) {
	t.Parallel()
	root := newRootCommand()
	seen := map[string]bool{}
	for _, c := range root.Commands() {
		seen[c.Name()] = true
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q", c.Name(), c.Short)
		}
	}
	for _, want := range []string{"demo", "serve", "check", "person", "subscribers", "areas", "templates", "alert", "cap", "standin", "version"} {
		if !seen[want] {
			t.Errorf("there is no loa %s", want)
		}
	}
	if code := run(t.Context(), []string{"alert", "approve", "--help"}, strings.NewReader(""), io.Discard, io.Discard); code != 0 {
		t.Error("help failed")
	}
}
