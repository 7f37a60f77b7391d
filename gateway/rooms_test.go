package gateway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// room says what a package may import of ours. "*" ends a pattern.
type room struct {
	name string
	may  []string
}

var rooms = []room{
	{"loa/channels", nil},
	{"loa/channels/channelstest", []string{"loa/channels"}},
	{"loa/channels/sms", []string{"loa/channels"}},
	{"loa/channels/sms/standin", nil},
	{"loa/channels/sms/smpp", []string{"loa/channels", "loa/channels/sms"}},
	{"loa/channels/sms/smpp/standin", nil},
	{"loa/channels/webpush", []string{"loa/channels"}},
	{"loa/channels/webpush/standin", nil},
	{"loa/channels/app", []string{"loa/channels"}},
	{"loa/channels/app/standin", nil},
	{"loa/gateway/area", nil},
	{"loa/gateway/alert", []string{"loa/gateway/area"}},
	{"loa/gateway/cap", []string{"loa/gateway/alert", "loa/gateway/area"}},
	{"loa/gateway/audit", nil},
	{"loa/gateway/desk", []string{"loa/gateway/alert", "loa/gateway/area", "loa/gateway/audit", "loa/gateway/dispatch", "loa/channels"}},
	{"loa/gateway/audience", []string{"loa/gateway/area", "loa/channels"}},
	{"loa/gateway/render", []string{"loa/gateway/alert", "loa/gateway/area", "loa/channels"}},
	{"loa/gateway/dispatch", []string{"loa/gateway/alert", "loa/gateway/area", "loa/gateway/audience", "loa/gateway/render", "loa/gateway/delivery", "loa/channels"}},
	{"loa/gateway/delivery", []string{"loa/gateway/alert", "loa/gateway/area", "loa/channels"}},
	{"loa/gateway/coverage", []string{"loa/gateway/alert", "loa/gateway/area", "loa/channels"}},
	{"loa/gateway/account", []string{"loa/gateway/area", "loa/gateway/audit", "loa/channels"}},
	{"loa/gateway/account/accounttest", nil},
	{"loa/gateway/config", []string{"loa/channels"}},
	{"loa/gateway/ledger", []string{"loa/gateway/alert", "loa/gateway/area", "loa/gateway/audit", "loa/gateway/desk", "loa/gateway/audience", "loa/gateway/dispatch", "loa/gateway/delivery", "loa/gateway/coverage", "loa/gateway/account", "loa/channels", "loa/gateway/ledger/postgrestest"}},
	{"loa/gateway/ledger/postgrestest", nil},
	{"loa/gateway/ledger/sqlitetest", nil},
	{"loa/gateway/queue", []string{"loa/gateway/delivery", "loa/channels"}},
	{"loa/gateway/watch", []string{"loa/gateway/alert", "loa/gateway/dispatch", "loa/gateway/delivery", "loa/channels"}},
	{"loa/gateway/web", []string{"loa/gateway/web/*"}},
	{"loa/gateway/web/api", []string{"loa/channels", "loa/gateway/alert", "loa/gateway/area", "loa/gateway/account", "loa/gateway/audience", "loa/gateway/cap", "loa/gateway/coverage", "loa/gateway/desk", "loa/gateway/render", "loa/gateway/dispatch", "loa/gateway/delivery"}},
	{"loa/gateway/web/face", nil},
	{"loa/gateway/web/face/facetest", nil},
	{"loa/gateway/web/console", []string{"loa/gateway/web/face", "loa/gateway/account", "loa/gateway/web/api", "loa/channels", "loa/gateway/alert", "loa/gateway/area", "loa/gateway/dispatch"}},
	{"loa/gateway/web/public", []string{"loa/gateway/web/face", "loa/channels", "loa/gateway/alert", "loa/gateway/area", "loa/gateway/coverage", "loa/gateway/desk"}},
	{"loa/gateway/historytest", []string{"loa/gateway/alert", "loa/channels"}},
	{"loa/gateway/historytest/witness", []string{"loa/gateway/alert", "loa/gateway/area", "loa/gateway/audit", "loa/gateway/delivery", "loa/gateway/desk", "loa/gateway/dispatch", "loa/gateway/historytest", "loa/channels"}},
	{"loa/gateway/simulation", nil},
	{"loa/gateway/demo", []string{"loa/gateway", "loa/gateway/*", "loa/channels", "loa/templates", "loa/configs"}},
	{"loa/gateway/bench", []string{"loa/gateway", "loa/gateway/*", "loa/channels", "loa/templates", "loa/configs"}},
	{"loa/gateway", []string{"loa/gateway/*", "loa/channels", "loa/templates", "loa/configs"}},
	{"loa/templates", nil},
	{"loa/configs", nil},
	{"loa/cmd/loa/rig", []string{"loa/channels", "loa/channels/*", "loa/gateway/render", "loa/gateway/web/api", "loa/gateway/historytest", "loa/templates"}},
	{"loa/cmd/loa/faults", []string{"loa/cmd/loa/rig", "loa/gateway/ledger/postgrestest", "loa/channels", "loa/channels/*", "loa/gateway/web/api", "loa/gateway/historytest"}},
	{"loa/cmd/loa", []string{"loa/gateway", "loa/gateway/*", "loa/channels", "loa/channels/*", "loa/templates", "loa/configs"}},
}

// never lists what a wide row still must not reach.
var never = map[string][]string{
	"loa/cmd/loa":       {"loa/gateway/ledger", "loa/gateway/queue"},
	"loa/gateway/demo":  {"loa/channels/*", "loa/gateway/bench"},
	"loa/gateway/bench": {"loa/channels/*", "loa/gateway/demo"},
	"loa/gateway":       {"loa/channels/*", "loa/gateway/demo", "loa/gateway/bench"},
}

// outside says which packages alone may import a library.
var outside = map[string][]string{
	"github.com/go-webauthn/webauthn": {"loa/gateway/account"},
	"golang.org/x/mod":                {"loa/gateway/audit"},
	"github.com/twilio/twilio-go":     {"loa/channels/sms"},
	"github.com/linxGnu/gosmpp":       {"loa/channels/sms/smpp"},
	"github.com/redis/go-redis":       {"loa/gateway/queue"},
	"github.com/alicebob":             {"loa/gateway/queue"},
	"database/sql":                    {"loa/gateway/ledger", "loa/gateway/ledger/sqlitetest"},
	"modernc.org/sqlite":              {"loa/gateway/ledger", "loa/gateway/ledger/sqlitetest"},
	"github.com/jackc/pgx":            {"loa/gateway/ledger"},
	"github.com/pressly/goose":        {"loa/gateway/ledger"},
	"github.com/gorilla":              {"loa/channels/app", "loa/channels/app/standin"},
}

type listed struct {
	ImportPath  string
	Imports     []string
	TestImports []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports", "loa/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
}

func matches(pattern, path string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return pattern == path
}

func anyMatch(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// testMay reports what a package's own tests may import besides: the drivers'
// suite, its own stand-in or rig, and shipped data.
func testMay(path, imp string) bool {
	driver := strings.HasPrefix(path, "loa/channels/")
	return driver && imp == "loa/channels/channelstest" || imp == path+"/standin" || imp == path+"/rig" || imp == "loa/templates" || imp == "loa/configs"
}

// offences lists what a package imports against its row.
func offences(p listed) []string {
	var bad []string
	i := slices.IndexFunc(rooms, func(r room) bool { return r.name == p.ImportPath })
	if i < 0 {
		return []string{p.ImportPath + " has no row"}
	}
	for _, imp := range slices.Concat(p.Imports, p.TestImports) {
		inTests := !slices.Contains(p.Imports, imp)
		if imp == p.ImportPath || inTests && testMay(p.ImportPath, imp) {
			continue
		}
		if strings.HasPrefix(imp, "loa/") && (!anyMatch(rooms[i].may, imp) || anyMatch(never[p.ImportPath], imp)) {
			bad = append(bad, p.ImportPath+" imports "+imp)
		}
		for lib, owners := range outside {
			if (imp == lib || strings.HasPrefix(imp, lib+"/")) && !slices.Contains(owners, p.ImportPath) {
				bad = append(bad, p.ImportPath+" imports "+imp)
			}
		}
	}
	return bad
}

func TestRooms(t *testing.T) {
	t.Parallel()
	pkgs := packages(t)
	if len(pkgs) < 20 {
		t.Fatalf("go list found %d packages: the test does not see the tree", len(pkgs))
	}
	for _, p := range pkgs {
		for _, o := range offences(p) {
			t.Error(o)
		}
	}
}

func TestRoomsSeesOffences(t *testing.T) {
	t.Parallel()
	for _, p := range []listed{
		{ImportPath: "loa/gateway/util"},
		{ImportPath: "loa/gateway/alert", Imports: []string{"loa/gateway/delivery"}},
		{ImportPath: "loa/gateway/desk", Imports: []string{"loa/gateway/ledger"}},
		{ImportPath: "loa/cmd/loa", Imports: []string{"loa/gateway/ledger"}},
		{ImportPath: "loa/gateway/demo", Imports: []string{"loa/channels/sms"}},
		{ImportPath: "loa/gateway/delivery", Imports: []string{"database/sql"}},
		{ImportPath: "loa/gateway/web", TestImports: []string{"github.com/redis/go-redis/v9"}},
	} {
		if len(offences(p)) == 0 {
			t.Errorf("%s importing %v%v was let through", p.ImportPath, p.Imports, p.TestImports)
		}
	}
}
