package sms

import (
	"strings"
	"testing"

	"loa/channels"
)

const local = "http://127.0.0.1:9001"

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	with := func(from, to string) string { return strings.Replace(section(local), from, to, 1) }
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":        {section(local) + "\nauth_tokn: x", "auth_tokn"},
		"no account":         {with("account_sid: "+account, ""), "account_sid"},
		"account of 31":      {with(account, account[:33]), "account_sid"},
		"no token":           {with("auth_token: "+token, ""), "auth_token"},
		"short token":        {with(token, "secret"), "auth_token"},
		"token with a space": {with(token, `"0f1e2d3c4b5a6978 8796a5b4"`), "auth_token"},
		"bad previous token": {section(local, "auth_token_previous: x"), "auth_token_previous"},
		"no sender":          {with(`from: "+84901234567"`, ""), "from"},
		"two senders":        {section(local, "messaging_service_sid: MG00112233445566778899aabbccddeeff"), "from"},
		"sender of 12":       {with("+84901234567", "BanChiHuyPCT"), "from"},
		"sender with marks":  {with("+84901234567", "CảnhBáo"), "from"},
		"bad service":        {with(`from: "+84901234567"`, "messaging_service_sid: MGx"), "messaging_service_sid"},
		"concurrency":        {section(local, "concurrency: 257"), "concurrency"},
		"concurrency below":  {section(local, "concurrency: -1"), "concurrency"},
		"timeout":            {section(local, "timeout: 2m"), "timeout"},
		"timeout below":      {section(local, "timeout: 10ms"), "timeout"},
		"timeout bare":       {section(local, "timeout: abc"), "timeout"},
		"base URL with path": {section(local + "/api"), "base_url"},
		"base URL with user": {section("http://u:p@127.0.0.1:9001"), "base_url"},
		"base URL of ftp":    {section("ftp://127.0.0.1:9001"), "base_url"},
		"base URL bare":      {section("127.0.0.1:9001"), "base_url"},
		"another port":       {section("http://127.0.0.1:9002"), "base_url"},
		"another scheme":     {section("https://127.0.0.1:9001"), "base_url"},
		"http elsewhere":     {section("http://carrier.example"), "base_url"},
		"localhost":          {section("https://localhost"), "base_url"},
		"loopback of IPv6":   {section(`"https://[::1]:9001"`), "base_url"},
		"Twilio by http":     {section("http://api.twilio.com"), "base_url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Driver().Open(decode(c.text), deps(local))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want one that names %s", err, c.want)
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("error holds the token")
			}
		})
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		base, origin, public string
		live                 bool
		fails                string
	}{
		"Twilio by default":         {base: `""`, public: "https://loa.example", live: true},
		"Twilio":                    {base: "https://api.twilio.com", public: "https://loa.example", live: true},
		"Twilio in a drill":         {base: "https://api.twilio.com", origin: "https://api.twilio.com", public: "https://loa.example", live: true},
		"Twilio's region":           {base: "https://api.sydney.au1.twilio.com", public: "https://loa.example", live: true},
		"a lookalike is live too":   {base: "https://api.nottwilio.com", public: "https://loa.example", live: true},
		"another carrier":           {base: "https://carrier.example", public: "https://loa.example", live: true},
		"stand-in":                  {base: local, origin: local, public: "http://127.0.0.1:8080"},
		"stand-in with slash":       {base: local + "/", origin: local, public: "http://127.0.0.1:8080"},
		"stand-in elsewhere":        {base: "https://standin.example", origin: "https://standin.example:443", public: "http://127.0.0.1:8080"},
		"loopback when live":        {base: local, public: "https://loa.example", fails: "base_url"},
		"callbacks without TLS":     {base: `""`, public: "http://loa.example", fails: "public"},
		"callbacks to loopback":     {base: `""`, public: "https://localhost", fails: "public"},
		"callbacks to nowhere":      {base: local, origin: local, public: "", fails: "public"},
		"callbacks with a password": {base: local, origin: local, public: "https://a:b@loa.example", fails: "public"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deps(c.origin)
			d.Public = c.public
			v, err := Driver().Open(decode(section(c.base)), d)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error is %v, want one that names %s", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s, ok := v.(channels.Sender); !ok || s.Live() != c.live {
				t.Errorf("live is %v, want %v", s.Live(), c.live)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s := openSender(t, section(local), deps(local))
	if s.Concurrency() != 16 || s.cfg.timeout.Seconds() != 10 {
		t.Errorf("concurrency %d, timeout %v", s.Concurrency(), s.cfg.timeout)
	}
	if s.cfg.AuthToken.Reveal() != token {
		t.Error("the token was not read")
	}
}

func TestOpenNeedsASink(t *testing.T) {
	t.Parallel()
	d := deps(local)
	d.Sink = nil
	if _, err := Driver().Open(decode(section(local)), d); err == nil {
		t.Error("opened without a sink: callbacks would be lost")
	}
}
