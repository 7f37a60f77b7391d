package config

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loa/channels"
)

var masterKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))

const good = `deployment: live
data: ./data
listen: 127.0.0.1:8080
public: https://loa.example.vn
redis:
  addr: 127.0.0.1:6379
keys:
  master_file: master.key
agency:
  sender: loa.example.vn
  name: Ban Chỉ huy Phòng thủ dân sự tỉnh Quảng Ninh
  name_en: Quang Ninh Civil Defence Command
  short: BCH PTDS Quảng Ninh
  short_en: Quang Ninh Civil Defence
delivery:
  resend_after: 90s
channels:
  - driver: hub
    window: 64
    settings:
      origins: [https://loa.example.vn]
`

func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"loa.yaml": text, "master.key": masterKey + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "loa.yaml")
}

func TestLoad(t *testing.T) {
	t.Parallel()
	c, err := Load(write(t, good))
	if err != nil {
		t.Fatal(err)
	}
	if c.Keys.Master.Reveal() != masterKey {
		t.Error("keys.master was not read from its file")
	}
	if c.Delivery.ResendAfter != 90*time.Second {
		t.Errorf("resend_after = %v", c.Delivery.ResendAfter)
	}
	var hub struct {
		Origins []string `yaml:"origins"`
	}
	if err := c.Channels[0].Settings.Decode(&hub); err != nil || len(hub.Origins) != 1 {
		t.Errorf("settings: %v, %v", hub, err)
	}
	var other struct{}
	if err := c.Channels[0].Settings.Decode(&other); err == nil || !strings.Contains(err.Error(), "loa.yaml:21:7") {
		t.Errorf("an unknown key in settings gave %v, want its line", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":        {"data: ./data", "dat: ./data", "2:1"},
		"deployment":         {"deployment: live", "deployment: production", "1:1: deployment"},
		"public http":        {"https://loa.example.vn\nredis", "http://loa.example.vn\nredis", "4:1: public"},
		"weak redis":         {"127.0.0.1:6379", "10.1.1.1:6379\n  password: changeme", "redis.password"},
		"inline weak key":    {"master_file: master.key", "master: c2VjcmV0", "8:3: keys.master"},
		"missing key file":   {"master_file: master.key", "master_file: none.key", "8:3: master_file"},
		"sender":             {"sender: loa.example.vn", "sender: a b", "agency.sender"},
		"live stand-in":      {"window: 64", "origin: http://127.0.0.1:9", "origin: not admitted in a live"},
		"window":             {"window: 64", "window: 257", "channels[0].window"},
		"prefix":             {"window: 64", "prefixes: ['+8496', 96]", "channels[0].prefixes[1]: + and"},
		"a whole number":     {"window: 64", "prefixes: ['+84961234567']", "channels[0].prefixes[0]: + and"},
		"prefix twice":       {"window: 64", "prefixes: ['+8496', '+8496']", "channels[0].prefixes[1]: + and"},
		"cost":               {"window: 64", "cost: -1", "channels[0].cost"},
		"cost of text":       {"window: 64", "cost: cheap", "loa.yaml:19"},
		"driver twice":       {"    window: 64", "  - driver: hub\n    window: 64", "channels[1].driver"},
		"a list for a text":  {"addr: 127.0.0.1:6379", "addr: [a, b]", "6:9: redis.addr: text is expected, not a list"},
		"a text for a block": {"addr: 127.0.0.1:6379", "addr: 127.0.0.1:6379\n  sentinel: a:1", "7:13: redis.sentinel: a block of keys is expected, not text"},
		"a text for a list":  {"addr: 127.0.0.1:6379", "sentinel: {master: m, addrs: 'a:1'}", "redis.sentinel.addrs: a list is expected, not text"},
		"both redis":         {"addr: 127.0.0.1:6379", "addr: 127.0.0.1:6379\n  sentinel: {master: m, addrs: ['a:1']}", "redis: addr and sentinel exclude each other"},
		"a text for a bool":  {"addr: 127.0.0.1:6379", "tls: 3", "6:8: redis.tls: true or false is expected, not a number"},
		"a text for a count": {"window: 64", "window: many", "19:13: channels[0].window: a number is expected, not text"},
		"a huge number":      {"addr: 127.0.0.1:6379", "db: 99999999999999999999", "redis.db: the number is too large"},
		"a word for a time":  {"resend_after: 90s", "resend_after: soon", "16:17: delivery.resend_after: a duration is expected"},
		"one of two times":   {"  short_en: Quang Ninh Civil Defence\ndelivery:\n  resend_after: 90s", "  short_en: '10'\ndelivery:\n  resend_after: '10'", "loa.yaml: a duration is expected, as 90s"},
		"unknown route key":  {"window: 64", "prefix: '+8496'", "loa.yaml:19:5"},
		"two redis":          {"addr: 127.0.0.1:6379", "db: 1", "redis"},
		"not yaml":           {"data: ./data", "data: [", "loa.yaml"},
		"duplicate key":      {"data: ./data", "data: ./data\ndata: ./other", "3:1"},
		"two documents":      {"delivery:", "---\ndelivery:", "one YAML document"},
		"short agency empty": {"short: BCH PTDS Quảng Ninh", "short: ''", "agency.short"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatal("the case changes nothing")
			}
			_, err := Load(write(t, text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	text := strings.Replace(good, "master_file: master.key", "master: hunter2hunter2\n  other: 1", 1)
	_, err := Load(write(t, text))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("error is %v", err)
	}
}

// A secret that others may read stops a live gateway, and is said in a drill.
func TestSecretFileReadableByOthers(t *testing.T) {
	t.Parallel()
	for mode, wide := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o644: true} {
		for _, live := range []bool{true, false} {
			text := good
			if !live {
				text = strings.Replace(text, "deployment: live", "deployment: drill", 1)
			}
			path := write(t, text)
			if err := os.Chmod(filepath.Join(filepath.Dir(path), "master.key"), mode); err != nil {
				t.Fatal(err)
			}
			const want = "loa.yaml:8:3: master_file: master.key has mode"
			c, err := Load(path)
			switch {
			case live && wide:
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%o, live: %v", mode, err)
				}
			case err != nil:
				t.Errorf("%o, live %v: %v", mode, live, err)
			case wide != (len(c.Warnings) == 1) || wide && !strings.Contains(c.Warnings[0], want):
				t.Errorf("%o, live %v: warnings %q", mode, live, c.Warnings)
			}
		}
	}
}

// A fault that a section's owner finds is placed at the key that it speaks of.
func TestWhereNamed(t *testing.T) {
	t.Parallel()
	c, err := Load(write(t, strings.Replace(good, "      origins:", "      queue: 64\n      pong_wait: 1s\n      origins:", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for fault, want := range map[string]string{
		"app: queue: want 1 to 1024":                   ":21:7: ",
		"app: pong_wait: must be positive, queue: too": ":22:7: ",
		`app: origins[0]: "x": want scheme://host`:     ":23:17: ",
		"app: public base URL: want scheme://host":     ":20:5: ",
		"app: no queue here":                           ":20:5: ",
	} {
		if got := c.WhereNamed("channels[0].settings", errors.New(fault)); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", fault, got, want)
		}
	}
}

func TestRedisNone(t *testing.T) {
	t.Parallel()
	c, err := Load(write(t, strings.Replace(good, "redis:\n  addr: 127.0.0.1:6379", "redis: none\nwitness: ./witness", 1)))
	if err != nil || !c.Redis.None {
		t.Fatalf("%+v, %v", c, err)
	}
}

// Without Redis something else outside the data folder must know how far the
// ledger has come: in a live deployment it is required, elsewhere advised.
func TestWitness(t *testing.T) {
	t.Parallel()
	none := strings.Replace(good, "redis:\n  addr: 127.0.0.1:6379", "redis: none", 1)
	drill := strings.Replace(none, "deployment: live", "deployment: drill", 1)
	for name, c := range map[string]struct {
		text, fault string
		warnings    int
	}{
		"with Redis":         {good, "", 0},
		"live":               {none, "5:1: witness: a file outside data is required", 0},
		"drill":              {drill, "", 1},
		"drill, with one":    {drill + "witness: ./loa.witness\n", "", 0},
		"in the data folder": {none + "witness: data/below/witness\n", "witness: must lie outside data", 0},
		"the folder itself":  {none + "witness: ./data\n", "witness: must lie outside data", 0},
		"beside, like it":    {none + "witness: ./data.witness\n", "", 0},
		"Redis, and inside":  {good + "witness: ./data/witness\n", "witness: must lie outside data", 0},
		"out and in again":   {none + "witness: x/../data/witness\n", "witness: must lie outside data", 0},
		"an absolute place":  {none + "witness: /var/lib/loa.witness\n", "", 0},
	} {
		got, err := Load(write(t, c.text))
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", name, err, c.fault)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case len(got.Warnings) != c.warnings:
			t.Errorf("%s: warnings %q", name, got.Warnings)
		}
	}
}

func TestCheckMaster(t *testing.T) {
	t.Parallel()
	zero := base64.StdEncoding.EncodeToString(make([]byte, 32))
	if CheckMaster(channels.Secret(zero)) == nil {
		t.Error("a key of zeros was admitted")
	}
	if err := CheckMaster(channels.Secret(masterKey)); err != nil {
		t.Error(err)
	}
}

// A drill may leave the master key to the data folder, a live gateway may not;
// a key that is given must be a good one anywhere.
func TestMasterKeyIsForLive(t *testing.T) {
	t.Parallel()
	bare := strings.Replace(good, "  master_file: master.key", "  {}", 1)
	inDrill := strings.Replace(bare, "deployment: live", "deployment: drill", 1)
	if _, err := Load(write(t, inDrill)); err != nil {
		t.Errorf("a drill without a key: %v", err)
	}
	for name, text := range map[string]string{
		"live without": bare,
		"drill, weak":  strings.Replace(strings.Replace(good, "deployment: live", "deployment: drill", 1), "master_file: master.key", "master: AAAA", 1),
	} {
		if _, err := Load(write(t, text)); err == nil || !strings.Contains(err.Error(), "keys.master") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Where finds a key, or what holds it.
func TestWhere(t *testing.T) {
	t.Parallel()
	c, err := Load(write(t, good))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"listen": ":3:1: ", "channels[0].settings.nope": ":20:5: ", "channels[0].settings.origins": ":21:7: ", "channels[0]": ":18:5: ",
		"channels[7].driver": ":17:1: ", "agency.contact": ":9:1: ", "nothing": "loa.yaml: "} {
		if got := c.Where(key); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if got := Default().Where("listen"); got != "" {
		t.Errorf("defaults are in %q", got)
	}
}
