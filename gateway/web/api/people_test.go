package api_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"loa/gateway/account"
	"loa/gateway/account/accounttest"
	"loa/gateway/area"
	"loa/gateway/web/api"
)

// browser is somebody's browser with its cookies and the device in their hand.
type browser struct {
	*desk

	device *accounttest.Device
	cookie string // of the session
	who    api.Who
}

// origin is where the pages of a gateway without a configuration are.
const origin = "http://localhost:8080"

// ask does a request as a page of this site does; set replaces headers, an empty
// value leaves one out.
func (b *browser) ask(method, path string, body any, set map[string]string) *httptest.ResponseRecorder {
	b.t.Helper()
	text := ""
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		text = string(raw)
	}
	headers := map[string]string{"Authorization": "", "Origin": origin, "Sec-Fetch-Site": "same-origin"}
	if b.cookie != "" {
		headers["Cookie"] = "__Host-loa=" + b.cookie
	}
	maps.Copy(headers, set)
	w := b.call(method, path, "", text, headers)
	for _, c := range w.Result().Cookies() {
		if c.Name != "__Host-loa" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			b.t.Errorf("cookie %s: %+v", c.Name, c)
		}
		b.cookie = c.Value
	}
	return w
}

// did is ask for what is to succeed.
func (b *browser) did(status int, method, path string, body, into any) {
	b.t.Helper()
	w := b.ask(method, path, body, nil)
	if w.Code != status {
		b.t.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			b.t.Fatal(err)
		}
	}
}

type doc = map[string]any

func (d *desk) browser() *browser {
	return &browser{desk: d, device: accounttest.New(d.t, "localhost", origin)}
}

// enrol opens a link in a new browser.
func (d *desk) enrol(link, name string) *browser {
	d.t.Helper()
	_, secret, _ := strings.Cut(link, "#")
	b := d.browser()
	var c api.Challenge
	b.did(200, "POST", "/enrol/begin", doc{"link": secret, "name": name}, &c)
	b.did(201, "POST", "/enrol", doc{"link": secret, "name": name, "nonce": c.Nonce, "response": json.RawMessage(b.device.Create(d.t, c.PublicKey)), "label": "Firefox"}, &b.who)
	return b
}

func (b *browser) signIn() *httptest.ResponseRecorder {
	b.t.Helper()
	var c api.Challenge
	b.did(200, "POST", "/session/begin", doc{}, &c)
	b.device.Counter++
	return b.ask("POST", "/session", doc{"nonce": c.Nonce, "response": json.RawMessage(b.device.Get(b.t, c.PublicKey)), "label": "Chrome"}, nil)
}

func (d *desk) administrator() *browser {
	d.t.Helper()
	link, err := d.gateway.FirstLink(d.t.Context())
	if err != nil || !strings.HasPrefix(link, origin+"/moi#") {
		d.t.Fatalf("first link %q: %v", link, err)
	}
	return d.enrol(link, "Lê Thị Quản")
}

func (b *browser) invite(name string, territory area.Code, roles ...api.Role) *browser {
	b.t.Helper()
	var in api.Invited
	b.did(201, "POST", "/people", api.Invitation{Name: name, Territory: territory, Roles: append([]api.Role{}, roles...)}, &in)
	return b.enrol(in.Link, "")
}

// submits has somebody write and submit a warning over codes.
func (b *browser) submits(severity, codes string) api.Alert {
	b.t.Helper()
	var a api.Alert
	b.did(201, "POST", "/alerts", json.RawMessage(draft(severity, codes)), &a)
	b.did(200, "POST", "/alerts/"+string(a.ID)+"/submit", nil, &a)
	return a
}

func (b *browser) begins(a *api.Alert) api.Challenge {
	b.t.Helper()
	var c api.Challenge
	b.did(200, "POST", "/alerts/"+string(a.ID)+"/approve/begin", doc{"hash": a.Hash}, &c)
	return c
}

func (b *browser) signs(a *api.Alert, c *api.Challenge) doc {
	b.device.Counter++
	return doc{"hash": a.Hash, "nonce": c.Nonce, "response": json.RawMessage(b.device.Get(b.t, c.PublicKey))}
}

// refused does a request that is to be refused with a problem of this word.
func (b *browser) refused(what string, w *httptest.ResponseRecorder, status int, word string) {
	b.t.Helper()
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != status || p.Type != api.ProblemPrefix+word {
		b.t.Errorf("%s: %d %s, want %d %s", what, w.Code, w.Body, status, word)
	}
}

func (b *browser) hex(text string) []byte {
	b.t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return raw
}

func (b *browser) b64(text string) []byte {
	b.t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return raw
}

const province area.Code = "22"

func pair(d *desk) (admin, author, approver *browser) {
	admin = d.administrator()
	author = admin.invite("Nguyễn Thị Soạn", province, api.Role{Role: account.Author, Territory: province})
	approver = admin.invite("Trần Văn Duyệt", province, api.Role{Role: account.Approver, Territory: province})
	return admin, author, approver
}

// From the first link to an alert that two people with passkeys have sent.
func TestTwoPeopleSendWithPasskeys(t *testing.T) {
	t.Parallel()
	d := open(t)
	admin, author, approver := pair(d)
	if len(admin.who.Roles) != 1 || admin.who.Roles[0] != (api.Role{Role: account.Administrator, Territory: "VN"}) || !admin.who.Setup || admin.who.Environment != "drill" {
		t.Errorf("%+v", admin.who)
	}
	a := author.submits("Extreme", `"06673"`)
	path := "/alerts/" + string(a.ID)
	approver.refused("an approval without a passkey", approver.ask("POST", path+"/approve", doc{"hash": a.Hash}, nil), 403, "passkey")
	approver.refused("a challenge for another hash", approver.ask("POST", path+"/approve/begin", doc{"hash": strings.Repeat("0", 64)}, nil), 409, "hash")
	author.refused("the author", author.ask("POST", path+"/approve/begin", doc{"hash": a.Hash}, nil), 403, "no-authority")
	c := approver.begins(&a)
	signed := approver.signs(&a, &c)
	key := map[string]string{"Idempotency-Key": "approve-1"}
	for range 2 { // the second time the answer of the first was lost
		w := approver.ask("POST", path+"/approve", signed, key)
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 || a.State != "approved" || len(a.Signatures) != 2 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	hash := [32]byte(approver.hex(a.Hash))
	good, err := d.gateway.Account.Signed(t.Context(), account.Signing{Act: account.ActApprove, Object: "alert/" + string(a.ID), Revision: hash})
	if err != nil || len(good) != 1 || good[0].Person != approver.who.ID {
		t.Errorf("what was signed: %+v %v", good, err)
	}
	author.did(200, "POST", path+"/stop", doc{"reason": "nhầm"}, &a)
	if a.State != "stopped" {
		t.Errorf("%s", a.State)
	}
}

// What is signed is one act on one revision in one environment by one person.
func TestForgedApprovals(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, author, approver := pair(d)
	a, other := author.submits("Extreme", `"06673"`), author.submits("Extreme", `"06673"`)
	path := "/alerts/" + string(a.ID) + "/approve"
	try := func(what string, status int, word string, forge func(c *api.Challenge) doc) {
		t.Helper()
		c := approver.begins(&a)
		approver.refused(what, approver.ask("POST", path, forge(&c), nil), status, word)
	}
	try("another person's passkey", 403, "passkey", func(c *api.Challenge) doc {
		return author.signs(&a, c)
	})
	try("a device that nobody has", 403, "passkey", func(c *api.Challenge) doc {
		s := d.browser()
		s.device.Handle = approver.device.Handle
		return s.signs(&a, c)
	})
	try("another key under the passkey's id", 403, "passkey", func(c *api.Challenge) doc {
		s := d.browser()
		s.device.ID, s.device.Handle, s.device.Counter = approver.device.ID, approver.device.Handle, 99
		return s.signs(&a, c)
	})
	try("without verifying who holds it", 403, "passkey", func(c *api.Challenge) doc {
		approver.device.Flags = accounttest.Present
		defer func() { approver.device.Flags = accounttest.Present | accounttest.Verified }()
		return approver.signs(&a, c)
	})
	try("on another site", 403, "passkey", func(c *api.Challenge) doc {
		approver.device.Origin = "https://loa.example"
		defer func() { approver.device.Origin = origin }()
		return approver.signs(&a, c)
	})
	try("a challenge of the browser's own", 403, "passkey", func(c *api.Challenge) doc {
		in := approver.signs(&a, c)
		in["response"] = json.RawMessage(approver.device.Sign(t, "webauthn.get", accounttest.B64(make([]byte, 32))))
		return in
	})
	try("of another environment", 403, "passkey", func(c *api.Challenge) doc {
		in := approver.signs(&a, c)
		what := account.Signing{Act: account.ActApprove, Object: "alert/" + string(a.ID), Revision: [32]byte(approver.hex(a.Hash))}
		live := account.Challenge("live", what, [32]byte(approver.b64(c.Nonce)))
		in["response"] = json.RawMessage(approver.device.Sign(t, "webauthn.get", accounttest.B64(live[:])))
		return in
	})
	try("what was signed to sign in", 409, "challenge", func(*api.Challenge) doc {
		var c api.Challenge
		approver.did(200, "POST", "/session/begin", doc{}, &c)
		return approver.signs(&a, &c)
	})
	try("what was signed for another alert", 403, "passkey", func(*api.Challenge) doc {
		c := approver.begins(&other)
		return approver.signs(&a, &c)
	})
	try("not an authenticator's answer", 400, "malformed", func(c *api.Challenge) doc {
		return doc{"hash": a.Hash, "nonce": c.Nonce, "response": doc{"id": "x", "extra": []any{nil, 1}}}
	})
	used := approver.begins(&a)
	in := approver.signs(&a, &used)
	first := approver.ask("POST", "/alerts/"+string(other.ID)+"/approve", in, nil) // uses the challenge up
	approver.refused("on another alert", first, 409, "hash")
	var now api.Alert
	approver.did(200, "GET", "/alerts/"+string(a.ID), nil, &now)
	if now.State != "submitted" {
		t.Errorf("after all forgeries the alert is %s", now.State)
	}
	approver.did(200, "POST", path, in, &now)
	third := author.submits("Extreme", `"06673"`)
	approver.refused("what was signed before", approver.ask("POST", "/alerts/"+string(third.ID)+"/approve", doc{"hash": third.Hash, "nonce": in["nonce"], "response": in["response"]}, nil), 409, "challenge")
}

// Whoever writes does not approve, in whatever browser.
func TestAuthorApprovesInSecondSession(t *testing.T) {
	t.Parallel()
	d := open(t)
	admin := d.administrator()
	both := admin.invite("Nguyễn Thị Soạn", province, api.Role{Role: account.Author, Territory: province}, api.Role{Role: account.Approver, Territory: province})
	a := both.submits("Extreme", `"06673"`)
	second := &browser{desk: d, device: both.device}
	if w := second.signIn(); w.Code != 201 || second.cookie == both.cookie {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	second.refused("the author in a second tab", second.ask("POST", "/alerts/"+string(a.ID)+"/approve/begin", doc{"hash": a.Hash}, nil), 403, "own-alert")
	c := api.Challenge{Nonce: strings.Repeat("A", 43), PublicKey: json.RawMessage(`{"challenge":"AAAA"}`)}
	second.refused("and without asking", second.ask("POST", "/alerts/"+string(a.ID)+"/approve", second.signs(&a, &c), nil), 403, "own-alert")
	both.did(200, "GET", "/session", nil, nil)
}

func TestSessionCookies(t *testing.T) {
	t.Parallel()
	d := open(t)
	b := d.administrator()
	planted := strings.Repeat("A", 43)
	old := b.cookie
	b.cookie = planted
	if w := b.signIn(); w.Code != 201 || b.cookie == planted || b.cookie == old {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	fixed := &browser{desk: d, cookie: planted}
	fixed.refused("a cookie brought before sign-in", fixed.ask("GET", "/session", nil, nil), 401, "no-session")
	twice := b.ask("GET", "/session", nil, map[string]string{"Cookie": "__Host-loa=" + b.cookie + "; __Host-loa=" + planted})
	b.refused("two cookies", twice, 401, "no-session")

	left := &browser{desk: d, cookie: b.cookie}
	before := b.cookie
	if w := b.signIn(); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	left.refused("the session before", left.ask("GET", "/session", nil, nil), 401, "no-session")
	if before == b.cookie {
		t.Error("the session is kept over a sign-in")
	}
	replay := &browser{desk: d, cookie: b.cookie}
	b.did(204, "DELETE", "/session", nil, nil)
	if b.cookie != "" {
		t.Error("the browser keeps the cookie")
	}
	replay.refused("replay after sign-out", replay.ask("GET", "/session", nil, nil), 401, "no-session")
	replay.refused("a write after sign-out", replay.ask("POST", "/alerts", json.RawMessage(draft("Minor", `"06673"`)), nil), 401, "no-session")
}

// A page of another site acts for nobody.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	d := open(t)
	b := d.administrator()
	text := json.RawMessage(draft("Minor", `"06673"`))
	for what, set := range map[string]map[string]string{
		"a foreign origin":     {"Origin": "https://evil.example", "Sec-Fetch-Site": ""},
		"a sandboxed page":     {"Origin": "null", "Sec-Fetch-Site": ""},
		"cross-site":           {"Origin": "", "Sec-Fetch-Site": "cross-site"},
		"a sibling domain":     {"Origin": "", "Sec-Fetch-Site": "same-site"},
		"another port":         {"Origin": "http://localhost:8081"},
		"the address":          {"Origin": "http://127.0.0.1:8080"},
		"nobody says wherefro": {"Origin": "", "Sec-Fetch-Site": ""},
	} {
		for _, path := range []string{"/alerts", "/people", "/session/begin", "/tokens"} {
			if path == "/session/begin" && set["Origin"] == "" && set["Sec-Fetch-Site"] == "" {
				continue
			}
			b.refused(what+" "+path, b.ask("POST", path, text, set), 403, "origin")
		}
	}
	b.refused("a foreign page reads", b.ask("GET", "/session", nil, map[string]string{"Origin": "https://evil.example"}), 403, "origin")
	b.did(200, "GET", "/session", nil, nil)
	if w := d.call("POST", "/alerts", d.author, string(text), nil); w.Code != 201 {
		t.Errorf("a program with a token: %d %s", w.Code, w.Body)
	}
	if w := d.call("POST", "/alerts", d.author, string(text), map[string]string{"Origin": "https://evil.example"}); w.Code != 403 {
		t.Errorf("a foreign page with a token: %d %s", w.Code, w.Body)
	}
}

// A source that tries too often waits; others do not.
func TestAttempts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := api.NewAttempts(func() time.Time { return now })
	from := func(remote, forwarded string) error {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
		r.RemoteAddr = remote
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return a.Take(r)
	}
	for range 60 {
		if err := from("203.0.113.7:1", ""); err != nil {
			t.Fatal(err)
		}
	}
	if from("203.0.113.7:2", "") == nil || from("203.0.113.7:2", "203.0.113.9") == nil {
		t.Error("61 attempts at once")
	}
	if err := from("203.0.113.8:1", ""); err != nil {
		t.Errorf("another source: %v", err)
	}
	for range 60 {
		if err := from("127.0.0.1:1", "198.51.100.1, 2001:db8::1"); err != nil {
			t.Fatal(err)
		}
	}
	if from("127.0.0.1:1", "2001:db8::2") == nil {
		t.Error("the same network behind the proxy")
	}
	for i := range 20_000 {
		if err := from(fmt.Sprintf("10.%d.%d.1:1", i/250, i%250), ""); err != nil {
			t.Fatalf("source %d: %v", i, err)
		}
	}
	if n := a.Sources(); n > 10_000 {
		t.Errorf("%d sources are kept", n)
	}
	now = now.Add(time.Minute)
	if err := from("203.0.113.7:1", ""); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}
