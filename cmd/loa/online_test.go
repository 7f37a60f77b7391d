package main_test

import (
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"loa/cmd/loa/rig"
)

// changed writes other words into the configuration.
func (p *province) changed(pairs ...string) {
	p.t.Helper()
	text := string(p.read(p.configFile()))
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			p.t.Fatalf("the configuration has no %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	if err := os.WriteFile(p.configFile(), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// refused expects the check to say what is wrong, and where: at the line of
// the key. It returns all that was said.
func (p *province) refused(key string, says ...string) {
	p.t.Helper()
	said := p.fails("", "", "check", "--online")
	before, _, found := strings.Cut("\n"+string(p.read(p.configFile())), "\n"+key)
	if !found {
		p.t.Fatalf("the configuration has no %q", key)
	}
	line := strings.Count(before, "\n") + 1
	for _, s := range append(says, p.configFile()+":"+strconv.Itoa(line)+":") {
		if !strings.Contains(said, s) {
			p.t.Errorf("no %q in:\n%s", s, said)
		}
	}
	for _, secret := range []string{token, masterKey, "rightrightright1", "wrongwrongwrong1"} {
		if strings.Contains(said, secret) {
			p.t.Errorf("a secret is shown:\n%s", said)
		}
	}
}

// TestCheckOnline asks live peers: PostgreSQL, Redis behind Sentinel, and the
// stand-ins, and then with everything that may be wrong with one of them.
func TestCheckOnline(t *testing.T) {
	t.Parallel()
	var g *rig.Guarded
	p := newProvince(t, 20, onPostgres, behindSentinel(&g))
	if said := p.loa("", "", "check", "--online"); !strings.Contains(said, ": ok (drill, 3 channels)") {
		t.Errorf("all is well, and it says %s", said)
	}
	whole := string(p.read(p.configFile()))
	again := func() {
		if err := os.WriteFile(p.configFile(), []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	p.changed("auth_token: "+token, "auth_token: wrongwrongwrong1wrongwrongwrong1")
	p.refused("  - {driver: twilio", "channels[0]", "the provider refuses the login")
	again()
	p.changed(`base_url: "`+p.carrier, `base_url: "http://127.0.0.1:`+freePort(t), `origin: "`+p.carrier, `origin: "http://127.0.0.1:1`)
	p.refused("  - {driver: twilio", "base_url")
	again()
	gone := "http://127.0.0.1:" + freePort(t)
	p.changed(`base_url: "`+p.carrier, `base_url: "`+gone, `origin: "`+p.carrier, `origin: "`+gone)
	p.refused("  - {driver: twilio", "no connection")
	again()
	p.changed("master: loa,", "master: nobody,")
	p.refused("redis:", "redis:")
	again()

	dsn, err := url.Parse(p.postgres)
	if err != nil {
		t.Fatal(err)
	}
	other := *dsn
	other.Path = "/nowhere"
	p.changed(p.postgres, other.String())
	p.refused("ledger:", "PostgreSQL has no such database")
	again()
	p.changed(p.postgres, "postgres://loa@127.0.0.1:"+freePort(t)+"/loa")
	p.refused("ledger:", "PostgreSQL does not answer")
	again()
	p.guardedRole()
	other = *dsn
	other.User = url.UserPassword("guard", "wrongwrongwrong1")
	p.changed(p.postgres, other.String())
	p.refused("ledger:", "PostgreSQL refuses the user or the password")
}

// guardedRole makes a user of PostgreSQL who needs a password.
func (p *province) guardedRole() {
	p.t.Helper()
	p.ask("CREATE ROLE guard LOGIN PASSWORD 'rightrightright1'")
	file := p.ask("SHOW hba_file")
	rules := p.read(file)
	if err := os.WriteFile(file, append([]byte("local all guard scram-sha-256\n"), rules...), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.ask("SELECT pg_reload_conf()")
	p.eventually(20*time.Second, "the rule to be in force", func() (bool, string) {
		out := p.ask("SELECT count(*) FROM pg_hba_file_rules WHERE 'guard' = ANY(user_name)")
		return out == "1", out
	})
}

// TestCheckOnlineOfRedis has a server that evicts and one with a password: the
// check says why, and so does the start of a gateway.
func TestCheckOnlineOfRedis(t *testing.T) {
	t.Parallel()
	p := newProvince(t, 20)
	if said := p.loa("", "", "check", "--online"); !strings.Contains(said, ": ok (drill, 3 channels)") {
		t.Errorf("all is well, and it says %s", said)
	}
	p.redisCLI(p.redisPort, "config", "set", "maxmemory-policy", "allkeys-lru")
	p.refused("redis:", "maxmemory-policy must be noeviction")
	if said := p.fails("", "", "serve"); !strings.Contains(said, "maxmemory-policy must be noeviction") || !strings.Contains(said, "loa.yaml:6:") {
		t.Errorf("serve says %s", said)
	}
	p.redisCLI(p.redisPort, "config", "set", "maxmemory-policy", "noeviction")

	p.redisCLI(p.redisPort, "config", "set", "requirepass", "rightrightright1")
	p.refused("redis:", "NOAUTH")
	closed := `{addr: "127.0.0.1:` + p.redisPort + `", password: wrongwrongwrong1}`
	p.changed(p.redis, closed)
	p.refused("redis:", "WRONGPASS")
	p.changed(closed, `{addr: "127.0.0.1:`+freePort(t)+`"}`)
	p.refused("redis:", "redis:")
}

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
func (p *province) read(path string) []byte {
	p.t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return src
}
