package main_test

import (
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"loa/cmd/loa/rig"
)

// checked is a province whose configuration is checked.
type checked struct {
	*rig.Rig

	n *rig.Node
}

// text is the configuration.
func (p *checked) text() string {
	p.Helper()
	src, err := os.ReadFile(p.n.ConfigFile())
	if err != nil {
		p.Fatal(err)
	}
	return string(src)
}

// changed writes other words into the configuration.
func (p *checked) changed(pairs ...string) {
	p.Helper()
	text := p.text()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			p.Fatalf("the configuration has no %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	if err := os.WriteFile(p.n.ConfigFile(), []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
}

// refused expects the check to say what is wrong, and where: at the line of
// the key. It returns all that was said.
func (p *checked) refused(key string, says ...string) {
	p.Helper()
	said := fails(p.Rig, "", "", "check", "--online")
	before, _, found := strings.Cut("\n"+p.text(), "\n"+key)
	if !found {
		p.Fatalf("the configuration has no %q", key)
	}
	line := strings.Count(before, "\n") + 1
	for _, s := range append(says, p.n.ConfigFile()+":"+strconv.Itoa(line)+":") {
		if !strings.Contains(said, s) {
			p.Errorf("no %q in:\n%s", s, said)
		}
	}
	for _, secret := range []string{rig.AuthToken, rig.Master, "rightrightright1", "wrongwrongwrong1"} {
		if strings.Contains(said, secret) {
			p.Errorf("a secret is shown:\n%s", said)
		}
	}
}

// TestCheckOnline asks live peers: PostgreSQL, Redis behind Sentinel, and the
// stand-ins, and then with everything that may be wrong with one of them.
func TestCheckOnline(t *testing.T) {
	t.Parallel()
	r, n := shipped(t, rig.Options{People: 20, Postgres: database(t), Redis: rig.StartGuarded(t).Config()})
	p := &checked{r, n}
	if said := n.Loa("", "", "check", "--online"); !strings.Contains(said, ": ok (drill, 3 channels)") {
		t.Errorf("all is well, and it says %s", said)
	}
	whole := p.text()
	carrier := regexp.MustCompile(`base_url: "([^"]+)`).FindStringSubmatch(whole)[1]
	again := func() {
		if err := os.WriteFile(p.n.ConfigFile(), []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	p.changed("auth_token: "+rig.AuthToken, "auth_token: wrongwrongwrong1wrongwrongwrong1")
	p.refused("  - {driver: twilio", "channels[0]", "the provider refuses the login")
	again()
	p.changed(`base_url: "`+carrier, `base_url: "http://127.0.0.1:`+rig.FreePort(t), `origin: "`+carrier, `origin: "http://127.0.0.1:1`)
	p.refused("  - {driver: twilio", "base_url")
	again()
	gone := "http://127.0.0.1:" + rig.FreePort(t)
	p.changed(`base_url: "`+carrier, `base_url: "`+gone, `origin: "`+carrier, `origin: "`+gone)
	p.refused("  - {driver: twilio", "no connection")
	again()
	p.changed("master: loa,", "master: nobody,")
	p.refused("redis:", "redis:")
	again()

	dsn, err := url.Parse(p.Options.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	other := *dsn
	other.Path = "/nowhere"
	p.changed(p.Options.Postgres, other.String())
	p.refused("ledger:", "PostgreSQL has no such database")
	again()
	p.changed(p.Options.Postgres, "postgres://loa@127.0.0.1:"+rig.FreePort(t)+"/loa")
	p.refused("ledger:", "PostgreSQL does not answer")
	again()
	p.guardedRole()
	other = *dsn
	other.User = url.UserPassword("guard", "wrongwrongwrong1")
	p.changed(p.Options.Postgres, other.String())
	p.refused("ledger:", "PostgreSQL refuses the user or the password")
}

// guardedRole makes a user of PostgreSQL who needs a password.
func (p *checked) guardedRole() {
	p.Helper()
	ask(p.Rig, "CREATE ROLE guard LOGIN PASSWORD 'rightrightright1'")
	file := ask(p.Rig, "SHOW hba_file")
	rules, err := os.ReadFile(file)
	if err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(file, append([]byte("local all guard scram-sha-256\n"), rules...), 0o600); err != nil {
		p.Fatal(err)
	}
	ask(p.Rig, "SELECT pg_reload_conf()")
	rig.Eventually(p, 20*time.Second, "the rule to be in force", func() (bool, string) {
		out := ask(p.Rig, "SELECT count(*) FROM pg_hba_file_rules WHERE 'guard' = ANY(user_name)")
		return out == "1", out
	})
}

// TestCheckOnlineOfRedis has a server that evicts and one with a password: the
// check says why, and so does the start of a gateway.
func TestCheckOnlineOfRedis(t *testing.T) {
	t.Parallel()
	r, n := shipped(t, rig.Options{People: 20})
	p := &checked{r, n}
	if said := n.Loa("", "", "check", "--online"); !strings.Contains(said, ": ok (drill, 3 channels)") {
		t.Errorf("all is well, and it says %s", said)
	}
	p.Redis.CLI("config", "set", "maxmemory-policy", "allkeys-lru")
	p.refused("redis:", "maxmemory-policy must be noeviction")
	if said := fails(p.Rig, "", "", "serve"); !strings.Contains(said, "maxmemory-policy must be noeviction") || !strings.Contains(said, "loa.yaml:6:") {
		t.Errorf("serve says %s", said)
	}
	p.Redis.CLI("config", "set", "maxmemory-policy", "noeviction")

	p.Redis.CLI("config", "set", "requirepass", "rightrightright1")
	p.refused("redis:", "NOAUTH")
	closed := `{addr: "127.0.0.1:` + p.Redis.Port + `", password: wrongwrongwrong1}`
	p.changed(p.Options.Redis, closed)
	p.refused("redis:", "WRONGPASS")
	p.changed(closed, `{addr: "127.0.0.1:`+rig.FreePort(t)+`"}`)
	p.refused("redis:", "redis:")
}
