package app

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"loa/channels/app/standin"
)

const goodHello = `{"type":"hello","communes":["06652"]}`

func TestOrigin(t *testing.T) {
	t.Parallel()
	p := start(t, Config{PerAddress: 1000, Origins: []string{"https://app.example.vn"}})
	for name, c := range map[string]struct {
		origins []string
		want    int
	}{
		"no browser":         {nil, 101},
		"the gateway's own":  {[]string{"https://loa.example.vn"}, 101},
		"configured":         {[]string{"https://app.example.vn"}, 101},
		"null":               {[]string{"null"}, 403},
		"starts with ours":   {[]string{"https://loa.example.vn.evil.example"}, 403},
		"ends with ours":     {[]string{"https://evil-loa.example.vn"}, 403},
		"http":               {[]string{"http://loa.example.vn"}, 403},
		"port":               {[]string{"https://loa.example.vn:444"}, 403},
		"two":                {[]string{"https://loa.example.vn", "https://evil.example"}, 403},
		"empty":              {[]string{""}, 403},
		"upper case":         {[]string{"HTTPS://LOA.EXAMPLE.VN"}, 403},
		"path behind origin": {[]string{"https://loa.example.vn/"}, 403},
	} {
		_, resp, err := p.dial(t, http.Header{"Origin": c.origins})
		if resp == nil || resp.StatusCode != c.want {
			t.Errorf("%s: %v (%v), want %d", name, resp, err, c.want)
		}
	}
}

// Frames and handshakes that break the protocol end with the code that says
// so, and the hub lives on.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	mask := func(b0 byte, payload string) string { // a masked frame with a zero key
		return string([]byte{b0, 0x80 | byte(len(payload)), 0, 0, 0, 0}) + payload
	}
	for name, c := range map[string]struct {
		raw  string
		want int
	}{
		"unmasked":                   {"\x81\x02{}", 1002},
		"reserved bits":              {mask(0xf1, "{}"), 1002},
		"compressed":                 {mask(0xc1, "{}"), 1002},
		"unknown opcode":             {mask(0x83, "{}"), 1002},
		"control frame of 126 bytes": {"\x89\xfe\x00\x7e\x00\x00\x00\x00" + strings.Repeat("a", 126), 1002},
		"fragmented ping":            {mask(0x09, "a"), 1002},
		"header announcing 1 GB":     {"\x81\xff\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00", 1009},
		"5 KB":                       {"\x81\xfe\x14\x00\x00\x00\x00\x00" + strings.Repeat("a", 5120), 1009},
		"binary":                     {mask(0x82, goodHello), 1003},
		"not UTF-8":                  {mask(0x81, "{\"type\":\"\xff\"}"), 1007},
		"not JSON":                   {mask(0x81, "hello"), 1008},
		"array":                      {mask(0x81, "[]"), 1008},
		"ack before hello":           {mask(0x81, `{"type":"ack"}`), 1008},
		"no communes":                {mask(0x81, `{"type":"hello"}`), 1008},
		"empty commune":              {mask(0x81, `{"type":"hello","communes":[""]}`), 1008},
		"six communes":               {mask(0x81, `{"type":"hello","communes":["1","2","3","4","5","6"]}`), 1008},
		"commune of spaces":          {mask(0x81, `{"type":"hello","communes":["Hạ Long"]}`), 1008},
		"commune as a number":        {mask(0x81, `{"type":"hello","communes":[6652]}`), 1008},
		"install of 3 bytes":         {mask(0x81, `{"type":"hello","communes":["1"],"install":"AAAA"}`), 1008},
		"two hellos":                 {mask(0x81, goodHello) + mask(0x81, goodHello), 1008},
		"anonymous ack":              {mask(0x81, goodHello) + mask(0x81, `{"type":"ack","alert":"a","revision":1,"stage":"delivered","sig":""}`), 1008},
	} {
		t.Run(name, func(t *testing.T) {
			ws := p.connect(t)
			if _, err := io.WriteString(ws.NetConn(), c.raw); err != nil {
				t.Fatal(err)
			}
			if code := ws.closed(); code != c.want {
				t.Errorf("close code %d, want %d", code, c.want)
			}
		})
	}
	c := p.connect(t)
	c.say(goodHello)
	if h := c.hear(); h.Type != "welcome" {
		t.Errorf("afterwards: %v", h)
	}
}

func TestFloodsAreCutOff(t *testing.T) {
	t.Parallel()
	p := start(t, Config{PerAddress: 10, PongWait: 500 * time.Millisecond})
	for name, c := range map[string]struct {
		before string // raw, once
		flood  string // raw, again and again
		least  int    // bytes that must have gone out before the end
	}{
		"pings":           {"", strings.Repeat("\x89\x80\x00\x00\x00\x00", 50), 6 * windowFrames},
		"empty fragments": {"\x01\x80\x00\x00\x00\x00", strings.Repeat("\x00\x80\x00\x00\x00\x00", 1000), 100_000},
	} {
		ws := p.connect(t)
		ws.say(goodHello)
		ws.hear()
		if _, err := io.WriteString(ws.NetConn(), c.before); err != nil {
			t.Fatal(err)
		}
		sent := 0
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			n, err := io.WriteString(ws.NetConn(), c.flood)
			if sent += n; err != nil {
				break
			}
		}
		eventually(t, name+" to be cut off", func() bool { return p.hub.Connections() == 0 })
		if sent < c.least {
			t.Errorf("%s: the flood did not happen: %d bytes", name, sent)
		}
	}
}

func TestHandshakes(t *testing.T) {
	t.Parallel()
	p := start(t, roomy())
	host := strings.TrimSuffix(strings.TrimPrefix(p.url, "ws://"), "/ws")
	const key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for name, c := range map[string]struct {
		head string
		want string
	}{
		"good":           {"GET /ws HTTP/1.1\r\nHost: x\r\n" + key, "101"},
		"query":          {"GET /ws?v=1 HTTP/1.1\r\nHost: x\r\n" + key, "101"},
		"many tokens":    {"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: " + strings.Repeat("a, ", 500) + "b\r\n" + key, "101"},
		"HTTP/1.0":       {"GET /ws HTTP/1.0\r\nHost: x\r\n" + key, "400"},
		"POST":           {"POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + key, "405"},
		"HEAD":           {"HEAD /ws HTTP/1.1\r\nHost: x\r\n" + key, "400"},
		"other path":     {"GET /wsx HTTP/1.1\r\nHost: x\r\n" + key, "404"},
		"plain GET":      {"GET /ws HTTP/1.1\r\nHost: x\r\n", "400"},
		"no key":         {"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n", "400"},
		"older protocol": {"GET /ws HTTP/1.1\r\nHost: x\r\n" + strings.Replace(key, "13", "8", 1), "400"},
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, c.head+"\r\n")
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, " "+c.want+" ") {
			t.Errorf("%s: %q (%v), want %s", name, line, err, c.want)
		}
		_ = conn.Close()
	}
}

func TestPerAddress(t *testing.T) {
	t.Parallel()
	p := start(t, Config{PerAddress: 3})
	var in []*client
	for range 3 {
		c := p.connect(t)
		c.say(goodHello)
		c.hear()
		in = append(in, c)
	}
	if _, resp, err := p.dial(t, nil); err == nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the fourth: %v, %v", resp, err)
	}
	_ = in[0].Close()
	eventually(t, "the place to be free", func() bool { return p.hub.Connections() == 2 })
	if _, _, err := p.dial(t, nil); err != nil {
		t.Errorf("after one left: %v", err)
	}
	p.hub.mu.RLock()
	defer p.hub.mu.RUnlock()
	if len(p.hub.addresses) != 1 {
		t.Errorf("%d addresses remembered, want 1", len(p.hub.addresses))
	}
}

func TestAddressOf(t *testing.T) {
	t.Parallel()
	h := &Hub{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"203.0.113.7:1234", nil, "203.0.113.7/32"},
		{"[::ffff:203.0.113.7]:1234", nil, "203.0.113.7/32"},
		{"[2001:db8:1:2:3::4]:1234", nil, "2001:db8:1:2::/64"},
		{"203.0.113.7:1234", []string{"198.51.100.1"}, "203.0.113.7/32"}, // not a proxy of ours: a claim
		{"10.0.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1/32"},
		{"10.0.0.1:1234", []string{"1.1.1.1, 198.51.100.1, 10.0.0.2"}, "198.51.100.1/32"}, // what is left of the first stranger is a claim
		{"10.0.0.1:1234", []string{"1.1.1.1", "198.51.100.1"}, "198.51.100.1/32"},
		{"[::1]:1234", []string{"2001:db8::1"}, "2001:db8::/64"},
		{"10.0.0.1:1234", []string{"nonsense"}, "10.0.0.1/32"},
		{"10.0.0.1:1234", nil, "10.0.0.1/32"},
		{"@", nil, "invalid Prefix"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := fmt.Sprint(h.addressOf(r)); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// A listener that answers no ping is forgotten; one that answers stays.
func TestSilenceEnds(t *testing.T) {
	t.Parallel()
	p := start(t, Config{PerAddress: 100, PongWait: 3 * time.Second})
	silent, answers := p.connect(t), p.connect(t)
	for _, c := range []*client{silent, answers} {
		c.say(goodHello)
		c.hear()
	}
	pings, pong := 0, answers.PingHandler()
	answers.SetPingHandler(func(data string) error {
		if pings++; pings == 4 { // the silent one is long due
			return errEnough
		}
		return pong(data)
	})
	if _, _, err := answers.ReadMessage(); !errors.Is(err, errEnough) {
		t.Errorf("a listener that answers pings was cut off after %d: %v", pings, err)
	}
	if n := p.hub.Connections(); n != 1 {
		t.Errorf("%d connections, want the one that answers", n)
	}
}

var errEnough = errors.New("enough pings")

// One listener in ten never reads. It is dropped with a typed close; the
// others get everything, once.
func TestDeafListeners(t *testing.T) {
	t.Parallel()
	const n, deaf, messages = 60, 6, 32
	p := start(t, Config{PerAddress: 1000, Queue: 8, WriteTimeout: time.Minute, PongWait: time.Minute})
	crowd := p.gather(t, n, standin.Options{Deaf: func(i int) bool { return i%10 == 0 }, Anonymous: func(int) bool { return true }})
	p.hub.mu.RLock()
	for c := range p.hub.conns {
		_ = c.ws.NetConn().(*net.TCPConn).SetWriteBuffer(4 << 10) // soon full where nobody reads
	}
	p.hub.mu.RUnlock()
	for i := range messages {
		m := warning(fmt.Sprintf("m%d", i), 1)
		m.Body = fmt.Appendf(nil, `{"pad":%q}`, strings.Repeat("x", 20_000))
		if _, err := p.hub.Broadcast(t.Context(), m, []string{"06652"}); err != nil {
			t.Fatal(err)
		}
		if i%4 == 3 {
			eventually(t, "the message at everybody who reads", func() bool { return count(crowd, m.Alert) == n-deaf })
		}
	}
	if n := p.hub.did.slow.Load(); n != deaf {
		t.Errorf("%d dropped as slow, want %d", n, deaf)
	}
	total := 0
	for range crowd.Books() {
		total++
	}
	if total != (n-deaf)*messages || crowd.Repeats() != 0 || crowd.Broken() != 0 {
		t.Errorf("%d messages shown, %d repeats, %d broken frames", total, crowd.Repeats(), crowd.Broken())
	}
}
