package smpp

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"strings"
	"testing"

	"loa/channels"
)

const local = "smpp://127.0.0.1:2775"

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	with := func(from, to string) string { return strings.Replace(section(local), from, to, 1) }
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":         {section(local, "pasword: x"), "pasword"},
		"no system_id":        {with("system_id: "+systemID, ""), "system_id"},
		"system_id of 16":     {with(systemID, "0123456789abcdef"), "system_id"},
		"no password":         {with("password: "+password, ""), "password"},
		"password with space": {with(password, `"a b"`), "password"},
		"system_type of 13":   {section(local, "system_type: abcdefghijklm"), "system_type"},
		"no sender":           {with("from: "+source, ""), "from"},
		"sender of 12":        {with(source, "BanChiHuyPCT"), "from"},
		"sender with marks":   {with(source, "CảnhBáo"), "from"},
		"window":              {section(local, "window: 257"), "window"},
		"window below":        {section(local, "window: -1"), "window"},
		"timeout":             {section(local, "timeout: 2m"), "timeout"},
		"timeout bare":        {section(local, "timeout: 10"), "timeout"},
		"enquire":             {section(local, "enquire: 1h"), "enquire"},
		"no address":          {with("address: "+local, ""), "address"},
		"address of http":     {section("http://127.0.0.1:2775"), "address"},
		"address with path":   {section(local + "/x"), "address"},
		"address with user":   {section("smpp://u:p@127.0.0.1:2775"), "address"},
		"address no port":     {section("smpps://carrier.example"), "address"},
		"another port":        {section("smpp://127.0.0.1:2776"), "address"},
		"another scheme":      {section("smpps://127.0.0.1:2775"), "address"},
		"localhost":           {section("smpps://localhost:2775"), "address"},
		"loopback of IPv6":    {section(`"smpps://[::1]:2775"`), "address"},
		"in the clear":        {section("smpp://carrier.example:2775"), "private_line"},
		"ca in the clear":     {section(local, "ca: x"), "ca"},
		"ca of nothing":       {section("smpps://carrier.example:3550", "ca: x"), "ca"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := Driver().Open(decode(c.text), deps(local, nil))
			if err == nil {
				_ = v.(*sender).Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want one that names %s", err, c.want)
			}
			if strings.Contains(err.Error(), password) {
				t.Error("error holds the password")
			}
		})
	}
}

// Everything but the one admitted stand-in reaches people.
func TestLive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, origin string
		live         bool
	}{
		{section(local), local, false},
		{section("smpps://carrier.example:3550"), "", true},
		{section("smpps://carrier.example:3550"), local, true},
		{section("smpps://Carrier.Example:3550"), "smpps://carrier.example:3550", false},
		{section("smpp://10.1.2.3:2775", "private_line: true"), "", true},
		{section("smpp://10.1.2.3:2775", "private_line: true"), local, true},
	} {
		if s := openSender(t, c.text, deps(c.origin, nil)); s.Live() != c.live || s.Provider() != "smpp" || s.Kind() != channels.SMS {
			t.Errorf("%s at origin %q is live: %v", c.text, c.origin, s.Live())
		}
	}
}

// A carrier's own authority is trusted when it is named, and a certificate of
// anybody else is not.
func TestTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS() // for its certificate
	certificate, settings := web.Certificate(), web.TLS.Clone()
	web.Close()
	settings.NextProtos = nil
	c, origin := serveTLS(t, settings)
	indented := strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})), "\n", "\n  ")
	trusting := openSender(t, section(origin, "ca: |\n  "+indented), deps(origin, nil))
	if _, err := trusting.Send(t.Context(), message1(t, "")); err != nil {
		t.Errorf("send over TLS: %v", err)
	}
	_, err := openSender(t, section(origin), deps(origin, nil)).Send(t.Context(), message1(t, ""))
	if e := channels.AsError(err); err == nil || e.Fault != channels.FaultTransient || !strings.Contains(err.Error(), x509.UnknownAuthorityError{}.Error()) {
		t.Errorf("a certificate nobody vouches for: %v", err)
	}
	if c.Books().Len() != 1 {
		t.Errorf("%d in the books", c.Books().Len())
	}
}
